"""The LoRAs that runs wrote: where they lie now, and whether they are still those."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.records import RunRecord
from loratpl.report.ledger.event_lines import event_in, lines_of
from loratpl.run.again import project_dir_then, re_anchored
from loratpl.run.history import KnownRun

# A file's time and that of the event that tells it come from the same clock, a moment apart.
_CLOCK_S = 2.0


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A LoRA that a run proved, where it lies now.

    Attributes:
        path: Now; another than then where the project was moved.
        size_bytes: When it was proven.
        sha256: When it was proven.
        is_there: Whether a file of that size is there.
    """

    path: Path
    size_bytes: int
    sha256: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class RemovableOutput:
    """A LoRA that a run wrote.

    Attributes:
        path: Where it lies.
        size_bytes: Its size.
        sha256: What it must hash to, None where the run ended before it was proven.
    """

    path: Path
    size_bytes: int
    sha256: str | None


def outputs_of(project: ProjectPaths, record: RunRecord) -> tuple[OutputFile, ...]:
    """Returns what a run proved, by where it lies now."""
    old_dir = project_dir_then(record)
    found = []
    for output in record.outputs:
        path = Path(output.path if old_dir is None else re_anchored(output.path, old_dir, project.root_dir.resolve()))
        found.append(OutputFile(path, output.size_bytes, output.sha256, has_size(path, output.size_bytes)))
    return tuple(found)


def written_by(project: ProjectPaths, run: KnownRun) -> Iterator[RemovableOutput]:
    """Yields the LoRAs of a run that are there as it wrote them; a link is never one of them."""
    record = run.record
    if record is None:
        return
    proven = set()
    for output in outputs_of(project, record):
        proven.add(place_of(output.path))
        status = _file_status(output.path)
        if status is not None and status.st_size == output.size_bytes:
            yield RemovableOutput(output.path, output.size_bytes, output.sha256)
    old_dir = project_dir_then(record)
    for event in _checkpoints(run.paths.events_path):
        name, size_bytes, time = (event.get(key) for key in ("path", "size_bytes", "time"))
        if not isinstance(name, str) or not isinstance(time, (int, float)):
            continue
        path = Path(name if old_dir is None else re_anchored(name, old_dir, project.root_dir.resolve()))
        status = _file_status(path)
        is_untouched = status is not None and status.st_size == size_bytes and status.st_mtime <= time + _CLOCK_S
        if status is not None and is_untouched and place_of(path) not in proven:
            proven.add(place_of(path))
            yield RemovableOutput(path, status.st_size, None)


def _checkpoints(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the checkpoints that a run told of: of one that did not finish nothing was proven."""
    for line in lines_of(path):
        if b'"checkpoint"' in line:
            event = event_in(line)
            if event is not None and event.get("event") == "checkpoint":
                yield event


def has_size(path: Path, size_bytes: int) -> bool:
    """Returns whether a file of a size lies there."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size_bytes


def _file_status(path: Path) -> os.stat_result | None:
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def place_of(path: Path) -> str:
    """Returns where a file really lies, to be compared with other places."""
    try:
        return os.path.normcase(os.path.realpath(path))
    except ValueError:  # a name that no file system takes
        return str(path)
