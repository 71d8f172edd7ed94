"""Sets of renames: whole, rolled back or undone, whatever the names and whenever the process dies."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.errors import ProjectError
from loratpl.journal import Recovery, Rename, interrupted, recover, rename_all, undo
from tests.given import refusal
from tests.journal.killing import killed_everywhere

posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, or takes write permission from a folder")
needs_permissions = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="this user may write everywhere"
)
NAMES = ("a", "b", "c", "d", "e", "f")


def _journal(root_dir: Path) -> Path:
    return root_dir / ".kohyatpl" / "renames.json"


def _make(folder: Path, names: Iterable[str]) -> None:
    """Makes folders that hold the name they had at first."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "was").write_bytes(os.fsencode(name))


def _state(folder: Path) -> dict[str, str]:
    """Returns what each folder was called at first."""
    return {path.name: os.fsdecode((path / "was").read_bytes()) for path in folder.iterdir()}


def _renames(folder: Path, mapping: Mapping[str, str]) -> list[Rename]:
    return [Rename(folder / source, folder / target) for source, target in mapping.items()]


def _old_and_new(names: Iterable[str], mapping: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    return {name: name for name in names}, {mapping.get(name, name): name for name in names}


@st.composite
def _sets(draw: st.DrawFn) -> tuple[tuple[str, ...], dict[str, str]]:
    """Folders, and renames among their names and free ones: any mix of chains, cycles and single renames."""
    names = tuple(draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1)))
    sources = draw(st.lists(st.sampled_from(names), unique=True))
    kept = set(names).difference(sources)
    free = sorted((set(NAMES) | {"x", "y", "z"}) - kept)
    targets = draw(st.lists(st.sampled_from(free), unique=True, min_size=len(sources), max_size=len(sources)))
    return names, {source: target for source, target in zip(sources, targets, strict=True) if source != target}


@given(_sets())
@settings(deadline=None, max_examples=60)
def test_any_set_is_done_and_undone(case: tuple[tuple[str, ...], dict[str, str]]) -> None:
    names, mapping = case
    old, new = _old_and_new(names, mapping)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text) / "image_dir"
        _make(folder, names)
        rename_all(_journal(Path(text)), _renames(folder, mapping))
        assert _state(folder) == new
        assert interrupted(_journal(Path(text))) is None
        assert recover(_journal(Path(text))) is None
        if mapping:
            reversed_ = undo(_journal(Path(text))).renames
            assert {item.source.name: item.target.name for item in reversed_} == {v: k for k, v in mapping.items()}
        assert _state(folder) == old


@pytest.mark.parametrize(
    "mapping", [{"1_a": "2_a"}, {"a": "b", "b": "c"}, {"b": "c", "a": "b"}, {"a": "b", "b": "a"}, {"Cat": "cat"}]
)
def test_names_may_collide_on_the_way(odd_path: Path, mapping: dict[str, str]) -> None:
    folder = odd_path / "image_dir"
    _make(folder, mapping)
    rename_all(_journal(odd_path), _renames(folder, mapping))
    assert _state(folder) == _old_and_new(mapping, mapping)[1]
    undo(_journal(odd_path))
    assert _state(folder) == _old_and_new(mapping, mapping)[0]


@posix
def test_names_that_are_no_unicode_are_renamed_as_well(tmp_path: Path) -> None:
    name = os.fsdecode(b"1_caf\xe9")
    folder = tmp_path / "image_dir"
    _make(folder, [name])
    rename_all(_journal(tmp_path), _renames(folder, {name: f"2{name[1:]}"}))
    assert list(_state(folder)) == [f"2{name[1:]}"]
    undo(_journal(tmp_path))
    assert list(_state(folder)) == [name]


