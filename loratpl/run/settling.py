"""Runs whose owner is dead: what their records still call running is settled from what their events tell."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from loratpl.errors import Problem
from loratpl.project import ProjectPaths, RunPaths
from loratpl.records import EventReader, Failure, Memory, RunRecord, RunState, write_record
from loratpl.run.beginning import unwritable
from loratpl.run.history import KnownRun, runs_of
from loratpl.run.pace import memory_of
from loratpl.run.states import TrainingState, newest_state

_ENDS: tuple[RunState, ...] = ("finished", "stopped", "failed")
_CODES = {
    "lost": "run.settled.lost",
    "stopped": "run.settled.stopped",
    "failed": "run.settled.failed",
    "finished": "run.settled.finished",
}
_RESUME = "Go on from its newest state with `kohyatpl run --resume`."


@dataclass(frozen=True, slots=True)
class SettledRun:
    """A run that is no longer called running.

    Attributes:
        run: The run.
        record: As it is now.
        notice: What there is to say of it.
    """

    run: KnownRun
    record: RunRecord
    notice: Problem


def settle_dead_runs(project: ProjectPaths) -> tuple[SettledRun, ...]:
    """Returns the runs that it settled, the last first; nearly always there is none.

    To be called with the project's lock held: whoever owned a run that still says "running" is dead then, and so is
    its trainer. Events are read of these runs alone.

    Raises:
        ProjectError: The log folder cannot be read, or a record not be written.
    """
    settled = []
    for run in runs_of(project):
        record = run.record if run.may_be_running else None
        if record is not None and record.state == "running":
            settled.append(_settle(project, run, record))
    return tuple(settled)


@dataclass
class _Told:
    """What the events of a run tell; the last of each kind."""

    last_step: int
    last_time: float = 0.0
    phase: str = ""
    memory: Memory | None = None
    conclusion: Mapping[str, Any] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any]) -> None:
        kind, step, time = event.get("event"), event.get("step"), event.get("time")
        if isinstance(time, (int, float)) and time > self.last_time:
            self.last_time = float(time)
        if kind in ("step", "stopped", "broken") and isinstance(step, int):
            self.last_step = max(self.last_step, step)
        if kind in ("stopped", "broken", "end"):
            self.conclusion = event
        elif kind == "step":
            self.conclusion = {}
        elif kind == "phase":
            self.phase = str(event.get("phase", ""))
        elif kind == "memory":
            self.memory = memory_of(event, self.memory)


def _settle(project: ProjectPaths, run: KnownRun, record: RunRecord) -> SettledRun:
    told = _Told(record.start_step)
    for event in EventReader(run.paths.events_path).new():
        told.take(event)
    state = newest_state(run.paths)
    kind, sentence = _conclusion(told, record)
    what = f"{run.run_id} {sentence} {_saved(state, record)}"
    can_resume = state is not None or record.parent is not None
    fix = _RESUME if can_resume and kind != "finished" else ""
    settled = record.model_copy(
        update={
            "state": kind,
            "ended_at": _utc(told.last_time) or record.started_at,
            "last_step": told.last_step,
            "returncode": told.conclusion.get("returncode") if told.conclusion.get("event") == "end" else None,
            "state_dir": str(state.folder) if state else None,
            "memory": told.memory,
            "failure": Failure(cause=what, fix=fix) if kind in ("lost", "failed") else None,
        }
    )
    try:
        write_record(run.paths.record_path, settled)
    except OSError as error:
        raise unwritable(error) from error
    _remove_leftovers(run.paths)
    code, where = _CODES[kind], project.relative(run.paths.run_dir)
    return SettledRun(run, settled, Problem(code, what, where, fix, "warning"))


def _conclusion(told: _Told, record: RunRecord) -> tuple[RunState, str]:
    """Returns the state of a run that nobody owns any more, and the sentence that follows its id."""
    event, total = told.conclusion, record.plan.get("total_steps", "?")
    kind, at = event.get("event"), f"after step {told.last_step} of {total}"
    if kind == "end" and event.get("state") in _ENDS:
        ended: RunState = event["state"]
        return ended, f"{ended} {at}, and its record could not be written then."
    if kind == "stopped" and event.get("state_dir"):
        return "stopped", f"was stopped {at}; kohyatpl itself was gone by then."
    if kind == "broken":
        return "failed", f"broke off {at}: the loss was {event.get('value', 'no number')}."
    phase = f" while {told.phase}" if told.phase else ""
    return "lost", f"ended without a word {at}{phase}: kohyatpl was killed, or the machine went down."


def _saved(state: TrainingState | None, record: RunRecord) -> str:
    if state is not None:
        return f"Its newest state is of step {state.step}."
    if record.parent is not None:
        return f"It saved no state; the one it went on from, of step {record.start_step}, is that of {record.parent}."
    return "It saved no state."


def _utc(seconds: float) -> str | None:
    try:
        ended = datetime.fromtimestamp(seconds, timezone.utc) if seconds > 0 else None
    except (OverflowError, ValueError, OSError):
        return None
    return ended.isoformat(timespec="milliseconds") if ended else None


def _remove_leftovers(paths: RunPaths) -> None:
    """What was being written when the run died is of no use, and states are large."""
    for path in (*paths.state_dir.glob("step*.partial"), paths.state_dir.with_name(f"{paths.state_dir.name}.partial")):
        shutil.rmtree(path, ignore_errors=True)
    for leftover in (paths.record_path.with_suffix(".json.partial"), paths.reserve_path):
        leftover.unlink(missing_ok=True)
