"""Which runs may go, and which stay whatever is wished."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from loratpl.project import ProjectPaths, locked
from loratpl.report.ledger.pruning import PrunePlan, PruneWish, plan_pruning
from tests.report.ledger.told import a_run, an_output
from tests.run.earlier_runs import make_state

NOW = datetime(2026, 1, 10, tzinfo=timezone.utc)


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def run_id(day: int) -> str:
    return f"202601{day:02}-000000-r{day}"


def planned(project: ProjectPaths, **wish: Any) -> PrunePlan:
    return plan_pruning(project, PruneWish(**wish), NOW)


def going(plan: PrunePlan) -> list[str]:
    return [removal.run.name for removal in plan.removals]


def test_the_newest_stay(odd_path: Path) -> None:
    project = ProjectPaths(odd_path)
    for day in (1, 2, 3, 4):
        a_run(project, run_id(day))
    assert going(planned(project, keep=2)) == ["r2", "r1"]
    assert going(planned(project, keep=0)) == ["r4", "r3", "r2", "r1"]
    assert going(planned(project, keep=9)) == []
    assert planned(project, keep=0).freed_bytes > 1000


def test_the_older_go_and_both_must_hold(project: ProjectPaths) -> None:
    for day in (1, 5, 9):
        a_run(project, run_id(day))
    assert going(planned(project, older_than_days=2)) == ["r5", "r1"]
    assert going(planned(project, older_than_days=2, keep=2)) == ["r1"]
    assert going(planned(project, older_than_days=2, keep=0)) == ["r5", "r1"]
    assert going(planned(project, older_than_days=float("nan"))) == []


def test_a_run_of_which_nobody_knows_the_age_stays(project: ProjectPaths) -> None:
    a_run(project, run_id(1), started_at="0000-00-00T00:00")
    assert going(planned(project, older_than_days=0)) == []


def test_a_live_run_stays(project: ProjectPaths) -> None:
    a_run(project, run_id(1))
    a_run(project, run_id(2), state="running")
    with locked(project):
        plan = planned(project, keep=0, with_unfinished=True)
    assert going(plan) == ["r1"]
    assert [(kept.name, kept.because) for kept in plan.kept] == [(run_id(2), "it is being trained")]


def test_what_resume_would_go_on_with_stays_with_its_lineage(project: ProjectPaths) -> None:
    make_state(a_run(project, run_id(1), state="stopped"))
    a_run(project, run_id(2), state="lost", parent=run_id(1), start_step=4)
    make_state(a_run(project, run_id(3), state="stopped"))
    make_state(a_run(project, run_id(4), state="running"))  # its owner is dead
    a_run(project, run_id(5))
    plan = planned(project, keep=0)
    assert going(plan) == ["r5", "r3", "r2", "r1"]
    assert "--unfinished" in plan.kept[0].because
    assert going(planned(project, keep=0, with_unfinished=True)) == ["r5", "r4", "r3", "r2", "r1"]


def test_the_run_that_saved_the_state_stays_as_well(project: ProjectPaths) -> None:
    make_state(a_run(project, run_id(1), state="stopped"))
    a_run(project, run_id(2), state="lost", parent=run_id(1), start_step=4)
    for only_states in (False, True):
        assert going(planned(project, keep=0, only_states=only_states)) == []
    assert going(planned(project, keep=0, with_unfinished=True)) == ["r2", "r1"]


def test_an_unfinished_run_without_a_state_has_nothing_to_lose(project: ProjectPaths) -> None:
    a_run(project, run_id(1), state="failed")
    assert going(planned(project, keep=0)) == ["r1"]


def test_a_run_that_stays_keeps_those_it_went_on_from(project: ProjectPaths) -> None:
    a_run(project, run_id(1), state="stopped")
    a_run(project, run_id(2), state="stopped", parent=run_id(1), start_step=2)
    a_run(project, run_id(3), parent=run_id(2), start_step=4)
    plan = planned(project, keep=1)
    assert going(plan) == []
    assert [kept.because for kept in plan.kept] == [f"{run_id(3)} went on from it, and stays"] * 2


@pytest.mark.parametrize("text", ["{}", '{"schema_version": 99}', ""])
def test_a_run_that_cannot_be_read_stays(project: ProjectPaths, text: str) -> None:
    a_run(project, run_id(1)).record_path.write_text(text, encoding="utf-8")
    plan = planned(project, keep=0)
    assert going(plan) == []
    assert plan.kept[0].because == "its record cannot be read"


def test_a_link_stays(project: ProjectPaths, tmp_path: Path) -> None:
    paths = a_run(project, run_id(1))
    paths.run_dir.rename(tmp_path / "elsewhere")
    paths.run_dir.symlink_to(tmp_path / "elsewhere")
    plan = planned(project, keep=0)
    assert going(plan) == []
    assert "link" in plan.kept[0].because


# --- states alone


def test_states_alone(project: ProjectPaths) -> None:
    make_state(a_run(project, run_id(1), state="stopped"))
    make_state(a_run(project, run_id(2), state="failed"))
    a_run(project, run_id(3))
    plan = planned(project, only_states=True)
    assert [removal.path for removal in plan.removals] == [project.run(run_id(1)).state_dir]
    assert [kept.name for kept in plan.kept] == [run_id(2)]
    everything = planned(project, only_states=True, with_unfinished=True)
    assert going(everything) == ["r2", "r1"]
    assert going(planned(project, only_states=True, with_unfinished=True, keep=2)) == ["r1"]


def test_a_state_that_a_kept_run_needs_stays(project: ProjectPaths) -> None:
    make_state(a_run(project, run_id(1), state="stopped"))
    a_run(project, run_id(2), state="lost", parent=run_id(1), start_step=4)
    assert going(planned(project, only_states=True, keep=1, with_unfinished=True)) == []
    a_run(project, run_id(3), parent=run_id(1), start_step=4)
    make_state(a_run(project, run_id(4), state="stopped"))
    assert going(planned(project, only_states=True, keep=1)) == ["r1"]


def test_a_linked_state_folder_is_none(project: ProjectPaths, tmp_path: Path) -> None:
    paths = a_run(project, run_id(1), state="stopped")
    (tmp_path / "elsewhere").mkdir()
    paths.state_dir.symlink_to(tmp_path / "elsewhere")
    assert going(planned(project, only_states=True, with_unfinished=True)) == []


# --- LoRAs


def files(plan: PrunePlan) -> list[str]:
    return [output.path.name for removal in plan.removals for output in removal.outputs]


def test_loras_stay_unless_told(project: ProjectPaths) -> None:
    a_run(project, run_id(1), outputs=[an_output(project.output_dir / "a.safetensors")])
    assert files(planned(project, keep=0)) == []
    assert files(planned(project, keep=0, with_outputs=True)) == ["a.safetensors"]


def test_a_lora_that_a_kept_run_wrote_too_stays(project: ProjectPaths) -> None:
    output = an_output(project.output_dir / "a.safetensors")
    for day in (1, 2):
        a_run(project, run_id(day), outputs=[output])
    plan = planned(project, keep=1, with_outputs=True)
    assert (going(plan), files(plan)) == (["r1"], [])
    assert plan.kept[0].name == "output/a.safetensors"
    assert files(planned(project, keep=0, with_outputs=True)) == ["a.safetensors"]


def test_a_lora_that_is_another_by_now_stays(project: ProjectPaths, tmp_path: Path) -> None:
    outputs = [an_output(project.output_dir / f"{name}.safetensors") for name in "abc"]
    a_run(project, run_id(1), outputs=outputs)
    (project.output_dir / "a.safetensors").write_bytes(b"of another size")
    (project.output_dir / "b.safetensors").rename(tmp_path / "mine")
    (project.output_dir / "b.safetensors").symlink_to(tmp_path / "mine")
    assert files(planned(project, keep=0, with_outputs=True)) == ["c.safetensors"]


def test_checkpoints_of_a_run_that_did_not_finish_go_unless_they_were_touched_since(project: ProjectPaths) -> None:
    project.output_dir.mkdir(parents=True)
    paths = [project.output_dir / f"{name}.safetensors" for name in ("as-written", "later", "larger", "gone")]
    for path in paths[:3]:
        path.write_bytes(b"weights")
    (project.output_dir / "larger.safetensors").write_bytes(b"more weights")
    now = time.time()
    os.utime(paths[1], (now + 60, now + 60))
    events: list[dict[str, Any]] = [
        {"event": "checkpoint", "time": now, "path": str(path), "step": 2, "size_bytes": 7} for path in paths
    ]
    events += [{"event": "checkpoint", "path": 7}, {"event": "checkpoint", "path": "a\0b", "time": 1, "size_bytes": 1}]
    a_run(project, run_id(1), state="failed", events=events)
    assert files(planned(project, keep=0, with_outputs=True)) == ["as-written.safetensors"]
    assert project.root_dir.resolve() == project.root_dir  # the plan has touched nothing
    assert all(path.exists() for path in paths[:3])