@posix
def test_a_link_to_a_folder_is_renamed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    _make(tmp_path / "pictures", ["cats"])
    (tmp_path / "image_dir").mkdir()
    (tmp_path / "image_dir" / "1_cat").symlink_to(tmp_path / "pictures" / "cats")
    rename_all(_journal(tmp_path), _renames(tmp_path / "image_dir", {"1_cat": "2_cat"}))
    assert (tmp_path / "image_dir" / "2_cat").is_symlink()
    assert _state(tmp_path / "pictures") == {"cats": "cats"}


def test_a_project_may_be_moved_before_the_renames_are_undone(tmp_path: Path) -> None:
    folder = tmp_path / "before" / "image_dir"
    _make(folder, ["1_a"])
    rename_all(_journal(tmp_path / "before"), _renames(folder, {"1_a": "2_a"}))
    (tmp_path / "before").rename(tmp_path / "after")
    undo(_journal(tmp_path / "after"))
    assert list(_state(tmp_path / "after" / "image_dir")) == ["1_a"]


def test_folders_outside_the_project_are_renamed_and_undone(tmp_path: Path) -> None:
    _make(tmp_path / "elsewhere", ["1_a"])
    journal = _journal(tmp_path / "project")
    rename_all(journal, _renames(tmp_path / "elsewhere", {"1_a": "2_a"}))
    undo(journal)
    assert list(_state(tmp_path / "elsewhere")) == ["1_a"]


def test_a_set_without_renames_leaves_the_last_one_to_be_undone(tmp_path: Path) -> None:
    _make(tmp_path / "image_dir", ["a"])
    rename_all(_journal(tmp_path), _renames(tmp_path / "image_dir", {"a": "b"}))
    rename_all(_journal(tmp_path), [])
    undo(_journal(tmp_path))
    assert list(_state(tmp_path / "image_dir")) == ["a"]


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "code", "named"),
    [
        ([("a", "b")], "project.rename.exists", "image_dir/b"),
        ([("a", "x"), ("b", "c")], "project.rename.exists", "image_dir/c"),
        ([("nobody", "x"), ("a", "y")], "project.rename.missing", "image_dir/nobody"),
        ([("a", "x"), ("b", "x")], "project.rename.overlap", "image_dir/x"),
        ([("a", "x"), ("a", "y")], "project.rename.overlap", "image_dir/a"),
        ([("a", "x"), ("a/inner", "y")], "project.rename.overlap", "image_dir/a/inner"),
        ([("a", "a/deeper")], "project.rename.overlap", "image_dir/a"),
    ],
)
def test_a_set_that_cannot_be_done_is_refused_before_anything_is_renamed(
    odd_path: Path, pairs: list[tuple[str, str]], code: str, named: str
) -> None:
    folder = odd_path / "image_dir"
    _make(folder, ["a", "b", "c"])
    _make(folder / "a", ["inner"])
    with pytest.raises(ProjectError) as caught:
        rename_all(_journal(odd_path), [Rename(folder / source, folder / target) for source, target in pairs])
    assert {problem.code for problem in caught.value.problems} == {code}
    assert named in {problem.where for problem in caught.value.problems}
    assert all(problem.where in problem.message for problem in caught.value.problems)
    assert _state(folder) == {"a": "a", "b": "b", "c": "c"}
    assert not _journal(odd_path).exists()


def test_every_obstacle_is_named_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir"
    _make(folder, ["a", "b", "c", "d"])
    with pytest.raises(ProjectError) as caught:
        rename_all(_journal(tmp_path), _renames(folder, {"a": "b", "c": "d", "nobody": "x"}))
    assert [problem.where for problem in caught.value.problems] == ["image_dir/b", "image_dir/d", "image_dir/nobody"]


