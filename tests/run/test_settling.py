"""Runs that died with their launcher: the record says in the end what became of them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import ProjectError
from loratpl.project import ProjectPaths
from loratpl.records import Memory, read_record
from loratpl.run.history import last_unfinished
from loratpl.run.settling import SettledRun, settle_dead_runs
from tests.run.earlier_runs import make_run, make_state

BEGAN_S = 1_767_323_046.0  # 2026-01-02T03:04:06 UTC


def step(number: int, **more: Any) -> dict[str, Any]:
    return {"event": "step", "time": BEGAN_S + number, "step": number, "loss": 0.1, **more}


def told(event: str, at: float = 60.0, **more: Any) -> dict[str, Any]:
    return {"event": event, "time": BEGAN_S + at, **more}


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def only_settled(project: ProjectPaths) -> SettledRun:
    (settled,) = settle_dead_runs(project)
    assert read_record(settled.run.paths.record_path) == settled.record
    return settled


def test_where_nothing_died_nothing_is_settled(project: ProjectPaths) -> None:
    assert settle_dead_runs(project) == ()
    for number, state in enumerate(("finished", "stopped", "failed", "lost")):
        make_run(project, f"2026010{number + 1}-000000-a", state=state)
    assert settle_dead_runs(project) == ()


def test_a_run_that_ended_without_a_word_is_lost(odd_path: Path) -> None:
    project = ProjectPaths(odd_path / "project")
    begun = [told("phase", 0.5, phase="training"), step(1), told("memory", 1, step=1, process_peak_bytes=7)]
    paths = make_run(project, state="running", events=[*begun, step(2), step(3)])
    folder = make_state(paths, 2)
    settled = only_settled(project)
    record = settled.record
    assert record.state == "lost"
    assert (record.last_step, record.state_dir) == (3, str(folder))
    assert record.ended_at == "2026-01-02T03:04:09.000+00:00"
    assert record.memory == Memory(process_peak_bytes=7)  # as far as it was told
    assert record.failure is not None
    assert "after step 3 of 6 while training" in record.failure.cause
    assert "Its newest state is of step 2." in record.failure.cause
    assert "`kohyatpl run --resume`" in record.failure.fix
    assert (settled.notice.code, settled.notice.severity) == ("run.settled.lost", "warning")
    assert settled.notice.where == f"log/{paths.run_id}"
    assert settle_dead_runs(project) == ()
    found = last_unfinished(project)
    assert found is not None
    assert found.run_id == paths.run_id


def test_a_trainer_that_saved_after_its_launcher_had_died_was_stopped(project: ProjectPaths) -> None:
    stopped = told("stopped", 2.5, step=2, state_dir="log/x/state/step00000002", error=None)
    paths = make_run(project, state="running", events=[step(1), step(2), stopped, told("memory", process_peak_bytes=7)])
    folder = make_state(paths, 2)
    record = only_settled(project).record
    assert (record.state, record.last_step, record.state_dir) == ("stopped", 2, str(folder))
    assert record.failure is None
    assert record.memory is not None
    assert record.memory.process_peak_bytes == 7


def test_a_stop_that_saved_no_state_is_a_loss(project: ProjectPaths) -> None:
    stopped = told("stopped", step=2, state_dir=None, error="No space left on device")
    make_run(project, state="running", events=[step(1), step(2), stopped])
    settled = only_settled(project)
    assert settled.record.state == "lost"
    assert settled.record.state_dir is None
    assert "It saved no state." in settled.notice.message
    assert settled.notice.fix == ""


def test_a_loss_that_was_no_number_is_a_failure(project: ProjectPaths) -> None:
    make_run(project, state="running", events=[step(1), told("broken", step=2, what="loss", value="nan")])
    settled = only_settled(project)
    assert settled.record.state == "failed"
    assert settled.record.last_step == 2
    assert "the loss was nan" in settled.notice.message


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_an_end_that_could_not_be_recorded_is_recorded(project: ProjectPaths, state: str) -> None:
    end = told("end", state=state, returncode=75, last_step=2)
    make_run(project, state="running", events=[step(1), step(2), end])
    settled = only_settled(project)
    assert (settled.record.state, settled.record.returncode) == (state, 75)
    assert "could not be written then" in settled.notice.message


def test_steps_after_a_stop_take_it_back(project: ProjectPaths) -> None:
    stopped = told("stopped", 1.5, step=1, state_dir="x", error=None)
    make_run(project, state="running", events=[step(1), stopped, step(2)])
    assert only_settled(project).record.state == "lost"


def test_a_run_that_died_before_anything_happened_ended_when_it_began(project: ProjectPaths) -> None:
    make_run(project, state="running", start_step=4, parent="20260101-000000-a")
    settled = only_settled(project)
    assert settled.record.ended_at == settled.record.started_at
    assert settled.record.last_step == 4
    assert "that of 20260101-000000-a" in settled.notice.message
    assert "--resume" in settled.notice.fix


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b'{"event": "step", "st', b"[1, 2]\n", b"\0" * 100 + b"\n", b"{}\n"])
def test_events_that_are_cut_or_foreign_are_passed_over(project: ProjectPaths, line: bytes) -> None:
    paths = make_run(project, state="running", events=[step(1)])
    with paths.events_path.open("ab") as file:
        file.write(line)
    assert only_settled(project).record.last_step == 1


@pytest.mark.parametrize("time_s", [None, "noon", 1e30, float("nan"), -5])
def test_a_time_that_is_none_ends_nothing(project: ProjectPaths, time_s: Any) -> None:
    make_run(project, state="running", events=[{"event": "step", "step": 1, "time": time_s}])
    settled = only_settled(project)
    assert settled.record.ended_at == settled.record.started_at


def test_what_was_being_written_is_removed_and_what_was_finished_stays(project: ProjectPaths) -> None:
    paths = make_run(project, state="running", events=[step(1)])
    make_state(paths, 4).rename(paths.state_dir / "step00000004.partial")
    whole = make_state(paths, 2)
    partial_record = paths.run_dir / "run.json.partial"
    partial_record.write_text("{", encoding="utf-8")
    settle_dead_runs(project)
    assert [path.name for path in paths.state_dir.iterdir()] == [whole.name]
    assert not partial_record.exists()


def test_a_word_in_another_place_of_the_record_is_no_state(project: ProjectPaths) -> None:
    make_run(project, env={"state": "running"})
    assert settle_dead_runs(project) == ()


def test_a_damaged_record_stays_as_it_is(project: ProjectPaths) -> None:
    paths = make_run(project)
    paths.record_path.write_text('{"state": "running"', encoding="utf-8")
    assert settle_dead_runs(project) == ()
    assert paths.record_path.read_text(encoding="utf-8") == '{"state": "running"'


def test_a_record_that_cannot_be_written_is_told(project: ProjectPaths) -> None:
    paths = make_run(project, state="running")
    (paths.run_dir / "run.json.partial").mkdir()
    with pytest.raises(ProjectError) as raised:
        settle_dead_runs(project)
    assert raised.value.problems[0].code == "project.write"


def test_it_costs_nothing_beside_a_thousand_settled_runs(project: ProjectPaths) -> None:
    for number in range(1000):
        packages = {f"package-{name}": "1.2.3" for name in range(150)}
        paths = make_run(project, f"20260102-{number // 60:06d}-a{number}", state="stopped", packages=packages)
        os.mkfifo(paths.events_path)  # whoever read it would wait for ever
    began = time.perf_counter()
    assert settle_dead_runs(project) == ()
    assert time.perf_counter() - began < 2
