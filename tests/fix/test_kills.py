"""Killed at any moment: each file is old or new, nothing is lost, and everything can be put back."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loratpl.fix import fixing, interrupted_fix
from tests.fix.killing import killed_everywhere
from tests.fix.mended import Mended, Snapshot, drawing, snapshot, turned, write_few

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills a fork of itself")

MENDING = """
import sys
from pathlib import Path
from tests.fix.mended import Mended
mended = Mended(Path(sys.argv[1]))
print("begins", flush=True)
getattr(mended, sys.argv[2])()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    mended = Mended(tmp_path / "project")
    write_few(mended.folder)
    return mended.paths.root_dir


def _pictures(found: Snapshot) -> Snapshot:
    """Returns what lies in the folders of pictures; the config's own times do not matter."""
    return {name: value for name, value in found.items() if name.startswith("image_dir")}


def _contents(found: Snapshot) -> set[object]:
    return {value[0] for value in found.values()}


def _is_whole(copy: Path, before: Snapshot, after: Snapshot) -> None:
    """Each file is as it was or as it will be, before anything is put in order."""
    allowed = {(name, value[0]) for found in (before, after) for name, value in _pictures(found).items()}
    found = _pictures(snapshot(copy))
    assert {(name, value[0]) for name, value in found.items() if "/.kohyatpl-" not in name} <= allowed
    everything = _contents(found) | _contents(_hidden(copy))
    assert _contents(_pictures(before)) <= everything


def _hidden(copy: Path) -> Snapshot:
    """Returns what is kept of a project, whatever it is called there."""
    return snapshot(copy / ".kohyatpl") if (copy / ".kohyatpl").is_dir() else {}


def _undo_all(copy: Path) -> None:
    mended = Mended(copy)
    with fixing(mended.paths):
        assert interrupted_fix(mended.paths) is None
    while any(mended.paths.fixes_dir.glob("*")):
        assert mended.undo().kept == ()
    with fixing(mended.paths):
        assert not any(mended.paths.originals_dir.glob("*"))


def test_a_killed_mending_is_undone_whole(project: Path) -> None:
    before = snapshot(project)
    done = project.parent / "done"
    shutil.copytree(project, done, symlinks=True)
    assert Mended(done).fix(workers=1).left == ()
    after = snapshot(done)
    copies = killed_everywhere([project], "fix")
    assert len(copies) > 40
    for copy in copies:
        _is_whole(copy, before, after)
        _undo_all(copy)
        assert _pictures(snapshot(copy)) == _pictures(before)


def test_a_killed_mending_goes_on(project: Path) -> None:
    done = project.parent / "done"
    shutil.copytree(project, done, symlinks=True)
    Mended(done).fix(workers=1)
    expected = _contents(_pictures(snapshot(done)))
    for copy in killed_everywhere([project], "fix", step=3):
        mended = Mended(copy)
        mended.fix()
        assert mended.plan().actions == ()
        assert _contents(_pictures(snapshot(copy))) == expected


def test_a_killed_undoing_is_brought_to_its_end(project: Path) -> None:
    before = snapshot(project)
    assert Mended(project).fix().left == ()
    copies = killed_everywhere([project], "undo")
    assert len(copies) > 15
    for copy in copies:
        _undo_all(copy)
        assert _pictures(snapshot(copy)) == _pictures(before)


def test_a_killed_settling_is_brought_to_its_end(project: Path) -> None:
    before = snapshot(project)
    interrupted = [c for c in killed_everywhere([project], "fix", step=7) if interrupted_fix(Mended(c).paths)]
    assert interrupted
    for copy in killed_everywhere(interrupted[-3:], "settle"):
        _undo_all(copy)
        assert _pictures(snapshot(copy)) == _pictures(before)


def test_killed_at_a_random_moment_with_all_threads(tmp_path: Path) -> None:
    project = tmp_path / "project"
    mended = Mended(project)
    for number in range(150):
        drawing((300, 200)).save(mended.folder / f"{number}.jpg", exif=turned(6))
        (mended.folder / f"{number}.TXT").write_bytes(b"\xef\xbb\xbfa cat")
    before = snapshot(project)
    numbers = random.Random(7)
    kills = 0
    for round_number in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", MENDING, str(project), "undo" if round_number % 3 == 2 else "fix"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(numbers.uniform(0.05, 0.6))
        child.send_signal(signal.SIGKILL)
        kills += child.wait() == -signal.SIGKILL
        child.stdout.close()
    assert kills
    _undo_all(project)
    assert _pictures(snapshot(project)) == _pictures(before)
    assert not any(name.startswith(".kohyatpl") for name in mended.names())
