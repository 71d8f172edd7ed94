"""Writes lines from a thread of its own: whoever reads them slowly, or not at all, holds up nobody."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from collections import deque
from typing import IO

# What a reader may be behind. Beyond that lines are dropped: a training must not run out of memory for its listener.
MAX_BEHIND_BYTES = 64 * 1024 * 1024
# At the end a reader gets all it has not had yet, as long as it takes some of it within this time.
STALL_S = 5.0
_WAIT_S = 0.1
# What a pipe that is ready takes without blocking: PIPE_BUF is no less than this on Linux and macOS.
_PORTION_BYTES = 512 if sys.platform == "darwin" else 4096


class LineWriter(threading.Thread):
    """Writes lines to a stream in the order in which they come.

    Attributes:
        dropped: Lines that were given up because too many waited, or because nobody took them at the end.
    """

    def __init__(self, stream: IO[str], *, max_behind_bytes: int = MAX_BEHIND_BYTES, stall_s: float = STALL_S) -> None:
        super().__init__(name="lines", daemon=True)
        self._stream = stream
        self._max_behind_bytes, self._stall_s = max_behind_bytes, stall_s
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._descriptor = _descriptor_of(stream)
        self._lines: deque[bytes] = deque()
        self._behind_bytes = 0
        self._written_bytes = 0
        self._rest = b""
        self._wake = threading.Condition()
        self._is_ending = self._is_given_up = self._is_gone = False
        self.dropped = 0

    def put(self, line: str) -> None:
        """Takes a line, without its end; never waits for the reader."""
        data = (line + ("\n" if self._descriptor is None else os.linesep)).encode(self._encoding, "backslashreplace")
        with self._wake:
            if self._is_gone:
                return
            if self._behind_bytes + len(data) > self._max_behind_bytes:
                self.dropped += 1
                return
            self._lines.append(data)
            self._behind_bytes += len(data)
            self._wake.notify()

    def finish(self) -> str:
        """Waits until the reader has had everything, or takes nothing any more.

        Returns:
            What is left of a line that was written in part; whoever writes to the stream next has to write it first.
        """
        with self._wake:
            self._is_ending = True
            self._wake.notify()
        written, since = -1, time.monotonic()
        while self.is_alive():
            self.join(_WAIT_S)
            if written != self._written_bytes:
                written, since = self._written_bytes, time.monotonic()
            elif time.monotonic() - since > self._stall_s:
                break
        with self._wake:
            self._is_given_up = True
            if not self._is_gone:
                self.dropped += len(self._lines)
            self._lines.clear()
        self.join(_WAIT_S * 3)
        return self._rest.decode(self._encoding, "replace")

    def run(self) -> None:
        """Writes until the end, or until the reader has gone."""
        try:
            while (data := self._next()) is not None:
                self._deliver(data)
        except (OSError, ValueError):  # the reader has gone
            with self._wake:
                self._is_gone = True
                self._lines.clear()
                self._rest = b""

    def _next(self) -> bytes | None:
        with self._wake:
            while not self._lines and not self._is_ending:
                self._wake.wait()
            if not self._lines:
                return None
            data = self._lines.popleft()
            self._behind_bytes -= len(data)
            return data

    def _deliver(self, data: bytes) -> None:
        if self._descriptor is None:
            self._stream.write(data.decode(self._encoding))
            self._stream.flush()
            self._written_bytes += len(data)
            return
        self._rest = data
        while self._rest:
            if not _takes_some(self._descriptor):
                if self._is_given_up:
                    break
                continue
            written = os.write(self._descriptor, self._rest[:_PORTION_BYTES])
            self._rest = self._rest[written:]
            self._written_bytes += written
        if self._rest == data:  # nothing of it is out: it need not be finished
            self._rest = b""
            self.dropped += 1


def _takes_some(descriptor: int) -> bool:
    """Waits a moment until something can be written."""
    import select

    if not hasattr(select, "poll"):  # pragma: no cover - a system where only a write tells
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(1000 * _WAIT_S))


def _descriptor_of(stream: IO[str]) -> int | None:
    """Consoles of Windows want text, and a stream without a file has no descriptor."""
    if sys.platform == "win32":
        return None
    with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
        stream.flush()
        return stream.fileno()
    return None
