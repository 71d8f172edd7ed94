"""The guard, started as an install starts it: a command that does not outlive whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loratpl.resources import INSIDE_DIR
from tests.command_line import eventually, members_of_group

GUARD = (sys.executable, "-I", "-S", str(INSIDE_DIR / "guard.py"))
posix = pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals of POSIX")
# Starts a child of its own, says so, and looks neither at its input nor at a polite signal.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def _guarded(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a command as `process.Child` does; nothing of it outlives the body."""
    with subprocess.Popen(
        [*GUARD, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as guard:
        try:
            yield guard
        finally:
            for pid in members_of_group(guard.pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("code", [0, 3])
def test_the_commands_code_words_and_output_are_passed_on(odd_path: Path, code: int) -> None:
    script = "import os, sys; print(sys.argv[1:], os.getcwd(), repr(sys.stdin.read())); sys.exit(int(sys.argv[1]))"
    words = [str(code), "a b", "--x", "ñ"]
    with subprocess.Popen(
        [*GUARD, sys.executable, "-c", script, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=odd_path,
        env={**os.environ, "PYTHONUTF8": "1"},
    ) as guard:
        assert guard.stdout is not None
        said = guard.stdout.read().decode()
        assert guard.wait() == code
    assert said.strip() == f"{words} {os.path.realpath(odd_path)} ''"


@posix
def test_a_command_that_is_killed_is_told_as_a_shell_tells_it() -> None:
    with _guarded(sys.executable, "-c", "import os; os.kill(os.getpid(), 9)") as guard:
        assert guard.wait() == 128 + signal.SIGKILL


@posix
def test_the_end_of_its_input_ends_the_command_and_its_children() -> None:
    with _guarded(sys.executable, "-c", STUBBORN) as guard:
        assert guard.stdin is not None
        assert guard.stdout is not None
        assert guard.stdout.readline() == b"ready\n"
        assert len(members_of_group(guard.pid)) == 3
        guard.stdin.close()
        eventually(lambda: not members_of_group(guard.pid), "nothing of it runs any more", 5.0)
        assert guard.wait() == -signal.SIGKILL
