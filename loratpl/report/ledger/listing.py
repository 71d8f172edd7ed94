"""Every run of a project in a few words each, and the settings in which they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from loratpl.errors import Problem
from loratpl.project import ProjectPaths, is_busy
from loratpl.records import RunRecord
from loratpl.report.ledger.events import LastSeen, first_event, last_seen
from loratpl.report.ledger.outputs import OutputFile, outputs_of
from loratpl.report.ledger.settings import differing_settings, recorded_meaning
from loratpl.run.comparison import MODEL_KEY, Meaning, shown_value
from loratpl.run.gauges import is_trainer
from loratpl.run.harmless import reason_of
from loratpl.run.history import KnownRun, runs_of

ListedState = Literal["running", "finished", "stopped", "failed", "lost", "unknown"]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in a few words; None for what neither its record nor its events tell.

    Attributes:
        run: The run.
        state: "unknown" where the record cannot be read.
        is_settled: Whether the record says so itself; a run whose owner is dead is lost before it is settled.
        start_step: Of the state that it went on from.
        last_step: The last one done.
        total_steps: As planned.
        loss: Of the last step.
        average_loss: The trainer's moving average then.
        duration_s: From its beginning to its end, or until now.
        outputs: What it proved.
        meaning: Of its settings, None where its config cannot be read.
    """

    run: KnownRun
    state: ListedState
    is_settled: bool
    start_step: int
    last_step: int | None
    total_steps: int | None
    loss: float | None
    average_loss: float | None
    duration_s: float | None
    outputs: tuple[OutputFile, ...]
    meaning: Meaning | None = field(default=None, repr=False)

    @property
    def record(self) -> RunRecord | None:
        """Its record, None where that cannot be read."""
        return self.run.record

    @property
    def problem(self) -> Problem | None:
        """Why its record cannot be read."""
        return self.run.problem

    def as_json(self) -> dict[str, Any]:
        """Returns the run as `runs --json` has it."""
        record = self.record
        return {
            "run_id": self.run.run_id,
            "name": self.run.name,
            "state": self.state,
            "is_settled": self.is_settled,
            "started_at": self.run.started_at or None,
            "ended_at": record.ended_at if record else None,
            "duration_s": None if self.duration_s is None else round(self.duration_s, 3),
            "start_step": self.start_step,
            "last_step": self.last_step,
            "total_steps": self.total_steps,
            "loss": self.loss,
            "average_loss": self.average_loss,
            "outputs": [
                {"path": str(one.path), "size_bytes": one.size_bytes, "is_there": one.is_there} for one in self.outputs
            ],
            "parent": record.parent if record else None,
            "repeats": record.repeats if record else None,
            "record": record.model_dump() if record else None,
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """The runs of a project, the one that began last first.

    Attributes:
        runs: All of them.
        differing: The settings that are not the same in all of them: those that people change first.
        harmless: Those among them that change nothing of what is trained.
        shared_names: The names that more than one of them has.
    """

    runs: tuple[RunSummary, ...]
    differing: tuple[str, ...] = ()
    harmless: frozenset[str] = frozenset()
    shared_names: frozenset[str] = frozenset()

    def label(self, run: RunSummary) -> str:
        """Returns what a run is called here: its name where no other has it, else its id."""
        return run.run.run_id if run.run.name in self.shared_names else run.run.name

    def as_json(self) -> dict[str, Any]:
        """Returns the data of `runs --json`."""
        return {
            "runs": [
                {**run.as_json(), "settings": {key: setting_of(run, key) for key in self.differing}}
                for run in self.runs
            ],
            "differing": list(self.differing),
        }


def list_runs(project: ProjectPaths) -> Listing:
    """Returns every run of a project; nothing is written.

    Raises:
        ProjectError: The log folder cannot be read.
    """
    known = runs_of(project)
    live = live_run(project, known)
    runs = tuple(summary_of(project, run, is_live=run is live) for run in known)
    differing = differing_settings([run.meaning for run in runs if run.meaning is not None])
    harmless = frozenset(key for key in differing if reason_of(key) is not None)
    shared = frozenset(name for name, count in Counter(run.name for run in known).items() if count > 1)
    return Listing(runs, differing, harmless, shared)


def live_run(project: ProjectPaths, runs: Iterable[KnownRun]) -> KnownRun | None:
    """Returns the run that is being trained at this moment; whoever else says so is dead.

    Args:
        project: The project.
        runs: Its runs, the one that began last first.
    """
    running = [run for run in runs if run.may_be_running and run.record is not None and run.record.state == "running"]
    if not running:
        return None
    if is_busy(project):
        return running[0]
    # The lock of a project on a network drive is not seen from everywhere; a process is not seen from elsewhere.
    pid = first_event(running[0].paths.events_path).get("trainer_pid")
    return running[0] if isinstance(pid, int) and is_trainer(pid, running[0].run_id) else None


def summary_of(project: ProjectPaths, run: KnownRun, *, is_live: bool) -> RunSummary:
    """Returns a run in a few words.

    Args:
        project: The run's.
        run: The run.
        is_live: Whether it is being trained at this moment.
    """
    record, seen = run.record, last_seen(run.paths.events_path)
    meaning = recorded_meaning(run.paths, record)
    if record is None:
        return RunSummary(
            run, "unknown", False, 0, seen.step, None, seen.loss, seen.average_loss, None, (), meaning
        )  # fmt: skip
    is_settled = record.state != "running" or is_live
    last_step = record.last_step if record.state != "running" else max(seen.step or 0, record.last_step)
    total = record.plan.get("total_steps")
    return RunSummary(
        run,
        record.state if is_settled else "lost",
        is_settled,
        record.start_step,
        last_step,
        total if isinstance(total, int) else None,
        seen.loss,
        seen.average_loss,
        _duration_s(record, seen, is_live=is_live),
        outputs_of(project, record),
        meaning,
    )


def setting_of(run: RunSummary, key: str) -> Any:
    """Returns a setting as a run's config has it, None where it is unset or not known."""
    if key == MODEL_KEY:
        return run.record.model if run.record else None
    return run.meaning.written(key) if run.meaning else None


def setting_text(run: RunSummary, key: str) -> str:
    """Returns a setting as a table shows it, "-" where it is unset."""
    return shown_value(setting_of(run, key)) or "-"


def seconds_between(start: str, end: str | None) -> float | None:
    """Returns the time between two times of a record, None where one of them is none.

    >>> seconds_between("2026-01-02T03:04:05.000+00:00", "2026-01-02T03:05:05.500+00:00")
    60.5
    """
    try:
        return (datetime.fromisoformat(end or "") - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None


def _duration_s(record: RunRecord, seen: LastSeen, *, is_live: bool) -> float | None:
    end = record.ended_at
    if is_live:
        end = datetime.now(timezone.utc).isoformat()
    elif record.state == "running" and seen.time is not None:
        try:
            end = datetime.fromtimestamp(seen.time, timezone.utc).isoformat()
        except (ValueError, OverflowError, OSError):
            return None
    seconds = seconds_between(record.started_at, end)
    return None if seconds is None else max(seconds, 0.0)
