"""Undoing: exact, and never over what somebody else has done since."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.errors import BusyError, ProjectError
from loratpl.fix import apply_fixes, fixing, interrupted_fix
from loratpl.project import locked
from tests.fix.mended import Mended, drawing, snapshot, turned, write_ailing
from tests.given import refusal


@pytest.fixture
def mended(tmp_path: Path) -> Mended:
    found = Mended(tmp_path / "project")
    write_ailing(found.folder)
    return found


def test_nothing_to_undo(mended: Mended) -> None:
    with pytest.raises(ProjectError) as error:
        mended.undo()
    refusal(error.value, ProjectError, "project.fix.none")


def test_what_was_changed_since_is_kept_as_a_whole(mended: Mended) -> None:
    before = snapshot(mended.paths.root_dir)
    mended.fix()
    (mended.folder / "twin-2.txt").write_text("another caption", encoding="utf-8")
    (mended.folder / "clear.png").write_bytes(b"painted over")
    undone = mended.undo()
    folder = "image_dir/10_ohwx cat"
    assert sorted(item.text for item in undone.kept) == [
        f"{folder}/clear.png: it was changed since",
        f"{folder}/twin-2.txt: it was changed since",
    ]
    now = snapshot(mended.paths.root_dir)
    others = {name for name in before if "twin" not in name and "clear" not in name}
    assert {name: now[name] for name in others} == {name: before[name] for name in others}
    assert (mended.folder / "clear.png").read_bytes() == b"painted over"
    assert (mended.folder / "twin-2.png").is_file()
    (mended.folder / "clear.png").unlink()  # what is gone is put back
    (mended.folder / "twin-2.txt").write_text("both of them\n", encoding="utf-8")
    assert mended.undo().kept == ()
    assert snapshot(mended.paths.root_dir) == before


def test_a_run_of_which_nothing_can_be_put_back_is_passed_over(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    drawing().save(mended.folder / "1.jpg", exif=turned(6))
    content = (mended.folder / "1.jpg").read_bytes()
    mended.fix()
    drawing().save(mended.folder / "2.jpg", exif=turned(6))
    mended.fix()
    (mended.folder / "2.jpg").write_bytes(b"another picture")
    undone = mended.undo()
    assert (undone.run, len(undone.restored), len(undone.kept)) == ("0001", 1, 1)
    assert (mended.folder / "1.jpg").read_bytes() == content


def test_a_taken_name_is_not_written_over(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    drawing().save(mended.folder / "1.Jpg", "JPEG")
    mended.fix()
    (mended.folder / "1.Jpg").write_bytes(b"somebody else's")
    undone = mended.undo()
    assert [item.text for item in undone.kept] == ["image_dir/10_ohwx cat/1.jpg: something of its old name is there"]
    assert (mended.folder / "1.Jpg").read_bytes() == b"somebody else's"


def test_folders_that_were_balanced_since_are_found(mended: Mended) -> None:
    before = {Path(name).name: value for name, value in snapshot(mended.folder).items()}
    mended.fix()
    renamed = mended.folder.rename(mended.folder.with_name("37_ohwx cat"))
    assert mended.undo().kept == ()
    assert {Path(name).name: value for name, value in snapshot(renamed).items()} == before


def test_a_project_that_was_moved(mended: Mended, tmp_path: Path) -> None:
    before = snapshot(mended.paths.root_dir)
    mended.fix()
    moved = mended.paths.root_dir.rename(tmp_path / "elsewhere")
    config_times = {name: value for name, value in before.items() if name.startswith("image_dir")}
    assert Mended(moved).undo().kept == ()
    now = {name: value for name, value in snapshot(moved).items() if name.startswith("image_dir")}
    assert now == config_times


def test_caches_made_since_of_mended_pictures_go(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    drawing().save(mended.folder / "1.jpg", exif=turned(6))
    mended.fix()
    (mended.folder / "1_0060x0080_sd.npz").write_bytes(b"of the picture as it stands upright")
    assert mended.undo().kept == ()
    assert mended.names() == ["1.jpg"]


def test_one_at_a_time(mended: Mended) -> None:
    with locked(mended.paths), pytest.raises(BusyError) as error, fixing(mended.paths):
        pass
    refusal(error.value, BusyError, "run.busy")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"header": {"version": 99, "token": "a", "folders": {}}}\n', "project.fix.newer"),
        (b"[]\n", "project.fix.damaged"),
    ],
)
def test_logs_that_cannot_be_read(mended: Mended, content: bytes, code: str) -> None:
    mended.fix()
    (mended.paths.fixes_dir / "0001.jsonl").write_bytes(content)
    with pytest.raises(ProjectError) as error, fixing(mended.paths):
        pass
    refusal(error.value, ProjectError, code)
    with pytest.raises(ProjectError):
        interrupted_fix(mended.paths)


def test_what_somebody_changes_between_plan_and_deed_is_left(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    drawing().save(mended.folder / "1.jpg", exif=turned(6))
    plan = mended.plan()
    (mended.folder / "1.jpg").unlink()
    with fixing(mended.paths):
        result = apply_fixes(mended.paths, plan)
    assert (result.run, result.done) == ("", ())
    assert [item.text for item in result.left] == ["image_dir/10_ohwx cat/1.jpg: left, it is gone"]
    assert list(mended.paths.fixes_dir.iterdir()) == []
