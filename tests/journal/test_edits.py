"""Edits of a file that belong to renames: made and taken back with them, and never over somebody else's."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.errors import ProjectError
from loratpl.journal import Rename, Rewrite, interrupted, recover, refuse_obstacles, rename_all, undo
from tests.given import refusal
from tests.journal.killing import killed_everywhere

posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, or knows permissions")
OLD = '\ufeff{\r\n  "a": "ñ日😀",\r\n  "key": "of an account"\r\n}\r\n'
NEW = '\ufeff{\r\n  "a": "ñ日😀",\r\n  "key": "of an account",\r\n  "weight": 2\r\n}\r\n'


def _journal(root_dir: Path) -> Path:
    return root_dir / ".kohyatpl" / "renames.json"


def _config(root_dir: Path) -> Path:
    return root_dir / "config.json"


def _project(root_dir: Path, config: str | None = OLD) -> Path:
    """Returns a project with two concepts, `a` and `b`, that hold their names."""
    for name in ("a", "b"):
        (root_dir / "image_dir" / name).mkdir(parents=True)
        (root_dir / "image_dir" / name / "was").write_text(name, encoding="utf-8")
    if config is not None:
        _config(root_dir).write_bytes(config.encode())
    return root_dir


def _renames(root_dir: Path) -> list[Rename]:
    folder = root_dir / "image_dir"
    return [Rename(folder / "a", folder / "b"), Rename(folder / "b", folder / "x")]


def _state(root_dir: Path) -> tuple[dict[str, str], bytes | None]:
    folders = {path.name: (path / "was").read_text(encoding="utf-8") for path in (root_dir / "image_dir").iterdir()}
    return folders, _config(root_dir).read_bytes() if _config(root_dir).exists() else None


OLD_NAMES, NEW_NAMES = {"a": "a", "b": "b"}, {"b": "a", "x": "b"}


def test_a_file_is_edited_with_the_renames_and_undone_with_them(odd_path: Path) -> None:
    root = _project(odd_path)
    rename_all(_journal(root), _renames(root), [Rewrite(_config(root), OLD, NEW)])
    assert _state(root) == (NEW_NAMES, NEW.encode())
    undone = undo(_journal(root))
    assert (undone.restored, undone.kept) == ((_config(root),), ())
    assert _state(root) == (OLD_NAMES, OLD.encode())
    assert sorted(path.name for path in root.iterdir()) == [".kohyatpl", "config.json", "image_dir"]


def test_a_file_that_was_not_there_is_made_and_taken_away(tmp_path: Path) -> None:
    root = _project(tmp_path, None)
    rename_all(_journal(root), [], [Rewrite(_config(root), None, NEW)])
    assert _state(root) == (OLD_NAMES, NEW.encode())
    undo(_journal(root))
    assert _state(root) == (OLD_NAMES, None)


def test_the_journal_keeps_no_more_of_a_file_than_what_changed(tmp_path: Path) -> None:
    root = _project(tmp_path)
    rename_all(_journal(root), _renames(root), [Rewrite(_config(root), OLD, NEW)])
    assert "account" not in _journal(root).read_text(encoding="utf-8")
    assert "weight" in _journal(root).read_text(encoding="utf-8")


@posix
def test_permissions_and_links_stay(tmp_path: Path) -> None:
    root = _project(tmp_path, None)
    real = tmp_path / "elsewhere.json"
    real.write_bytes(OLD.encode())
    real.chmod(0o640)
    _config(root).symlink_to(real)
    rename_all(_journal(root), [], [Rewrite(_config(root), OLD, NEW)])
    assert _config(root).is_symlink()
    assert (real.read_bytes(), stat.S_IMODE(real.stat().st_mode)) == (NEW.encode(), 0o640)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
@settings(deadline=None, max_examples=60)
def test_any_rewrite_is_done_and_undone(head: str, old: str, new: str, tail: str) -> None:
    before, after = head + old + tail, head + new + tail
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        _config(root).write_bytes(before.encode())
        rename_all(_journal(root), [], [Rewrite(_config(root), before, after)])
        assert _config(root).read_bytes() == after.encode()
        undo(_journal(root))
        assert _config(root).read_bytes() == before.encode()


def test_a_file_that_was_edited_since_is_left_and_named_when_the_names_are_given_back(odd_path: Path) -> None:
    root = _project(odd_path)
    rename_all(_journal(root), _renames(root), [Rewrite(_config(root), OLD, NEW)])
    mine = NEW.replace("ñ", "m").encode()
    _config(root).write_bytes(mine)
    undone = undo(_journal(root))
    assert (undone.restored, undone.kept) == ((), (_config(root),))
    assert _state(root) == (OLD_NAMES, mine)


def test_a_file_that_was_put_back_already_is_no_trouble(tmp_path: Path) -> None:
    root = _project(tmp_path)
    rename_all(_journal(root), _renames(root), [Rewrite(_config(root), OLD, NEW)])
    _config(root).write_bytes(OLD.encode())
    undone = undo(_journal(root))
    assert (undone.restored, undone.kept) == ((), ())
    assert _state(root) == (OLD_NAMES, OLD.encode())


def test_a_file_that_is_not_as_it_was_read_stops_it_before_anything_is_touched(tmp_path: Path) -> None:
    root = _project(tmp_path, "mine")
    for action in (refuse_obstacles, rename_all):
        with pytest.raises(ProjectError) as caught:
            action(_journal(root), _renames(root), [Rewrite(_config(root), OLD, NEW)])
        refusal(caught.value, ProjectError, "project.rename.changed", "config.json")
    assert _state(root) == (OLD_NAMES, b"mine")
    assert not _journal(root).exists()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="this user may write everywhere")
@pytest.mark.parametrize("place", ["config.json", ".", "image_dir"])
def test_what_may_not_be_written_stops_it_before_anything_is_touched(tmp_path: Path, place: str) -> None:
    root = _project(tmp_path)
    _journal(root).parent.mkdir()
    (root / place).chmod(0o555)
    try:
        with pytest.raises(ProjectError) as caught:
            rename_all(_journal(root), _renames(root), [Rewrite(_config(root), OLD, NEW)])
    finally:
        (root / place).chmod(0o755)
    assert {problem.code for problem in caught.value.problems} == {"project.rename.denied"}
    assert _state(root) == (OLD_NAMES, OLD.encode())
    assert not _journal(root).exists()


@posix
@pytest.mark.parametrize("before", [OLD, None], ids=["edited", "made"])
def test_killed_anywhere_names_and_file_are_both_old_or_both_new(tmp_path: Path, before: str | None) -> None:
    root = _project(tmp_path / "project", before)
    states = ((OLD_NAMES, before and before.encode()), (NEW_NAMES, NEW.encode()))
    mapping = {rename.source.name: rename.target.name for rename in _renames(root)}
    copies = killed_everywhere([root], "rename", mapping, config=NEW)
    assert len(copies) > 12
    became, torn = [], []
    for copy in copies:
        if interrupted(_journal(copy)) is not None:
            torn.append(copy)
        recover(_journal(copy))
        assert interrupted(_journal(copy)) is None
        assert _state(copy) in states
        assert sorted(path.name for path in copy.iterdir() if path.name.startswith(".")) in ([".kohyatpl"], [])
        became.append(_state(copy))
    assert torn
    assert all(state in became for state in states)


@posix
def test_an_undoing_and_its_recovery_killed_anywhere_are_whole_as_well(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    rename_all(_journal(root), _renames(root), [Rewrite(_config(root), OLD, NEW)])
    states = ((OLD_NAMES, OLD.encode()), (NEW_NAMES, NEW.encode()))
    torn = [copy for copy in killed_everywhere([root], "undo") if interrupted(_journal(copy)) is not None]
    assert torn
    for copy in killed_everywhere(torn, "recover"):
        recover(_journal(copy))
        assert _state(copy) in states
        if _state(copy) == states[1]:
            undo(_journal(copy))
        assert _state(copy) == states[0]


def _interrupted(root_dir: Path, *, edited: str) -> None:
    """Leaves a set as a kill after the renames and before the last word in the journal does."""
    rename_all(_journal(root_dir), _renames(root_dir), [Rewrite(_config(root_dir), OLD, NEW)])
    data = json.loads(_journal(root_dir).read_bytes())
    data["active"], data["finished"] = dict(data["finished"], phase="placing"), None
    _journal(root_dir).write_text(json.dumps(data), encoding="utf-8")
    _config(root_dir).write_bytes(edited.encode())


def test_a_recovery_leaves_what_somebody_edited_meanwhile_and_names_it(tmp_path: Path) -> None:
    root = _project(tmp_path)
    _interrupted(root, edited="mine")
    recovery = recover(_journal(root))
    assert recovery is not None
    assert (recovery.is_done, recovery.kept) == (False, (_config(root),))
    assert _state(root) == (OLD_NAMES, b"mine")


def test_renames_without_their_edit_are_taken_back(tmp_path: Path) -> None:
    root = _project(tmp_path)
    _interrupted(root, edited=OLD)
    recovery = recover(_journal(root))
    assert recovery is not None
    assert (recovery.is_done, recovery.kept) == (False, ())
    assert _state(root) == (OLD_NAMES, OLD.encode())


@pytest.mark.parametrize("phase", ["parking", "placing"])
def test_a_journal_of_version_1_is_understood(tmp_path: Path, phase: str) -> None:
    """It parked every folder and edited nothing."""
    root = _project(tmp_path)
    folder = root / "image_dir"
    (folder / "a").rename(folder / ".kohyatpl-0-0")
    moves = [{"source": "image_dir/a", "parked": "image_dir/.kohyatpl-0-0", "target": "image_dir/y"}]
    journal = {"version": 1, "active": {"moves": moves, "is_undo": False, "phase": phase}, "finished": None}
    _journal(root).parent.mkdir()
    _journal(root).write_text(json.dumps(journal), encoding="utf-8")
    assert recover(_journal(root)) is not None
    assert _state(root) == (OLD_NAMES, OLD.encode())


def test_a_finished_set_of_version_1_can_be_undone(tmp_path: Path) -> None:
    root = _project(tmp_path)
    moves = [{"source": "image_dir/old", "parked": "image_dir/.kohyatpl-0-0", "target": "image_dir/a"}]
    journal = {"version": 1, "active": None, "finished": {"moves": moves, "is_undo": False, "phase": "finished"}}
    _journal(root).parent.mkdir()
    _journal(root).write_text(json.dumps(journal), encoding="utf-8")
    undo(_journal(root))
    assert _state(root)[0] == {"old": "a", "b": "b"}
    assert json.loads(_journal(root).read_bytes())["version"] == 2


@posix
def test_one_folder_by_two_paths_is_one_place(tmp_path: Path) -> None:
    root = _project(tmp_path)
    (root / "link").symlink_to(root / "image_dir")
    twice = [
        Rename(root / "image_dir" / "a", root / "image_dir" / "y"),
        Rename(root / "link" / "a", root / "link" / "z"),
    ]
    with pytest.raises(ProjectError) as caught:
        rename_all(_journal(root), twice)
    assert {problem.code for problem in caught.value.problems} == {"project.rename.overlap"}
    swapped = [Rename(root / "image_dir" / "a", root / "link" / "b"), Rename(root / "link" / "b", root / "link" / "a")]
    rename_all(_journal(root), swapped)
    assert _state(root)[0] == {"a": "b", "b": "a"}
