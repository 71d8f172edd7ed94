"""The lines of events.jsonl: what counts as an event, as a step and as a number, and which runs tell of a training."""

from __future__ import annotations

import contextlib
import json
import math
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from loratpl.project import ProjectPaths
from loratpl.run.history import KnownRun, lineage

# Nothing that a run writes in one line is longer.
MAX_LINE_BYTES = 1 << 20
_MAX_STEP = 10**15


@dataclass(frozen=True, slots=True)
class RunPart:
    """What a run adds to a training that several runs made, each going on from a state of the one before.

    Attributes:
        run: The run.
        after: The step of the state that it went on from; 0 where it began the training.
        until: The step of the state that the next one went on from: what it did beyond was done again. None for the
            run that is asked about.
    """

    run: KnownRun
    after: int
    until: int | None

    def holds(self, step: int) -> bool:
        """Returns whether what happened at a step, or after the step that the run went on from, is part of it."""
        return self.until is None or step <= self.until


def parts_of(project: ProjectPaths, run: KnownRun) -> tuple[RunPart, ...]:
    """Returns the runs that a training was made in, the first one first, as far as they are still there."""
    parts: list[RunPart] = []
    until: int | None = None
    for one in lineage(project, run):
        after = one.record.start_step if one.record is not None else 0
        parts.append(RunPart(one, after, until))
        until = after if until is None else min(after, until)
    return tuple(reversed(parts))


def lines_of(path: Path) -> Iterator[bytes]:
    """Yields the lines of a file of events with their ends; nothing where it cannot be read, or no further."""
    with contextlib.suppress(OSError), opened(path) as file:
        yield from iter(lambda: file.readline(MAX_LINE_BYTES), b"")


def opened(path: Path) -> BinaryIO:
    """Opens a file and nothing else: a pipe of that name would be waited for.

    Raises:
        OSError: It is no file, or cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no file")
    return path.open("rb")


def event_in(line: bytes) -> dict[str, Any] | None:
    """Returns the event of a line, None where the line is damaged."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def whole(value: Any) -> int | None:
    """Returns a number of steps or the like, None for what is none.

    >>> whole(3), whole(True), whole(-1), whole("3")
    (3, None, None, None)
    """
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_STEP else None


def step_of(event: Mapping[str, Any] | None) -> int | None:
    """Returns the number of the step that an event tells of, None where it tells of none."""
    return whole(event.get("step")) if event is not None and event.get("event") == "step" else None


def number(value: Any) -> float | None:
    """Returns a number, None for what is none or is not finite.

    >>> number(0.5), number(True), number(float("inf")), number(10**400)
    (0.5, None, None, None)
    """
    if type(value) is float:  # as nearly all are: a long training has a million of them
        return value if math.isfinite(value) else None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    try:
        return float(value) if is_number and math.isfinite(value) else None
    except OverflowError:
        return None
