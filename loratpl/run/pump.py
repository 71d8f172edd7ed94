"""Carries the trainer's output: every byte to disk first, then as lines to whoever watches."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from loratpl.process import Child

_LINE_END = re.compile(r"\r\n|[\r\n]")
_LINE_END_BYTES = re.compile(rb"[\r\n]+")
JOIN_TIMEOUT_S = 10.0
# Each waking costs about as much as a hundred lines: output that comes in drops is gathered for so long. A pipe holds
# 64 KiB, so that whoever writes less than 6 MB/s does not notice.
GATHER_S = 0.01
# What comes in portions larger than this is no trickle; its writer may be waiting.
TRICKLE_BYTES = 16384
# An unfinished line of more than this is none that anybody looks for; its beginning is forgotten.
MAX_REST_BYTES = 65536
# What is remembered of the output while the disk is full.
MAX_UNKEPT_BYTES = 65536


class LineSplitter:
    r"""Turns bytes that arrive in any portions into lines; `\r` ends a line too, as progress bars use it.

    >>> splitter = LineSplitter()
    >>> splitter.feed("a\rb\nhalf ".encode()), splitter.feed("é".encode()[:1]), splitter.feed("é\n".encode()[1:])
    (['a', 'b'], [], ['half é'])
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def feed(self, data: bytes, *, final: bool = False) -> list[str]:
        """Returns the lines that `data` completes; with `final` the unfinished one as well."""
        text = self._rest + self._decoder.decode(data, final)
        # A "\r" at the very end may be the first half of "\r\n".
        held = "\r" if text.endswith("\r") and not final else ""
        *lines, self._rest = _LINE_END.split(text.removesuffix("\r") if held else text)
        self._rest += held
        if final and self._rest:
            lines.append(self._rest)
            self._rest = ""
        return [line for line in lines if line]


class LineSieve:
    r"""Finds the lines that hold one of some pieces of text, at a small part of the cost of splitting all.

    >>> sieve = LineSieve(("saving",))
    >>> sieve.feed(b"1/6\rsav"), sieve.feed(b"ing x\n2/6\r")
    ([], ['saving x'])
    """

    def __init__(self, pieces: tuple[str, ...]) -> None:
        self._pieces = tuple(piece.encode() for piece in pieces)
        self._rest = b""

    def feed(self, data: bytes, *, final: bool = False) -> list[str]:
        """Returns those of the lines that `data` completes; with `final` of the unfinished one as well."""
        end = len(data) if final else max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not end and not final:
            self._rest = (self._rest + data)[-MAX_REST_BYTES:]
            return []
        whole, self._rest = self._rest + data[:end], data[end:]
        if not any(piece in whole for piece in self._pieces):
            return []
        lines = _LINE_END_BYTES.split(whole)
        return [line.decode("utf-8", "replace") for line in lines if any(piece in line for piece in self._pieces)]


class Pump(threading.Thread):
    """Reads a child's output to its end. A full disk stops the keeping of the log, not the reading.

    Args:
        child: Whose output.
        log_path: Gets every byte.
        on_line: Is told each line, or those with one of `pieces` where there are any.
        pieces: What a line must hold to be told.
        on_output: Is told that something was written, after each reading.
    """

    def __init__(
        self,
        child: Child,
        log_path: Path,
        on_line: Callable[[str], None],
        *,
        pieces: tuple[str, ...] = (),
        on_output: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(name="trainer-output", daemon=True)
        self._child, self._on_line, self._on_output = child, on_line, on_output
        self._splitter = LineSieve(pieces) if pieces else LineSplitter()
        self._log_path, self._log = log_path, log_path.open("ab", buffering=0)
        self.write_error: OSError | None = None
        self._unkept = b""

    def run(self) -> None:
        """Reads until every writer of the pipe is gone, then closes it."""
        try:
            while data := self._child.read():
                self._keep(data)
                if self._on_output is not None:
                    self._on_output()
                for line in self._splitter.feed(data):
                    self._on_line(line)
                if len(data) < TRICKLE_BYTES:
                    time.sleep(GATHER_S)
            for line in self._splitter.feed(b"", final=True):
                self._on_line(line)
        finally:
            self._log.close()
            self._child.close()

    def _keep(self, data: bytes) -> None:
        if self.write_error is not None:
            self._unkept = (self._unkept + data)[-MAX_UNKEPT_BYTES:]
        else:
            try:
                if os.fstat(self._log.fileno()).st_nlink == 0:  # the folder was removed, and made again
                    self._reopen()
                self._log.write(data)
            except OSError as error:
                self.write_error, self._unkept = error, data

    def keep_end(self) -> None:
        """Adds the end of what could not be kept, once there is room for it: why a training failed stands there."""
        if self._unkept:
            with contextlib.suppress(OSError), self._log_path.open("ab", buffering=0) as log:
                log.write(b"\n" + self._unkept)

    def _reopen(self) -> None:
        # Until the folder is there again what comes goes to the file that nobody sees any more.
        with contextlib.suppress(FileNotFoundError):
            log = self._log_path.open("ab", buffering=0)
            self._log.close()
            self._log = log
