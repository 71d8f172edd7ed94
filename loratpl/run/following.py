"""Follows a run that another process works on, by the events that it leaves on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from loratpl.errors import ProjectError
from loratpl.project import ProjectPaths, RunPaths, is_busy
from loratpl.records import EventReader, RunRecord, read_record
from loratpl.run.gauges import is_trainer
from loratpl.run.watch import Step, Watcher

POLL_INTERVAL_S = 0.02
# Asking for the lock takes it for a moment: only when nothing was heard for some time, and seldom.
SILENCE_S = 3.0
ASK_INTERVAL_S = 3.0
# The record is written a moment before or after the last event is.
SETTLE_S = 3.0


class Follower(Watcher, Protocol):
    """A watcher that can begin in the middle of a run."""

    def catch_up(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Takes in what happened before anybody watched."""


@dataclass
class Following:
    """One run, followed until it ends, is lost, or nobody wants to follow it any more.

    Attributes:
        last_step: The last one that was reported.
    """

    project: ProjectPaths
    paths: RunPaths
    watcher: Follower
    wants_to_leave: Callable[[], bool]
    last_step: int = 0
    _total: int = 0
    _trainer_pid: int | None = None
    _has_ended: bool = False
    _phase: str = ""
    _heard_at: float = field(default_factory=time.monotonic)
    _asked_at: float = field(default_factory=time.monotonic)

    def to_the_end(self) -> RunRecord | None:
        """Returns the run's record once nobody works on it any more, None when leaving was asked for.

        A record that still says "running" then is that of a run that was lost.

        Raises:
            ProjectError: The record cannot be read.
        """
        events = EventReader(self.paths.events_path)
        earlier = list(events.new())
        for event in earlier:
            self._learn(event)
        self.watcher.catch_up(earlier)
        while not self._has_ended:
            if self.wants_to_leave():
                return None
            for event in events.new():
                self._tell(event)
            if not self._has_ended and self._is_over():
                for event in events.new():
                    self._tell(event)
                break
            time.sleep(POLL_INTERVAL_S)
        return self._settled()

    def _tell(self, event: dict[str, Any]) -> None:
        self._heard_at = time.monotonic()
        self._learn(event)
        self.watcher.event(event)
        kind, number = event.get("event"), event.get("step")
        if kind == "step" and isinstance(number, int):
            self.watcher.step(Step(number, self._total, event.get("loss"), event.get("average_loss")))
        elif kind == "phase":
            self.watcher.phase(str(event.get("phase")))
        elif kind == "problem":
            fix = f" {event['fix']}" if event.get("fix") else ""
            self.watcher.note(f"{event.get('severity')}: {event.get('message')}{fix}")

    def _learn(self, event: Mapping[str, Any]) -> None:
        kind, number = event.get("event"), event.get("step")
        if kind == "run":
            self._total = event.get("total_steps") or 0
            self._trainer_pid = event.get("trainer_pid")
        elif kind == "step" and isinstance(number, int):
            self.last_step = number
        elif kind == "end":
            self._has_ended = True

    def _is_over(self) -> bool:
        """Whether the run has been silent, and nobody works on the project any more."""
        now = time.monotonic()
        if min(now - self._heard_at, now - self._asked_at) < min(SILENCE_S, ASK_INTERVAL_S):
            return False
        self._asked_at = now
        if self._trainer_pid is not None and is_trainer(self._trainer_pid, self.paths.run_id):
            return False
        return read_record(self.paths.record_path).state != "running" or not is_busy(self.project)

    def _settled(self) -> RunRecord:
        end = time.monotonic() + (SETTLE_S if self._has_ended else 0.0)
        while True:
            try:
                record = read_record(self.paths.record_path)
                if record.state != "running" or time.monotonic() >= end:
                    return record
            except ProjectError:
                if time.monotonic() >= end:
                    raise
            time.sleep(POLL_INTERVAL_S)
