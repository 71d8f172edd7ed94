"""What git, venv, pip and uv say when something goes wrong, made into problems."""

from __future__ import annotations

import re

from loratpl.errors import Problem, TrainerError

ROOM_FIX = "Make room (a CUDA build of PyTorch takes about 6 GB), or name another disk with KOHYATPL_HOME."
MAX_REASON_CHARS = 600

_DISK = re.compile(r"No space left|Disk quota exceeded|File too large|not enough space on the disk", re.IGNORECASE)
# uv draws its chain of causes as a tree or prefixes each with a word, by version.
_UV_TREE = re.compile(r"^(?:[│╰├─▶×↳ ]+|(?:cause|Caused by): *)+")
_ENSUREPIP = re.compile(r"ensurepip is not\s+available")


def is_disk_full(text: str) -> bool:
    """Returns whether a program says that there is no room for what it writes."""
    return _DISK.search(text) is not None


def disk_full(what: str, text: str, where: str) -> TrainerError:
    """Returns the error of a program that found no room; `what` is what cannot be done."""
    (said,) = [line for line in text.splitlines() if _DISK.search(line)][-1:] or [text]
    said = _UV_TREE.sub("", said.strip()).removeprefix("ERROR: ").rstrip(".")
    return TrainerError(Problem("trainer.install.disk", f"{what}: {said}.", where, ROOM_FIX))


def failed(code: str, what: str, text: str, fix: str) -> TrainerError:
    """Returns the error of a program that has written `text`; a full disk is told as such whatever the code.

    Args:
        code: The problem's code.
        what: What cannot be done, without its full stop.
        text: All that the program wrote, or the end of it.
        fix: What mends it.
    """
    if is_disk_full(text):
        return disk_full(what, text, "trainer environment")
    return TrainerError(Problem(code, f"{what}: {reason_in(text)}.", "trainer environment", fix))


def reason_in(text: str) -> str:
    r"""Returns the sentence that says why, without its full stop.

    >>> reason_in("Collecting x\nERROR: Ignored y\nERROR: No matching distribution found for x\n")
    'No matching distribution found for x'
    >>> reason_in("error: Request failed\n  cause: tcp connect error\n  cause: Connection refused\n")
    'Request failed: tcp connect error: Connection refused'
    """
    missing = _ENSUREPIP.search(text)
    if missing:
        return "ensurepip is not available"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.startswith(("error:", "×")):  # uv: one error, and its causes below it
            return _uv_reason(lines[number:])
    errors = [line for line in lines if line.startswith(("ERROR:", "Error:"))]
    return (errors or lines or ["no message"])[-1].removeprefix("ERROR: ").rstrip(".")


def _uv_reason(lines: list[str]) -> str:
    reason = lines[0].removeprefix("error:").lstrip("× ").rstrip(".:")
    for line in lines[1:]:
        if line.startswith("hint"):
            break
        is_cause = _UV_TREE.match(line) is not None
        reason += (": " if is_cause else " ") + _UV_TREE.sub("", line)
    return reason[:MAX_REASON_CHARS].rstrip(".")
