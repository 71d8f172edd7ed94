"""Everything that can be mended at once: mended, found well, and put back byte for byte."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from loratpl.check.dataset_files import dataset_file_problems
from loratpl.dataset.inspect import inspect_tree
from tests.fix.mended import CONCEPT, Mended, drawing, snapshot, turned, write_ailing

MENDED_CODES = frozenset(
    f"dataset.image.{name}"
    for name in ("orientation", "depth", "cmyk", "profile", "alpha", "extension", "left_out", "same_stem")
)


def _codes(mended: Mended) -> set[str]:
    tree = inspect_tree(mended.paths.image_dir, None)
    return {problem.code for problem in dataset_file_problems(mended.paths, mended.settings, tree)}


def test_everything_is_mended_and_put_back(odd_path: Path) -> None:
    mended = Mended(odd_path / "project")
    write_ailing(mended.folder)
    before = snapshot(odd_path)
    assert _codes(mended) >= MENDED_CODES
    result = mended.fix()
    assert result.left == ()
    assert _codes(mended) & MENDED_CODES == set()
    assert mended.plan().actions == ()
    assert mended.fix().run == ""  # nothing is left to do, and no run is counted
    outside = {name: value for name, value in before.items() if "image_dir" not in name}
    assert {name: value for name, value in snapshot(odd_path).items() if "image_dir" not in name} == outside
    undone = mended.undo()
    assert (undone.kept, undone.remaining) == ((), 0)
    assert snapshot(odd_path) == before
    assert list((mended.paths.hidden_dir / "originals").iterdir()) == []
    assert list((mended.paths.hidden_dir / "fixes").iterdir()) == []


def test_a_dry_run_touches_nothing(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    write_ailing(mended.folder)
    before = snapshot(tmp_path)
    plan = mended.plan()
    assert snapshot(tmp_path) == before
    assert not mended.paths.hidden_dir.exists()
    shown = plan.as_json(mended.paths.root_dir)
    assert {
        "kind": "picture",
        "where": f"image_dir/{CONCEPT}/a turned.jpg",
        "text": f"image_dir/{CONCEPT}/a turned.jpg: turned by 90°, as its EXIF tag says",
        "files": [
            {"from": "a turned.jpg", "to": "a turned.jpg"},
            {"from": "a turned_0080x0060_sd.npz", "to": None},
        ],
    } in shown["actions"]


def test_runs_are_undone_one_at_a_time_the_newest_first(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    drawing().save(mended.folder / "1.jpg", exif=turned(3))
    first = snapshot(tmp_path)
    mended.fix()
    drawing().save(mended.folder / "2.Jpg", "JPEG")
    second = snapshot(tmp_path)
    mended.fix()
    assert mended.undo().remaining == 1
    assert snapshot(tmp_path) == second
    assert mended.undo().remaining == 0
    (mended.folder / "2.Jpg").unlink()
    assert snapshot(tmp_path) == first


_PICTURES = st.sampled_from(
    ["plain.png", "turned.jpg", "cmyk.jpg", "clear.png", "deep.png", "named.png", "as.tiff", "as.bmp", "as.webp"]
)
_SUFFIXES = st.sampled_from([".png", ".jpg", ".Jpg", ".JPEG", ".webp", ".gif", ".jfif", ".bmp", ".tif"])
_CAPTIONS = st.one_of(st.none(), st.binary(max_size=12), st.text(max_size=12).map(lambda t: t.encode("utf-8")))


@given(st.dictionaries(st.tuples(st.sampled_from("abAé"), _SUFFIXES), st.tuples(_PICTURES, _CAPTIONS), max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_there_is_once_is_enough_and_undo_is_exact(
    tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, str], tuple[str, bytes | None]]
) -> None:
    root_dir = tmp_path_factory.mktemp("any")
    mended = Mended(root_dir)
    for (stem, suffix), (kind, caption) in files.items():
        _write(mended.folder / f"{stem}{suffix}", kind)
        if caption is not None:
            (mended.folder / f"{stem}.{'txt' if len(caption) % 2 else 'TXT'}").write_bytes(caption)
    before = snapshot(root_dir)
    count = sum(1 for name in mended.names() if not name.lower().endswith(".txt"))
    mended.fix()
    assert sum(1 for name in mended.names() if not name.lower().endswith(".txt")) == count
    assert mended.plan().actions == ()
    if mended.paths.fixes_dir.is_dir() and any(mended.paths.fixes_dir.iterdir()):
        assert mended.undo().kept == ()
    assert snapshot(root_dir) == before


def _write(path: Path, kind: str) -> None:
    picture = drawing((24, 16))
    if kind == "turned.jpg":
        picture.save(path, "JPEG", exif=turned(8))
    elif kind == "cmyk.jpg":
        picture.convert("CMYK").save(path, "JPEG")
    elif kind == "clear.png":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
        picture.save(path, "PNG")
    elif kind == "deep.png":
        Image.new("I;16", (9, 9), 4000).save(path, "PNG")
    else:
        picture.save(path, {".tiff": "TIFF", ".bmp": "BMP", ".webp": "WEBP"}.get(Path(kind).suffix, "PNG"))


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no Unicode")
def test_names_of_any_bytes(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    name = os.fsdecode(b"\xff\xe9t\xe9")
    drawing().save(mended.folder / f"{name}.Jpg", "JPEG", exif=turned(6))
    (mended.folder / f"{name}.txt").write_bytes(b"\xef\xbb\xbfa cat")
    before = snapshot(tmp_path)
    mended.fix()
    assert mended.names() == [f"{name}.jpg", f"{name}.txt"]
    assert (mended.folder / f"{name}.txt").read_bytes() == b"a cat"
    mended.undo()
    assert snapshot(tmp_path) == before
