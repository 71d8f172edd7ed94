"""What must never happen: a file lost, one changed outside of the dataset, half a mending that nobody can undo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loratpl.fix import interrupted_fix
from tests.fix.mended import CONCEPT, Mended, drawing, snapshot, turned

NOT_ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do everything")

LIMITED = """
import resource, sys
from pathlib import Path
from loratpl.errors import ProjectError
from tests.fix.mended import Mended
mended = Mended(Path(sys.argv[1]))
plan = mended.plan()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    mended.fix()
except ProjectError as error:
    (problem,) = error.problems
    print(problem.code, problem.message, problem.fix, sep="|")
"""


def test_a_linked_picture_is_replaced_and_what_it_links_to_is_not(tmp_path: Path) -> None:
    mended = Mended(tmp_path / "project")
    elsewhere = tmp_path / "holiday.jpg"
    drawing().save(elsewhere, exif=turned(6))
    caption = tmp_path / "holiday.txt"
    caption.write_bytes(b"\xef\xbb\xbfa beach")
    (mended.folder / "1.jpg").symlink_to(elsewhere)
    (mended.folder / "1.txt").symlink_to(Path("..") / ".." / ".." / "holiday.txt")
    before = snapshot(tmp_path)
    mended.fix()
    assert not (mended.folder / "1.jpg").is_symlink()
    assert (mended.folder / "1.txt").read_bytes() == b"a beach"
    now = snapshot(tmp_path)
    assert {name: now[name] for name in ("holiday.jpg", "holiday.txt")} == {
        name: before[name] for name in ("holiday.jpg", "holiday.txt")
    }
    mended.undo()
    assert snapshot(tmp_path) == before


def test_a_second_name_of_a_picture_keeps_its_content(tmp_path: Path) -> None:
    mended = Mended(tmp_path / "project")
    original = tmp_path / "original.jpg"
    drawing().save(original, exif=turned(6))
    os.link(original, mended.folder / "1.jpg")
    before = snapshot(tmp_path)
    mended.fix()
    assert snapshot(tmp_path)["original.jpg"] == before["original.jpg"]
    with (mended.folder / "1.jpg").open("r+b") as file:  # edited in place: what is kept is another file
        file.write(b"x")
    assert mended.undo().kept
    (mended.folder / "1.jpg").unlink()
    assert mended.undo().kept == ()
    assert snapshot(tmp_path) == before
    assert (mended.folder / "1.jpg").samefile(original)


def test_linked_folders_outside_of_the_project_are_left(tmp_path: Path) -> None:
    mended = Mended(tmp_path / "project")
    outside = tmp_path / "5_ohwx dog"
    outside.mkdir()
    drawing().save(outside / "1.jpg", exif=turned(6))
    (mended.paths.image_dir / "5_ohwx dog").symlink_to(outside)
    plan = mended.plan()
    assert plan.actions == ()
    assert [item.text for item in plan.left] == [
        "image_dir/5_ohwx dog is a link to a folder outside of the project; nothing is changed there."
    ]


def test_pictures_that_the_config_has_elsewhere(odd_path: Path) -> None:
    pictures = odd_path / "pictures"
    (pictures / CONCEPT).mkdir(parents=True)
    drawing().save(pictures / CONCEPT / "1.Jpg", "JPEG", exif=turned(6))
    mended = Mended(odd_path / "project", {"train_data_dir": str(pictures)})
    before = snapshot(odd_path)
    assert mended.fix().left == ()
    assert (pictures / CONCEPT / "1.jpg").is_file()
    assert mended.undo().kept == ()
    assert snapshot(odd_path) == before


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_a_full_disk_stops_and_loses_nothing(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    for number in range(8):
        drawing().save(mended.folder / f"small {number}.jpg", exif=turned(6))
    drawing((1500, 1500)).resize((1500, 1500)).save(mended.folder / "large.png", exif=turned(6), compress_level=9)
    before = {name: value for name, value in snapshot(tmp_path).items() if "image_dir" in name}
    limit = (mended.folder / "large.png").stat().st_size // 2
    command = [sys.executable, "-c", LIMITED, str(tmp_path), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, message, fix = done.stdout.strip().split("|")
    assert code == "project.fix.failed"
    assert "everything else is as it was" in message
    assert "--undo-fix" in fix
    assert not any(name.startswith(".") for name in mended.names())
    if list(mended.paths.fixes_dir.iterdir()):
        assert interrupted_fix(mended.paths) is not None
        assert mended.undo().kept == ()
    now = {name: value for name, value in snapshot(tmp_path).items() if "image_dir" in name}
    assert now == before
    mended.fix()  # with room enough it goes on
    assert mended.plan().actions == ()


def test_a_file_that_may_only_be_read_is_mended_and_stays_so(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    drawing().save(mended.folder / "1.jpg", exif=turned(6))
    (mended.folder / "1.jpg").chmod(0o444)
    before = snapshot(tmp_path)
    mended.fix()
    assert (mended.folder / "1.jpg").stat().st_mode & 0o777 == 0o444
    mended.undo()
    assert snapshot(tmp_path) == before


@NOT_ROOT
def test_a_folder_that_may_not_be_written_is_left(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    drawing().save(mended.folder / "1.jpg", exif=turned(6))
    mended.folder.chmod(0o555)
    try:
        result = mended.fix()
    finally:
        mended.folder.chmod(0o755)
    assert result.done == ()
    assert "Permission denied" in result.left[0].text


def test_progress_is_told(tmp_path: Path) -> None:
    from loratpl.fix import apply_fixes, fixing

    mended = Mended(tmp_path)
    for number in range(5):
        drawing().save(mended.folder / f"{number}.jpg", exif=turned(6))
    told: list[tuple[int, int]] = []
    with fixing(mended.paths):
        apply_fixes(mended.paths, mended.plan(), lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]