def test_there_is_nothing_to_undo_at_first(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        undo(_journal(tmp_path))
    refusal(caught.value, ProjectError, "project.rename.none", "nothing to undo")


def test_a_set_is_undone_once(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir"
    _make(folder, ["a"])
    rename_all(_journal(tmp_path), _renames(folder, {"a": "b"}))
    undo(_journal(tmp_path))
    with pytest.raises(ProjectError) as caught:
        undo(_journal(tmp_path))
    refusal(caught.value, ProjectError, "project.rename.undone", "undone already")
    assert _state(folder) == {"a": "a"}


@pytest.mark.parametrize(("change", "code"), [("gone", "missing"), ("taken", "exists")])
def test_folders_that_were_changed_since_are_not_touched_by_undoing(odd_path: Path, change: str, code: str) -> None:
    folder = odd_path / "image_dir"
    _make(folder, ["a", "b"])
    rename_all(_journal(odd_path), _renames(folder, {"a": "x", "b": "y"}))
    if change == "gone":
        (folder / "x").rename(folder / "mine")
    else:
        _make(folder, ["a"])
    before = _state(folder)
    with pytest.raises(ProjectError) as caught:
        undo(_journal(odd_path))
    problem = refusal(
        caught.value, ProjectError, f"project.rename.{code}", "image_dir/x" if change == "gone" else "image_dir/a"
    )
    assert "changed" in problem.fix
    assert _state(folder) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": "one"}', '{"version": 1, "active": 5}', "\xff"])
def test_a_journal_that_cannot_be_read_is_named_and_left(tmp_path: Path, text: str) -> None:
    journal = _journal(tmp_path)
    journal.parent.mkdir()
    journal.write_text(text, encoding="latin-1")
    for action in (recover, undo, interrupted, lambda path: rename_all(path, [])):
        with pytest.raises(ProjectError) as caught:
            action(journal)
        refusal(caught.value, ProjectError, "project.journal.damaged", ".kohyatpl/renames.json")
    assert journal.read_text(encoding="latin-1") == text


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    journal.parent.mkdir()
    journal.write_text('{"version": 3, "more": []}', encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        recover(journal)
    refusal(caught.value, ProjectError, "project.journal.newer", "newer version", "pip install --upgrade")


# --- what fails midway ----------------------------------------------------------------------------------------------


def test_a_rename_that_fails_takes_the_others_back(odd_path: Path) -> None:
    folder = odd_path / "image_dir"
    _make(folder, ["a", "b", "c"])
    renames = [*_renames(folder, {"a": "b", "b": "a"}), Rename(folder / "c", odd_path / "no such folder" / "c")]
    with pytest.raises(ProjectError) as caught:
        rename_all(_journal(odd_path), renames)
    refusal(caught.value, ProjectError, "project.rename.failed", "No such file", "has the name that it had before")
    assert _state(folder) == {"a": "a", "b": "b", "c": "c"}
    assert recover(_journal(odd_path)) is None


def test_a_failed_set_leaves_the_one_before_it_to_be_undone(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir"
    _make(folder, ["a"])
    rename_all(_journal(tmp_path), _renames(folder, {"a": "b"}))
    with pytest.raises(ProjectError):
        rename_all(_journal(tmp_path), [Rename(folder / "b", tmp_path / "nowhere" / "b")])
    undo(_journal(tmp_path))
    assert _state(folder) == {"a": "a"}


@needs_permissions
def test_a_folder_that_may_not_be_written_takes_everything_back(tmp_path: Path) -> None:
    _make(tmp_path / "image_dir", ["a"])
    _make(tmp_path / "reg_dir", ["a"])
    (tmp_path / "reg_dir").chmod(0o555)
    try:
        with pytest.raises(ProjectError) as caught:
            rename_all(
                _journal(tmp_path),
                [Rename(tmp_path / parent / "a", tmp_path / parent / "b") for parent in ("image_dir", "reg_dir")],
            )
    finally:
        (tmp_path / "reg_dir").chmod(0o755)
    refusal(caught.value, ProjectError, "project.rename.failed", "reg_dir/a", "Permission denied")
    assert _state(tmp_path / "image_dir") == _state(tmp_path / "reg_dir") == {"a": "a"}


def test_a_journal_that_cannot_be_written_means_that_nothing_is_renamed(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir"
    _make(folder, ["a"])
    (tmp_path / ".kohyatpl").write_text("", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        rename_all(_journal(tmp_path), _renames(folder, {"a": "b"}))
    assert caught.value.problems[0].where.startswith(".kohyatpl")
    assert _state(folder) == {"a": "a"}


# --- killed at any moment -------------------------------------------------------------------------------------------

CASES: list[dict[str, str]] = [{"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "x"}]


def _is_settled(root_dir: Path) -> bool:
    return interrupted(_journal(root_dir)) is None


@posix
@pytest.mark.parametrize("mapping", CASES, ids=str)
def test_a_rename_killed_anywhere_is_recovered_whole(tmp_path: Path, mapping: dict[str, str]) -> None:
    root = tmp_path / "project"
    _make(root / "image_dir", mapping)
    old, new = _old_and_new(mapping, mapping)
    became = []
    copies = killed_everywhere([root], "rename", mapping)
    assert len(copies) > 2 * len(mapping) + 3
    for copy in copies:
        torn = _state(copy / "image_dir") not in (old, new)
        assert not (torn and _is_settled(copy))
        recovery = recover(_journal(copy))
        assert recovery is None or not recovery.is_undo
        if recovery is not None:
            assert _state(copy / "image_dir") == (new if recovery.is_done else old)
        assert _is_settled(copy)
        became.append(_state(copy / "image_dir"))
    assert old in became
    assert new in became
    assert all(state in (old, new) for state in became)


@posix
@pytest.mark.parametrize("mapping", CASES, ids=str)
def test_a_recovery_killed_anywhere_is_recovered_in_turn(tmp_path: Path, mapping: dict[str, str]) -> None:
    root = tmp_path / "project"
    _make(root / "image_dir", mapping)
    old, new = _old_and_new(mapping, mapping)
    interrupted_copies = [copy for copy in killed_everywhere([root], "rename", mapping) if not _is_settled(copy)]
    assert interrupted_copies
    for second in killed_everywhere(interrupted_copies, "recover"):
        recover(_journal(second))
        assert _state(second / "image_dir") in (old, new)
        assert _is_settled(second)


@posix
def test_an_undoing_killed_anywhere_is_recovered_whole_and_can_be_done_again(tmp_path: Path) -> None:
    root, mapping = tmp_path / "project", {"a": "b", "b": "a", "c": "x"}
    _make(root / "image_dir", mapping)
    old, new = _old_and_new(mapping, mapping)
    rename_all(_journal(root), _renames(root / "image_dir", mapping))
    for copy in killed_everywhere([root], "undo"):
        recovery = recover(_journal(copy))
        assert recovery is None or recovery.is_undo
        if _state(copy / "image_dir") == new:
            undo(_journal(copy))
        assert _state(copy / "image_dir") == old


# A child that swaps and shifts thousands of names over and over, until it is killed.
_BUSY = """
import sys
from pathlib import Path
from loratpl.journal import Rename, rename_all, undo
root = Path(sys.argv[1])
folder, journal = root / "image_dir", root / ".kohyatpl" / "renames.json"
names = sorted(path.name for path in folder.iterdir())
renames = [Rename(folder / a, folder / b) for a, b in zip(names, [*names[1:], names[0]])]
print("go", flush=True)
while True:
    rename_all(journal, renames)
    undo(journal)
"""


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_process_leaves_all_old_or_all_new_names(tmp_path: Path, seed: int) -> None:
    names = [f"{number:04}" for number in range(2000)]
    folder = tmp_path / "image_dir"
    _make(folder, names)
    new = dict(zip([*names[1:], names[0]], names, strict=True))
    with subprocess.Popen([sys.executable, "-c", _BUSY, tmp_path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        time.sleep(random.Random(seed).uniform(0, 0.4))
        child.kill()
    recover(_journal(tmp_path))
    assert _state(folder) in ({name: name for name in names}, new)
    assert _is_settled(tmp_path)


@posix
@pytest.mark.parametrize("seed", range(4))
def test_ctrl_c_is_obeyed_once_the_names_are_in_order(tmp_path: Path, seed: int) -> None:
    names = [f"{number:04}" for number in range(500)]
    folder = tmp_path / "image_dir"
    _make(folder, names)
    new = dict(zip([*names[1:], names[0]], names, strict=True))
    command = [sys.executable, "-c", _BUSY, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        time.sleep(random.Random(seed).uniform(0, 0.2))
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=60)
    assert "KeyboardInterrupt" in stderr
    assert _state(folder) in ({name: name for name in names}, new)
    assert _is_settled(tmp_path)


def _interrupt(root_dir: Path, mapping: Mapping[str, str], *, phase: str, parked: Iterable[str]) -> None:
    """Leaves a set as a kill in that phase does, with these folders parked."""
    moves = []
    for number, (source, target) in enumerate(mapping.items()):
        place = f"image_dir/.kohyatpl-0-{number}"
        moves.append({"source": f"image_dir/{source}", "parked": place, "target": f"image_dir/{target}"})
        at = source if phase == "parking" else target
        if source in parked:
            (root_dir / "image_dir" / at).rename(root_dir / place)
    active: dict[str, Any] = {"moves": moves, "is_undo": False, "phase": phase}
    _journal(root_dir).parent.mkdir()
    _journal(root_dir).write_text(json.dumps({"version": 1, "active": active, "finished": None}), encoding="utf-8")


def test_recovery_says_what_became_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir"
    _make(folder, ["a", "b"])
    _interrupt(tmp_path, {"a": "x", "b": "y"}, phase="parking", parked=["a"])
    assert recover(_journal(tmp_path)) == Recovery(tuple(_renames(folder, {"a": "x", "b": "y"})), False, False)
    assert _state(folder) == {"a": "a", "b": "b"}
    assert recover(_journal(tmp_path)) is None


def test_an_interrupted_set_must_be_recovered_first(tmp_path: Path) -> None:
    _make(tmp_path / "image_dir", ["a", "b"])
    _interrupt(tmp_path, {"a": "x"}, phase="parking", parked=["a"])
    for action in (undo, lambda path: rename_all(path, [])):
        with pytest.raises(ProjectError) as caught:
            action(_journal(tmp_path))
        refusal(caught.value, ProjectError, "project.rename.interrupted", "kohyatpl balance")
    found = interrupted(_journal(tmp_path))
    assert found is not None
    assert found == caught.value.problems[0]


def test_nothing_is_written_over_when_old_names_are_given_back(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir"
    _make(folder, ["a", "b"])
    _interrupt(tmp_path, {"a": "x", "b": "y"}, phase="parking", parked=["a", "b"])
    (folder / "b").mkdir()
    with pytest.raises(ProjectError) as caught:
        recover(_journal(tmp_path))
    refusal(caught.value, ProjectError, "project.rename.stuck", "image_dir/b")
    assert sorted(path.name for path in folder.iterdir()) == [".kohyatpl-0-0", ".kohyatpl-0-1", "b"]
    (folder / "b").rmdir()
    assert recover(_journal(tmp_path)) is not None
    assert _state(folder) == {"a": "a", "b": "b"}


def test_what_somebody_moved_away_meanwhile_is_left_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir"
    _make(folder, ["a", "y"])
    _interrupt(tmp_path, {"a": "x", "b": "y"}, phase="placing", parked=[])
    (folder / "a").rename(folder / "mine")
    recovery = recover(_journal(tmp_path))
    assert recovery is not None
    assert not recovery.is_done
    assert _state(folder) == {"mine": "a", "b": "y"}
