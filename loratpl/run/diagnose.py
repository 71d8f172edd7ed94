"""Finds the line of a failed trainer's log that says why it failed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_TAIL_BYTES = 400_000
# "ValueError: …", "torch.OutOfMemoryError: …", "voluptuous.error.MultipleInvalid: …", also without a message
_EXCEPTION = re.compile(r"^(?:\[rank\d+\]: ?)?((?:[A-Za-z_]\w*\.)*[A-Z]\w*)(?:: (.*))?$")
# accelerate and torchrun report that their child failed after the child has said why.
_WRAPPERS = ("CalledProcessError", "ChildFailedError", "SystemExit")
_ARGPARSE = re.compile(r"^\w+\.py: error: (.*)$")
_LOGGED = re.compile(r"\bERROR\b\s+(.*?)(?:\s{2,}\S+\.py:\d+)?$")
_TRACEBACK = "Traceback (most recent call last):"


def cause_from_log(path: Path) -> str | None:
    """Returns the real error line of the log at `path`, None where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return None
    return real_error(re.split(r"[\r\n]+", text))


def real_error(lines: Iterable[str]) -> str | None:
    """Returns the last error of the trainer itself: an exception, an argument error, else a logged error.

    >>> real_error(["Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: bad dim",
    ...             "Traceback (most recent call last):", "subprocess.CalledProcessError: Command …"])
    'ValueError: bad dim'
    """
    exception: str | None = None
    logged: str | None = None
    in_traceback = False
    for raw in lines:
        line = raw.rstrip()
        if _TRACEBACK in line:
            in_traceback = True
        elif match := _ARGPARSE.match(line):
            exception = f"the trainer refused its arguments: {match.group(1)}"
        elif in_traceback and (match := _EXCEPTION.match(line)):
            in_traceback = False
            if not match.group(1).endswith(_WRAPPERS):
                exception = line.partition("]: ")[2] if line.startswith("[rank") else line
        elif match := _LOGGED.search(line):
            logged = match.group(1)
    return exception or logged
