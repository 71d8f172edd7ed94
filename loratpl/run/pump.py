"""Carries the trainer's output: every byte to disk first, then as lines to whoever watches."""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Callable
from pathlib import Path

from loratpl.process import Child

_LINE_END = re.compile(r"\r\n|[\r\n]")
JOIN_TIMEOUT_S = 10.0


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


class Pump(threading.Thread):
    """Reads a child's output to its end. A full disk stops the keeping of the log, not the reading."""

    def __init__(self, child: Child, log_path: Path, on_line: Callable[[str], None]) -> None:
        super().__init__(name="trainer-output", daemon=True)
        self._child, self._on_line = child, on_line
        self._log = log_path.open("ab", buffering=0)
        self.write_error: OSError | None = None

    def run(self) -> None:
        """Reads until every writer of the pipe is gone, then closes it."""
        splitter = LineSplitter()
        with self._log:
            while data := self._child.read():
                self._keep(data)
                for line in splitter.feed(data):
                    self._on_line(line)
            for line in splitter.feed(b"", final=True):
                self._on_line(line)
        self._child.close()

    def _keep(self, data: bytes) -> None:
        if self.write_error is None:
            try:
                self._log.write(data)
            except OSError as error:
                self.write_error = error
