"""The paces of this machine's earlier runs: one JSON line each, in the user's data folder.

Nothing in it says what was trained: no path, no name. It is there to predict times, so whatever is wrong with it is
passed over, and what cannot be written is not kept.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.plan.pace.facts import Pace
from loratpl.trainer.paths import UserPaths

if TYPE_CHECKING:
    from pydantic import TypeAdapter

PACE_SCHEMA = 1
MAX_LINES = 500
LOCK_TIMEOUT_S = 5.0


def read_paces(paths: UserPaths) -> tuple[Pace, ...]:
    """Returns the paces that were kept, the newest last; a damaged line, or one of a newer version, is passed over."""
    try:
        data = paths.paces_path.read_bytes()
    except OSError:
        return ()
    found = (_parsed(line) for line in data.split(b"\n"))
    return tuple(sorted((pace for pace in found if pace is not None), key=lambda pace: pace.time))


def append_pace(paths: UserPaths, pace: Pace) -> bool:
    """Returns whether a pace was added; the oldest beyond `MAX_LINES` are let go.

    Several runs may add theirs at once: they wait for each other, but not for long.
    """
    import filelock

    try:
        paths.root_dir.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(paths.paces_lock_path, timeout=LOCK_TIMEOUT_S):
            _append(paths.paces_path, _line(pace))
            _shorten(paths.paces_path)
    except (OSError, filelock.Timeout):
        return False
    return True


def _append(path: Path, line: bytes) -> None:
    with path.open("ab+", buffering=0) as file:
        size_bytes = file.seek(0, os.SEEK_END)
        if size_bytes:
            file.seek(size_bytes - 1)
            if file.read(1) != b"\n":  # whoever wrote last was killed within a line
                line = b"\n" + line
        file.write(line)


def _shorten(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    if len(lines) <= MAX_LINES:
        return
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.writelines(lines[-MAX_LINES:])
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _line(pace: Pace) -> bytes:
    values = _adapter().dump_python(pace, mode="json")
    return (json.dumps({"schema_version": PACE_SCHEMA, **values}) + "\n").encode()


def _parsed(line: bytes) -> Pace | None:
    try:
        values = json.loads(line)
        return _adapter().validate_python(values) if values["schema_version"] == PACE_SCHEMA else None
    except (ValueError, TypeError, KeyError, RecursionError):  # pydantic's is a ValueError
        return None


@functools.cache
def _adapter() -> TypeAdapter[Pace]:
    from pydantic import TypeAdapter

    return TypeAdapter(Pace)
