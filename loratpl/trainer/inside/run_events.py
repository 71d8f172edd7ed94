"""The file of events: what a training tells of itself while it runs, one JSON object a line."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from typing import Any


class Events:
    """Appends events to a file; every line is written at once, so that two writers never mix within one."""

    def __init__(self, path: str | None) -> None:
        self._path, self._is_cut = path, False
        self._descriptor: int | None = None if path is None else _opened(path)

    def write(self, event: str, **details: Any) -> None:
        """Writes one event; a full disk must not end a training, so what cannot be written is lost."""
        if self._descriptor is None or self._path is None:
            return
        line = json.dumps({"event": event, "time": round(time.time(), 3), **details}) + "\n"
        with contextlib.suppress(OSError):
            if os.fstat(self._descriptor).st_nlink == 0:  # the run's folder was removed, and made again
                self._reopen(self._path)
            data = b"\n" * self._is_cut + line.encode()
            self._is_cut = True  # a disk that runs full takes a part of it, or nothing
            self._is_cut = os.write(self._descriptor, data) != len(data)

    def _reopen(self, path: str) -> None:
        lost, self._descriptor = self._descriptor, _opened(path)
        if lost is not None:
            os.close(lost)


def _opened(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o644)


def number(value: float) -> float | None:
    """Returns a number as JSON has it, which knows no NaN and no infinities."""
    return float(value) if math.isfinite(value) else None
