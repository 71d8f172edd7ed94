"""Training states on disk: the newest is found, and no damage goes unseen."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loratpl.project import ProjectPaths, RunPaths
from loratpl.run.states import newest_state, state_problem, states_of, whole_state
from tests.run.earlier_runs import make_run, make_state


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return make_run(ProjectPaths(tmp_path / "project"), state="stopped")


def test_a_run_without_a_state_has_none(paths: RunPaths) -> None:
    assert newest_state(paths) is None
    paths.state_dir.mkdir()
    assert newest_state(paths) is None


def test_a_state_is_read_as_it_was_written(odd_path: Path) -> None:
    paths = make_run(ProjectPaths(odd_path / "project"), state="stopped")
    folder = make_state(paths, 3, workers=2, persistent_workers=True, is_exact=False, inexact_because="because")
    state = newest_state(paths)
    assert state is not None
    assert (state.folder, state.step, state.epoch, state.batches) == (folder, 3, 2, 1)
    assert (state.max_train_steps, state.batches_per_epoch, state.accumulation, state.processes) == (6, 2, 1, 1)
    assert (state.workers, state.persistent_workers) == (2, True)
    assert (state.is_exact, state.inexact_because) == (False, "because")
    assert state.name == f"log/{paths.run_id}/state/step00000003"
    assert state_problem(state) is None


def test_the_newest_is_the_one_of_the_highest_step(paths: RunPaths) -> None:
    for step in (2, 10, 9):
        make_state(paths, step)
    assert [state.step for state in states_of(paths)] == [10, 9, 2]


def test_what_was_never_finished_is_no_state(paths: RunPaths) -> None:
    make_state(paths, 2)
    make_state(paths, 4).rename(paths.state_dir / "step00000004.partial")
    (make_state(paths, 5) / "position.json").unlink()
    (paths.state_dir / "step00000006").write_text("a file", encoding="utf-8")
    (paths.state_dir / "model.safetensors").write_bytes(b"a state of the first version")
    shutil.copytree(paths.state_dir / "step00000002", paths.state_dir / "step9 (copy)")
    assert [state.step for state in states_of(paths)] == [2]


def cut(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 3)


def flip(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(b"W" + path.read_bytes()[1:])


def remove(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def make_folder(folder: Path) -> None:
    """Of the right size on no file system, or not to be read as a file."""
    remove(folder)
    (folder / "model.safetensors").mkdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "has 3 bytes, and 28 were written"),
        (flip, "is not what was written: its SHA-256"),
        (remove, "is missing"),
        (make_folder, ""),
    ],
)
def test_damage_is_seen_and_told(paths: RunPaths, damage: Callable[[Path], None], words: str) -> None:
    folder = make_state(paths)
    damage(folder)
    state = newest_state(paths)
    assert state is not None
    problem = state_problem(state)
    assert problem is not None
    assert problem.code == "run.state.damaged"
    assert problem.where == f"log/{paths.run_id}/state/step00000004/model.safetensors"
    assert f"state/step00000004 cannot be resumed from: model.safetensors {words}" in problem.message
    assert "kohyatpl run" in problem.fix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not what kohyatpl writes"),
        ("[1]", "not what kohyatpl writes"),
        ('{"schema": 1}', "step: Field required"),
        ("\0" * 200, "not what kohyatpl writes"),
    ],
)
def test_a_position_that_cannot_be_read_is_damage(paths: RunPaths, text: str, words: str) -> None:
    (make_state(paths) / "position.json").write_text(text, encoding="utf-8")
    state = newest_state(paths)
    assert state is not None
    problem = state_problem(state)
    assert problem is not None
    assert problem.code == "run.state.damaged"
    assert words in problem.message


@pytest.mark.parametrize(
    "change",
    [
        {"step": "4"}, {"step": -1}, {"epoch": 0}, {"batches": 1.5}, {"batches_per_epoch": 0}, {"files": {}},
        {"files": {"../model.safetensors": {"size_bytes": 1, "sha256": "0"}}},
        {"files": {"/etc/passwd": {"size_bytes": 1, "sha256": "0"}}},
        {"files": {"a.bin": {"size_bytes": 1}}}, {"schema": "1"},
    ],
)  # fmt: skip
def test_a_position_that_makes_no_sense_is_damage(paths: RunPaths, change: dict[str, Any]) -> None:
    position_path = make_state(paths) / "position.json"
    position = json.loads(position_path.read_text(encoding="utf-8"))
    position_path.write_text(json.dumps({**position, **change}), encoding="utf-8")
    state = newest_state(paths)
    assert state is not None
    problem = state_problem(state)
    assert problem is not None
    assert problem.code == "run.state.damaged"


def test_a_state_of_a_newer_version_says_so(paths: RunPaths) -> None:
    folder = make_state(paths, 4)
    (folder / "position.json").write_text(json.dumps({"schema": 2, "place": "elsewhere"}), encoding="utf-8")
    state = newest_state(paths)
    assert state is not None
    assert state.step == 4
    problem = state_problem(state)
    assert problem is not None
    assert problem.code == "run.state.newer"
    assert "format 2" in problem.message
    assert "--upgrade" in problem.fix


def test_keys_that_only_the_trainer_reads_are_no_damage(paths: RunPaths) -> None:
    make_state(paths, of_the_entry=[1, 2])
    state = newest_state(paths)
    assert state is not None
    assert state_problem(state) is None


def test_behind_a_damaged_state_the_one_before_it_is_found(paths: RunPaths) -> None:
    make_state(paths, 2)
    cut(make_state(paths, 4))
    state, problems = whole_state(paths)
    assert state is not None
    assert state.step == 2
    assert [problem.code for problem in problems] == ["run.state.damaged"]


def test_where_all_are_damaged_all_are_told(paths: RunPaths) -> None:
    for step in (2, 4):
        cut(make_state(paths, step))
    state, problems = whole_state(paths)
    assert state is None
    assert ["step00000004" in problem.where for problem in problems] == [True, False]


def test_a_position_that_cannot_be_opened_says_why(paths: RunPaths) -> None:
    position_path = make_state(paths) / "position.json"
    position_path.unlink()
    position_path.symlink_to(position_path.name)
    state = newest_state(paths)
    assert state is not None
    problem = state_problem(state)
    assert problem is not None
    assert "position.json cannot be read (Too many levels" in problem.message
