"""The way to a weights file: what stands there is looked at before a byte of it is believed."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import Problem
from loratpl.report.inspect.foreign import foreign_problem

HEAD_BYTES = 512
LENGTH_BYTES = 8
_KINDS = (
    (stat.S_ISDIR, "a folder without weights"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# What a header may have where the file seems to be cut and not to be of another kind.
_PLAUSIBLE_HEADER_BYTES = 100_000_000
_PERMISSIONS = "Look at its permissions, and at the disk that it is on."
AGAIN = "Download or copy it again; compare its size with where it came from."


class RefusedFileError(Exception):
    """The file is not looked into; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Opened:
    """A regular file that starts as a safetensors file does."""

    path: Path
    size_bytes: int
    header_bytes: int


def open_weights(path: Path) -> Opened:
    """Returns the size of a safetensors file and of its header; nothing beyond its first bytes is read.

    Raises:
        RefusedFileError: It is not there, cannot be read, or is another kind of file.
    """
    size_bytes = _regular_size(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise RefusedFileError(_unreadable(path, f"cannot be read: {error.strerror or error}", _PERMISSIONS)) from error
    foreign = foreign_problem(path, size_bytes, head)
    if foreign is not None:
        raise RefusedFileError(foreign)
    if len(head) < LENGTH_BYTES:
        raise RefusedFileError(
            _header_problem(path, f"has {size_bytes} bytes, fewer than a safetensors file starts with")
        )
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    if length > size_bytes - LENGTH_BYTES:
        if head[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{" and length < _PLAUSIBLE_HEADER_BYTES:
            raise RefusedFileError(_cut(path, size_bytes, length))
        said = f"says that its header has {length:,} bytes; the whole file has {size_bytes:,}"
        raise RefusedFileError(_header_problem(path, f"{said}. It is no safetensors file, or its start is damaged"))
    return Opened(path, size_bytes, length)


def _regular_size(path: Path) -> int:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RefusedFileError(_missing(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a name that no system takes
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RefusedFileError(_unreadable(path, f"cannot be read: {why}", _PERMISSIONS)) from error
    for is_kind, name in _KINDS:
        if is_kind(status.st_mode):
            raise RefusedFileError(_unreadable(path, f"is {name}", "Name a file of weights."))
    return status.st_size


def _missing(path: Path) -> Problem:
    if not path.is_symlink():
        return _unreadable(path, "is not there", "Look at the name; a shell expands `*.safetensors`.")
    target = str(path.readlink())
    if ".git/annex" in target.replace("\\", "/"):
        return _unreadable(
            path, "is a link of git-annex, and its content is not on this machine", "Run `git annex get` on it."
        )
    return _unreadable(path, f"is a link to {target}, where nothing is", "Mend the link, or name the file itself.")


def _unreadable(path: Path, what: str, fix: str) -> Problem:
    return Problem("project.weights.unreadable", f"{path} {what}.", str(path), fix)


def _header_problem(path: Path, what: str) -> Problem:
    return Problem("project.weights.header", f"{path} {what}.", str(path), AGAIN)


def _cut(path: Path, size_bytes: int, header_bytes: int) -> Problem:
    return Problem(
        "project.weights.cut",
        f"{path} ends inside its header: that has {header_bytes:,} bytes, the whole file {size_bytes:,}.",
        str(path),
        "Download or copy it again; a run that was killed while it saved leaves such a file.",
    )
