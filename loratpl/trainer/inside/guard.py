"""Runs a command and ends it, with everything that it started, once standard input is at its end.

Run by path, in a group of its own: `python -I -S guard.py COMMAND [ARGUMENT]…`. Whoever starts it holds the other end
of its standard input. An installer does not look at that, and would go on for minutes after a kohyatpl that was killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Returns the command's return code, as a shell tells it."""
    # The standard input is the guard's alone: a command that reads it would keep its end from being seen.
    command = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_parent, args=(command,), daemon=True).start()
    returncode = command.wait()
    return 128 - returncode if returncode < 0 else returncode


def _end_with_parent(command: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    if sys.platform == "win32":
        command.kill()
    else:
        os.killpg(0, signal.SIGKILL)  # 0: the group of the guard itself, which it leads


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
