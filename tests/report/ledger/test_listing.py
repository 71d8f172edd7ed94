"""Every run in a few words, and the settings in which they differ."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from loratpl.project import ProjectPaths, locked
from loratpl.report.ledger.listing import list_runs, setting_of, setting_text
from tests.report.ledger.told import a_run, an_output, step_events


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def test_a_finished_run(odd_path: Path) -> None:
    project = ProjectPaths(odd_path)
    a_run(
        project, "20260102-030405-lora", events=step_events([0.5, 0.25]), last_step=6,
        ended_at="2026-01-02T03:05:05.500+00:00", outputs=[an_output(project.output_dir / "lora.safetensors")],
    )  # fmt: skip
    (run,) = list_runs(project).runs
    assert (run.state, run.is_settled, run.last_step, run.total_steps) == ("finished", True, 6, 6)
    assert (run.loss, run.average_loss, run.duration_s) == (0.25, 0.25, 60.5)
    assert [output.is_there for output in run.outputs] == [True]


def test_outputs_that_are_gone_changed_or_moved_along(project: ProjectPaths, tmp_path: Path) -> None:
    outputs = [an_output(project.output_dir / f"{name}.safetensors") for name in "abc"]
    a_run(project, "20260102-030405-x", outputs=outputs, project_dir=str(project.root_dir))
    (project.output_dir / "b.safetensors").unlink()
    (project.output_dir / "c.safetensors").write_bytes(b"other")
    assert [output.is_there for output in list_runs(project).runs[0].outputs] == [True, False, False]
    moved = ProjectPaths(tmp_path / "moved")
    shutil.move(project.root_dir, moved.root_dir)
    found = list_runs(moved).runs[0].outputs
    assert [output.is_there for output in found] == [True, False, False]
    assert found[0].path == moved.output_dir.resolve() / "a.safetensors"


def test_a_run_whose_owner_is_dead_is_lost_and_not_written(project: ProjectPaths) -> None:
    paths = a_run(project, "20260102-030405-x", state="running", events=step_events([0.5, 0.4, 0.3]))
    before = paths.record_path.read_bytes()
    (run,) = list_runs(project).runs
    assert (run.state, run.is_settled, run.last_step) == ("lost", False, 3)
    assert run.duration_s == pytest.approx(1767323048.0 - 1767323045.0)
    assert paths.record_path.read_bytes() == before


def test_only_the_newest_of_a_busy_project_is_live(project: ProjectPaths) -> None:
    for day in (2, 3):
        a_run(project, f"2026010{day}-030405-x", state="running", events=step_events([0.5]))
    with locked(project):
        states = [(run.state, run.is_settled) for run in list_runs(project).runs]
    assert states == [("running", True), ("lost", False)]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes through /proc")
def test_a_process_with_the_trainers_number_is_not_the_trainer(project: ProjectPaths) -> None:
    a_run(project, "20260102-030405-x", state="running", events=[{"event": "run", "trainer_pid": os.getpid()}])
    assert list_runs(project).runs[0].state == "lost"


@pytest.mark.parametrize("text", ["", "{}", "not JSON", '{"schema_version": 99}', '{"state": "running"}'])
def test_a_damaged_record_is_listed_with_what_is_known(project: ProjectPaths, text: str) -> None:
    a_run(project, "20260101-030405-whole")
    paths = a_run(project, "20260102-030405-damaged", events=step_events([0.5]))
    paths.record_path.write_text(text, encoding="utf-8")
    damaged, whole = list_runs(project).runs
    assert (damaged.state, damaged.last_step, damaged.total_steps, damaged.outputs) == ("unknown", 1, None, ())
    assert damaged.problem is not None
    assert damaged.as_json()["record"] is None
    assert whole.problem is None


def test_the_templates_own_file_in_log_is_no_run(project: ProjectPaths) -> None:
    project.log_dir.mkdir(parents=True)
    (project.log_dir / "log_files_here.txt").write_text("logs", encoding="utf-8")
    assert list_runs(project).runs == ()
    assert list_runs(project).as_json() == {"runs": [], "differing": []}


def test_odd_times_and_plans_are_no_crash(project: ProjectPaths) -> None:
    changes: dict[str, Any] = {"started_at": "yesterday", "ended_at": "2026", "plan": {"total_steps": "many"}}
    a_run(project, "20260102-030405-x", **changes)
    (run,) = list_runs(project).runs
    assert (run.duration_s, run.total_steps) == (None, None)


# --- what differs


def test_settings_that_differ_come_in_the_order_people_change_them(project: ProjectPaths) -> None:
    a_run(project, "20260101-000000-a", {"output_name": "a", "clip_skip": 2, "seed": 1})
    a_run(project, "20260102-000000-b", {"output_name": "b", "learning_rate": 0.0002, "seed": 2, "clip_skip": 1})
    listing = list_runs(project)
    assert listing.differing == ("learning_rate", "seed", "clip_skip", "output_name")
    assert listing.harmless == {"output_name"}
    assert [setting_text(run, "learning_rate") for run in listing.runs] == ["0.0002", "0.0001"]


def test_unset_is_the_trainers_default(project: ProjectPaths) -> None:
    a_run(project, "20260101-000000-a", {"prior_loss_weight": 1.0, "cache_latents": False})
    a_run(project, "20260102-000000-b", {})
    assert list_runs(project).differing == ()


def test_our_own_settings_count_and_those_an_earlier_version_did_not_know_do_not(project: ProjectPaths) -> None:
    a_run(project, "20260101-000000-a", {"kohyatpl": {"launch": {"threads": 2}}})
    a_run(project, "20260102-000000-b")
    listing = list_runs(project)
    assert listing.differing == ("kohyatpl.launch.threads",)
    assert [setting_of(run, "kohyatpl.launch.threads") for run in listing.runs] == [None, 2]


def test_another_base_model_is_a_difference(project: ProjectPaths) -> None:
    for day, model in ((1, "owner/a"), (2, "owner/b")):
        a_run(project, f"2026010{day}-000000-x", {"pretrained_model_name_or_path": model}, model=model)
    listing = list_runs(project)
    assert listing.differing == ("pretrained_model_name_or_path",)
    assert setting_text(listing.runs[0], listing.differing[0]) == "owner/b"


@pytest.mark.parametrize("text", [None, "", "[]", "{{", "[" * 100_000])
def test_a_config_that_cannot_be_read_is_left_out(project: ProjectPaths, text: str | None) -> None:
    a_run(project, "20260101-000000-a")
    paths = a_run(project, "20260102-000000-b", {"seed": 9})
    paths.config_path.unlink()
    if text is not None:
        paths.config_path.write_text(text, encoding="utf-8")
    listing = list_runs(project)
    assert listing.differing == ()
    assert listing.runs[0].meaning is None
    assert setting_text(listing.runs[0], "seed") == "-"


def test_names_that_several_runs_have_become_ids(project: ProjectPaths) -> None:
    for run_id in ("20260101-000000-a", "20260102-000000-a", "20260103-000000-b"):
        a_run(project, run_id)
    listing = list_runs(project)
    assert [listing.label(run) for run in listing.runs] == ["b", "20260102-000000-a", "20260101-000000-a"]


def test_a_thousand_runs_take_less_than_a_second(project: ProjectPaths) -> None:
    packages = {f"package-{number}": "1.2.3" for number in range(80)}
    config = {f"option_{number}": number for number in range(60)}
    events = step_events([0.5] * 40)
    for number in range(1000):
        a_run(project, f"20260102-{number:06d}-r{number}", {**config, "seed": number}, packages=packages, events=events)
    began = time.process_time()
    listing = list_runs(project)
    assert time.process_time() - began < 1  # 0.4 s here
    assert len(listing.runs) == 1000
    assert listing.differing == ("seed",)
