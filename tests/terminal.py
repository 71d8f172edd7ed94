"""A terminal as a command has it: a real pseudo-terminal, and a small reader of what it would show."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from loratpl.ui.columns import width_of
from tests.command_line import COMMAND

COLUMNS, ROWS = 80, 24
_SECOND_CELL = "\0"  # of a wide character
SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\r\n|\r|\n|[^\x1b\r\n]", re.DOTALL)


class Terminal:
    """A pseudo-terminal with a command in it, whose output is read by a thread unless told otherwise."""

    def __init__(
        self, words: Sequence[str | Path], env: Mapping[str, str], size: tuple[int, int], *, is_read: bool
    ) -> None:
        import fcntl
        import pty
        import termios

        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.popen = subprocess.Popen(
            [str(word) for word in words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**kept, "TERM": "xterm-256color", **env},
        )
        os.close(slave)
        self._written = b""
        self.portions: list[tuple[float, bytes]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        if is_read:
            self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
            while data := os.read(self.master, 65536):
                self.portions.append((time.time(), data))
                self._written += data

    @property
    def written(self) -> str:
        """What has been written so far."""
        return self._written.decode(errors="replace")

    def type(self, data: bytes) -> None:
        """Presses keys."""
        os.write(self.master, data)

    def start_reading(self) -> None:
        """Reads from now on what is written."""
        self._reader.start()

    def finish(self, timeout_s: float = 60.0) -> tuple[int, str]:
        """Returns the exit code and everything that was written."""
        code = self.popen.wait(timeout_s)
        self._reader.join(10)
        return code, self.written

    def close(self) -> None:
        """Closes the window."""
        os.close(self.master)


@contextlib.contextmanager
def terminal(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    size: tuple[int, int] = (COLUMNS, ROWS),
    is_read: bool = True,
) -> Iterator[Terminal]:
    """Opens a terminal in which a command line of ours runs; it does not outlive the body."""
    opened = Terminal([*COMMAND, *arguments], env or {}, size, is_read=is_read)
    try:
        yield opened
    finally:
        opened.popen.kill()
        opened.popen.wait()
        with contextlib.suppress(OSError):
            opened.close()


def in_terminal(
    *arguments: str | Path, env: Mapping[str, str] | None = None, size: tuple[int, int] = (COLUMNS, ROWS)
) -> tuple[int, str]:
    """Returns the exit code of a command that has a terminal for all of its streams, and what it wrote there."""
    with terminal(*arguments, env=env, size=size) as opened:
        return opened.finish()


def screens(written: str, columns: int = COLUMNS) -> list[list[str]]:
    """Returns what the screen showed whenever a line was drawn; the last is what stays."""
    rows, row, column, shown = [""], 0, 0, []
    for match in SEQUENCE.finditer(written):
        text, (count, command) = match.group(), match.groups()
        if text in ("\r\n", "\n", "\r"):
            shown.append(list(rows))
            row, column = row + (text != "\r"), 0
            rows += [""] * (row + 1 - len(rows))
        elif command == "A":
            row -= int(count or 1)
            assert row >= 0, "the cursor left the top of what was drawn"
        elif command == "B":
            row += int(count or 1)
            assert row < len(rows), "the cursor left the bottom of what was drawn"
        elif command == "G":
            column = int(count) - 1
        elif command == "K":
            rows[row] = "" if count == "2" else rows[row][:column]
        elif command == "J":
            rows[row:] = [rows[row][:column]]
        elif command in ("m", "h", "l"):
            continue
        elif command is not None:
            pytest.fail(f"the reader of the terminal does not know {text!r}")
        else:
            if column == columns:
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            cells = text + _SECOND_CELL * (width_of(text) - 1)
            rows[row] = rows[row].ljust(column)[:column] + cells + rows[row][column + len(cells) :]
            column += len(cells)
    return [[line.replace(_SECOND_CELL, "").rstrip() for line in lines] for lines in [*shown, rows]]
