"""Removal: whole or not at all, wherever it is cut off, and nothing beyond a link."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import ProjectError
from loratpl.project import ProjectPaths, locked
from loratpl.records import read_record
from loratpl.report.ledger.pruning import PruneWish, plan_pruning
from loratpl.report.ledger.removal import Removed, leftovers, prune
from tests.given import only, refusal
from tests.report.ledger.told import a_run, an_output
from tests.run.earlier_runs import make_state

A, B = "20260101-000000-a", "20260102-000000-b"


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def pruned(project: ProjectPaths, **wish: Any) -> Removed:
    with locked(project):
        return prune(project, plan_pruning(project, PruneWish(**wish)))


def test_runs_go_and_the_rest_stays(odd_path: Path) -> None:
    project = ProjectPaths(odd_path)
    for run_id in (A, B):
        a_run(project, run_id, outputs=[an_output(project.output_dir / f"{run_id}.safetensors")])
    done = pruned(project, keep=1)
    assert [removal.run.run_id for removal in done.removals] == [A]
    assert done.problems == ()
    assert sorted(path.name for path in project.log_dir.iterdir()) == [B]
    assert len(list(project.output_dir.iterdir())) == 2
    assert not (project.hidden_dir / "trash").exists()


def test_links_are_removed_and_never_followed(project: ProjectPaths, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text("all of it", encoding="utf-8")
    paths = a_run(project, A)
    (paths.run_dir / "tensorboard").symlink_to(mine)
    (paths.run_dir / "file").symlink_to(mine / "precious")
    pruned(project, keep=0)
    assert not paths.run_dir.exists()
    assert (mine / "precious").read_text(encoding="utf-8") == "all of it"


@pytest.mark.parametrize("place", ["trash", "log"])
def test_a_linked_trash_is_refused(project: ProjectPaths, tmp_path: Path, place: str) -> None:
    """A project from somewhere else may bring a link along."""
    mine = tmp_path / "mine"
    (mine / "pruned-x" / "precious").mkdir(parents=True)
    paths = a_run(project, A)
    project.hidden_dir.mkdir()
    (project.hidden_dir / "trash" if place == "trash" else project.log_dir / ".trash").symlink_to(mine)
    with pytest.raises(ProjectError) as raised:
        pruned(project, keep=0)
    refusal(raised.value, ProjectError, "project.prune.link", "is a link")
    assert (mine / "pruned-x" / "precious").is_dir()
    assert paths.record_path.exists()
    assert leftovers(project) == 0


def test_what_a_kill_left_aside_goes_with_the_next_pruning(project: ProjectPaths, tmp_path: Path) -> None:
    a_run(project, B)
    left = project.hidden_dir / "trash" / "pruned-abc" / A
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"x" * 5000)
    other = project.hidden_dir / "trash" / "not-ours"
    other.mkdir()
    (project.hidden_dir / "trash" / "pruned-link").symlink_to(tmp_path)
    assert leftovers(project) == 5000
    assert pruned(project, keep=1).freed_bytes == 5000
    assert leftovers(project) == 0
    assert other.is_dir()
    assert tmp_path.is_dir()
    assert read_record(project.run(B).record_path).run_id == B


def test_states_go_and_the_record_says_so(project: ProjectPaths) -> None:
    paths = a_run(project, A, state="stopped", last_step=4)
    folder = make_state(paths)
    record = read_record(paths.record_path).model_copy(update={"state_dir": str(folder)})
    paths.record_path.write_text(record.model_dump_json(), encoding="utf-8")
    done = pruned(project, only_states=True, with_unfinished=True)
    assert done.freed_bytes > 0
    assert not paths.state_dir.exists()
    assert read_record(paths.record_path) == record.model_copy(update={"state_dir": None})


def test_loras_go_with_their_runs(project: ProjectPaths) -> None:
    output = project.output_dir / "a.safetensors"
    a_run(project, A, outputs=[an_output(output)])
    done = pruned(project, keep=0, with_outputs=True)
    assert not output.exists()
    assert [one.path for one in done.removals[0].outputs] == [output]


def test_a_lora_of_the_same_size_with_another_content_stays(project: ProjectPaths) -> None:
    output = project.output_dir / "a.safetensors"
    paths = a_run(project, A, outputs=[an_output(output, b"weights")])
    output.write_bytes(b"changed")
    done = pruned(project, keep=0, with_outputs=True)
    problem = only(done.problems)
    assert (problem.code, problem.severity) == ("project.prune.output", "warning")
    assert output.read_bytes() == b"changed"
    assert not paths.run_dir.exists()


def test_a_log_folder_on_another_disk(project: ProjectPaths) -> None:
    elsewhere = Path("/dev/shm")  # noqa: S108 - a disk in memory, on every Linux
    project.root_dir.mkdir()
    if not os.access(elsewhere, os.W_OK) or elsewhere.stat().st_dev == project.root_dir.stat().st_dev:
        pytest.skip("no second disk")
    with tempfile.TemporaryDirectory(dir=elsewhere) as folder:
        project.log_dir.symlink_to(folder)
        paths = a_run(project, A)
        (project.log_dir / ".trash" / "pruned-left" / B).mkdir(parents=True)
        done = pruned(project, keep=0)
        assert [removal.run.run_id for removal in done.removals] == [A]
        assert done.problems == ()
        assert not paths.run_dir.exists()
        assert list(Path(folder).iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written_is_as_it_was(project: ProjectPaths) -> None:
    paths = a_run(project, A)
    project.log_dir.chmod(0o500)
    try:
        problem = only(pruned(project, keep=0).problems)
    finally:
        project.log_dir.chmod(0o700)
    assert problem.code == "project.prune.failed"
    assert paths.record_path.exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may delete everything")
def test_what_cannot_be_deleted_is_no_run_any_more_and_tried_again(project: ProjectPaths) -> None:
    paths = a_run(project, A)
    inner = paths.run_dir / "tensorboard"
    inner.mkdir()
    (inner / "events").write_bytes(b"x" * 100)
    inner.chmod(0o500)
    done = pruned(project, keep=0)
    problem = only(done.problems)
    assert (problem.code, problem.severity) == ("project.prune.left", "warning")
    assert not paths.run_dir.exists()
    assert leftovers(project) == 100
    next((project.hidden_dir / "trash").rglob("tensorboard")).chmod(0o700)
    assert pruned(project, keep=0).problems == ()
    assert leftovers(project) == 0


def test_a_run_that_became_something_else_is_told(project: ProjectPaths) -> None:
    """Between the plan and the removal its folder is replaced by a file."""
    paths = a_run(project, A)
    a_run(project, B)
    plan = plan_pruning(project, PruneWish(keep=0))
    paths.run_dir.rename(project.root_dir / "aside")
    paths.run_dir.write_text("a file", encoding="utf-8")
    with locked(project):
        done = prune(project, plan)
    problem = only(done.problems)
    assert problem.code == "project.prune.failed"
    assert [removal.run.run_id for removal in done.removals] == [B]
    assert paths.run_dir.read_text(encoding="utf-8") == "a file"


def test_a_lora_that_cannot_be_removed_keeps_its_run(project: ProjectPaths) -> None:
    """Its record is the only one who knows whose the file is."""
    output = project.output_dir / "a.safetensors"
    paths = a_run(project, A, outputs=[an_output(output)])
    plan = plan_pruning(project, PruneWish(keep=0, with_outputs=True))
    output.unlink()
    output.mkdir()
    with locked(project):
        done = prune(project, plan)
    assert only(done.problems).code == "project.prune.failed"
    assert paths.record_path.exists()
    assert output.is_dir()


CHILD = """
import sys
from pathlib import Path
from loratpl.project import ProjectPaths, locked
from loratpl.report.ledger.pruning import PruneWish, plan_pruning
from loratpl.report.ledger.removal import prune
project = ProjectPaths(Path(sys.argv[1]))
with locked(project):
    plan = plan_pruning(project, PruneWish(keep=0))
    print("go", flush=True)
    prune(project, plan)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_killed_at_any_moment_every_run_is_whole_or_gone(project: ProjectPaths) -> None:
    names = [f"20260101-{number:06d}-r" for number in range(60)]
    for name in names:
        paths = a_run(project, name)
        for number in range(40):
            (paths.run_dir / f"file{number}").write_bytes(b"x" * 100)
    whole = {path.name for path in project.run(names[0]).run_dir.iterdir()}
    were_cut_off = 0
    for delay_s in (0.0, 0.002, 0.005, 0.01, 0.02):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(project.root_dir)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay_s)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        were_cut_off += leftovers(project) > 0
        for path in project.log_dir.iterdir():
            assert {one.name for one in path.iterdir()} == whole
            assert json.loads((path / "run.json").read_bytes())["run_id"] == path.name
    assert were_cut_off
    assert pruned(project, keep=0).problems == ()
    assert list(project.log_dir.iterdir()) == []
    assert leftovers(project) == 0
