"""Runs in a terminal of 80 columns: a real pseudo-terminal, and a small reader of what a terminal would show."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command_line import COMMAND
from tests.stand_in import StandIn, make_trainable_project

COLUMNS, ROWS = 80, 24
SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\r\n|\r|\n|[^\x1b\r\n]", re.DOTALL)


def in_terminal(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Returns the exit code of a command that has a terminal for all of its streams, and what it wrote there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    child = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**environment, "TERM": "xterm-256color", **(env or {})},
    )
    os.close(slave)
    written = b""
    with contextlib.suppress(OSError):  # EIO: nobody has the terminal any more
        while data := os.read(master, 65536):
            written += data
    os.close(master)
    return child.wait(60), written.decode()


def screens(written: str) -> list[list[str]]:
    """Returns what the screen showed whenever a line was drawn; the last is what stays."""
    rows, row, column, shown = [""], 0, 0, []
    for match in SEQUENCE.finditer(written):
        text, (count, command) = match.group(), match.groups()
        if text in ("\r\n", "\n", "\r"):
            shown.append([line.rstrip() for line in rows])
            row, column = row + (text != "\r"), 0
            rows += [""] * (row + 1 - len(rows))
        elif command == "A":
            row -= int(count or 1)
        elif command == "K":
            rows[row] = "" if count == "2" else rows[row][:column]
        elif command in ("m", "h", "l"):
            continue
        elif command is not None:
            pytest.fail(f"the reader of the terminal does not know {text!r}")
        else:
            if column == COLUMNS:
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            rows[row] = rows[row].ljust(column)[:column] + text + rows[row][column + 1 :]
            column += 1
    return [*shown, [line.rstrip() for line in rows]]


@pytest.fixture(autouse=True)
def _only_where_there_are_terminals() -> None:
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are POSIX")


def test_a_bar_is_shown_and_leaves_the_result_alone_on_the_screen(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.25)
    monkeypatch.chdir(tmp_path)
    code, written = in_terminal("run", "project", "--name", "x")
    drawn = screens(written)
    (run_dir,) = (root / "log").iterdir()
    bars = {line for screen in drawn for line in screen if "━" in line}
    assert code == 0
    assert any(re.search(r"training ━+.* [2-5]/6 loss 0\.\d{4} ", bar) for bar in bars)
    assert "Trained 6 steps as planned." in drawn[-1]
    joined = "".join(line.ljust(COLUMNS) for line in drawn[-1])
    assert "━" not in joined
    assert "6 steps in 3 epochs, 2 batches each" in drawn[-1][0]
    assert str(run_dir.resolve())[:60] in joined


@pytest.mark.parametrize(("env", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["colour", "NO_COLOR"])
def test_problems_are_coloured_unless_nobody_wants_it(
    tmp_path: Path, stand_in: StandIn, env: dict[str, str], *, has_colours: bool
) -> None:
    root = make_trainable_project(tmp_path / "project", fault="error")
    code, written = in_terminal("run", str(root), env=env)
    assert code == 6
    error = written[: written.index("error:")].rpartition("\n")[2]
    assert bool(re.search(r"\x1b\[(?:\d+;)*3[0-7]m", error)) == has_colours
    plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", written)
    assert "ValueError: bad dimension 7." in plain


def test_json_in_a_terminal_is_json_alone(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    code, written = in_terminal("run", str(root), "--json")
    assert code == 0
    assert "\x1b" not in written
    assert all(line.startswith("{") for line in written.splitlines())


def test_quiet_in_a_terminal_is_quiet(tmp_path: Path, stand_in: StandIn) -> None:
    assert in_terminal("run", str(make_trainable_project(tmp_path / "project")), "--quiet") == (0, "")


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("trainer", "--help")], ids=" ".join)
def test_help_fits_the_terminal(words: tuple[str, ...]) -> None:
    code, written = in_terminal(*words)
    assert code == 0
    assert all(len(line) <= COLUMNS for line in written.splitlines())
    assert "\x1b" not in written
