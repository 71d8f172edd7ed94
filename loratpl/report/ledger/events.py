"""What events.jsonl tells of a run, without more of it in memory than is asked for: its end, or its curve of loss."""

from __future__ import annotations

import contextlib
import math
import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.report.ledger.event_lines import (
    MAX_LINE_BYTES,
    event_in,
    lines_of,
    number,
    opened,
    parts_of,
    step_of,
)
from loratpl.run.history import KnownRun

# A step is about 200 bytes; what comes after the last one is seldom more than a few problems.
_TAIL_BYTES = 4096
_MAX_TAIL_BYTES = 256 * 1024
# As the trainer's process writes it; a line that looks otherwise is read as JSON.
_STEP = re.compile(
    rb'\{"event": "step", "time": [\d.]+, "step": (\d{1,15}), "loss": (-?[\d.eE+-]+), "average_loss": (-?[\d.eE+-]+),'
)


@dataclass(frozen=True, slots=True)
class LastSeen:
    """What a run told last; None for what it did not tell, or not near its end.

    Attributes:
        step: The last one done.
        loss: Of that step.
        average_loss: The trainer's moving average then.
        time: Of the last event of all, in seconds since 1970.
    """

    step: int | None = None
    loss: float | None = None
    average_loss: float | None = None
    time: float | None = None


@dataclass(slots=True)
class Curve:
    """The loss of every step that a training told, those of the runs that it went on from as well.

    Attributes:
        steps: In their order, each once.
        losses: One for each; NaN where the loss was no number.
        average_loss: The trainer's moving average at the end.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    losses: array[float] = field(default_factory=lambda: array("d"))
    average_loss: float | None = None

    def add(self, step: int, loss: float | None, average_loss: float | None) -> None:
        """Takes in a step, unless it is not later than the last."""
        if not self.steps or step > self.steps[-1]:
            self.steps.append(step)
            self.losses.append(math.nan if loss is None else loss)
            self.average_loss = average_loss


def last_seen(path: Path) -> LastSeen:
    """Returns what a file of events ends with; it is read from its end, a few kB mostly."""
    with contextlib.suppress(OSError), opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        length, found = _TAIL_BYTES, LastSeen()
        while True:
            start = max(size - length, 0)
            file.seek(start)
            lines = file.read(size - start).splitlines()
            found = _last_of(lines if start == 0 else lines[1:])
            if found.step is not None or start == 0 or length >= _MAX_TAIL_BYTES:
                return found
            length *= 4
    return LastSeen()


def first_event(path: Path) -> dict[str, Any]:
    """Returns what a file of events begins with, {} where that is nothing."""
    with contextlib.suppress(OSError), opened(path) as file:
        return event_in(file.readline(MAX_LINE_BYTES)) or {}
    return {}


def curve_of(project: ProjectPaths, run: KnownRun) -> Curve:
    """Returns the loss of a training up to a run's last step; runs before it that are gone leave out their steps."""
    curve = Curve()
    for part in parts_of(project, run):
        for step, loss, average_loss in _steps(part.run.paths.events_path):
            # Within an accumulation the number is that of the last update: before the first one it is none of its own.
            if step > part.after and part.holds(step):
                curve.add(step, loss, average_loss)
    return curve


def _steps(path: Path) -> Iterator[tuple[int, float | None, float | None]]:
    for line in lines_of(path):
        matched = _STEP.match(line)
        if matched is not None:
            with contextlib.suppress(ValueError):
                yield int(matched[1]), float(matched[2]), float(matched[3])
        elif b'"step"' in line:
            event = event_in(line)
            step = step_of(event)
            if event is not None and step is not None:
                yield step, number(event.get("loss")), number(event.get("average_loss"))


def _last_of(lines: list[bytes]) -> LastSeen:
    time = None
    for line in reversed(lines):
        event = event_in(line)
        if event is None:
            continue
        time = number(event.get("time")) if time is None else time
        step = step_of(event)
        if step is not None:
            return LastSeen(step, number(event.get("loss")), number(event.get("average_loss")), time)
    return LastSeen(time=time)
