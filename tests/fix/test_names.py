"""Names: free on every disk, with the caption that the picture had, and never over anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loratpl.fix.names import FolderNames
from tests.fix.mended import Mended, drawing, turned


@pytest.fixture
def mended(tmp_path: Path) -> Mended:
    return Mended(tmp_path)


def _captions(mended: Mended) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(mended.folder.glob("*.txt"))}


def test_both_of_a_pair_keep_their_caption(mended: Mended) -> None:
    drawing().save(mended.folder / "a.jpg")
    drawing((40, 40)).save(mended.folder / "a.png")
    drawing((30, 30)).save(mended.folder / "a.webp", lossless=True)
    (mended.folder / "a.txt").write_text("a cat", encoding="utf-8")
    (mended.folder / "a_0080x0060_sd.npz").write_bytes(b"of one of them")
    mended.fix()
    assert mended.names() == ["a-2.png", "a-2.txt", "a-3.txt", "a-3.webp", "a.jpg", "a.txt"]
    assert set(_captions(mended).values()) == {"a cat"}


def test_no_name_is_taken_that_anything_else_has_or_begins_with(mended: Mended) -> None:
    drawing().save(mended.folder / "a.jpg")
    drawing().save(mended.folder / "a.png")
    (mended.folder / "A-2.txt").write_text("of a picture that is gone", encoding="utf-8")
    (mended.folder / "a-3_0080x0060_sdxl.npz").write_bytes(b"would be taken for its cache")
    mended.fix()
    assert "a-4.png" in mended.names()


def test_a_name_that_is_taken_is_never_written_over(mended: Mended) -> None:
    drawing().save(mended.folder / "a.jpg")
    drawing((40, 40)).save(mended.folder / "a.Jpg", "JPEG")
    (mended.folder / "a.txt").write_text("a cat", encoding="utf-8")
    (mended.folder / "b.jpg").mkdir()
    drawing((30, 30)).save(mended.folder / "b.Jpg", "JPEG")
    (mended.folder / "b.txt").write_text("a dog", encoding="utf-8")
    mended.fix()
    assert _captions(mended) == {"a-2.txt": "a cat", "a.txt": "a cat", "b-2.txt": "a dog", "b.txt": "a dog"}
    assert {"a.jpg", "a-2.jpg", "b.jpg", "b-2.jpg"} <= set(mended.names())
    assert (mended.folder / "b.jpg").is_dir()


def test_two_that_swap_what_they_are(mended: Mended) -> None:
    drawing().save(mended.folder / "a.png", "JPEG")
    drawing((40, 40)).save(mended.folder / "b.jpg", "PNG")
    drawing((20, 20)).save(mended.folder / "a.JPG", "PNG")
    mended.fix()
    assert mended.names() == ["a-2.png", "a-3.jpg", "b.png"]
    assert mended.plan().actions == ()


def test_what_a_picture_was_made_from_is_left(mended: Mended) -> None:
    drawing().save(mended.folder / "a.png")
    drawing().save(mended.folder / "a.tiff")
    plan = mended.plan()
    assert plan.actions == ()
    assert [item.text for item in plan.left] == [
        "image_dir/10_ohwx cat/a.tiff: left, since a.png seems to have been made from it"
    ]


def test_caches_go_with_what_they_were_of(tmp_path: Path) -> None:
    mended = Mended(tmp_path, {"cache_latents_to_disk": True, "cache_latents": True})
    drawing().save(mended.folder / "1.jpg", exif=turned(6))
    drawing().save(mended.folder / "10.jpg")
    (mended.folder / "1.txt").write_bytes(b"\xef\xbb\xbfa cat")
    gone = ["1_0080x0060_sd.npz", "1_0080x0060_flux.npz", "1.npz", "1_te_outputs.npz", "10_0081x0060_sd.npz",
            "10_0080x0060_sd.npz", "metadata_cache.json"]  # fmt: skip
    for name in (*gone, "10_te_outputs.npz", "11_0080x0060_sd.npz"):
        (mended.folder / name).write_bytes(b"no archive")
    mended.fix()
    assert mended.names() == ["1.jpg", "1.txt", "10.jpg", "10_te_outputs.npz", "11_0080x0060_sd.npz"]


def test_names_too_long_to_be_given_another(mended: Mended) -> None:
    stem = "x" * 250
    drawing().save(mended.folder / f"{stem}.jpg")
    drawing().save(mended.folder / f"{stem}.png")
    plan = mended.plan()
    assert plan.actions == ()
    assert "too long" in plan.left[0].text
    json.dumps(plan.as_json(mended.paths.root_dir))


def test_free_names() -> None:
    names = FolderNames(["A.png", "ä.txt", "b-2_sd.npz"])
    assert not names.is_free("a.PNG", "c.png")
    assert names.is_free("a.PNG", "A.png")
    assert not names.is_free("a\u0308.txt", "c.txt")
    assert names.new_stem("b") == "b-3"
