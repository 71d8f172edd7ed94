"""What lies in a folder that pictures are to be taken from: looked at once, before anything is decided."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from loratpl.errors import Problem, ProjectError

# Enough to know a Git LFS pointer and a JPEG by.
_HEAD_BYTES = 48


class Kind(Enum):
    """What an entry of a folder is, links followed."""

    FILE = "file"
    FOLDER = "folder"
    BROKEN_LINK = "broken link"
    UNREADABLE = "unreadable"
    SPECIAL = "special"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a folder.

    Attributes:
        name: Its name in the folder.
        kind: What it is.
        size_bytes: Of a file.
        head: The first bytes of a file.
    """

    name: str
    kind: Kind = Kind.FILE
    size_bytes: int = 1
    head: bytes = b""


def listing(folder: Path) -> tuple[Entry, ...]:
    """Returns the entries of a folder, sorted by name.

    Raises:
        ProjectError: The folder cannot be listed.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise unreadable_source(folder, error) from error
    return tuple(map(_entry, paths))


def unreadable_source(folder: Path, error: OSError) -> ProjectError:
    """Returns what is said of a folder that cannot be listed."""
    return ProjectError(
        Problem(
            "dataset.source.unreadable",
            f"{folder} cannot be read: {error.strerror or error}.",
            str(folder),
            "See that you may read it. Nothing was laid out.",
        )
    )


def _entry(path: Path) -> Entry:
    try:
        status = path.stat()
    except OSError:
        return Entry(path.name, Kind.BROKEN_LINK if path.is_symlink() else Kind.UNREADABLE)
    if stat.S_ISDIR(status.st_mode):
        return Entry(path.name, Kind.FOLDER)
    if not stat.S_ISREG(status.st_mode):  # reading from a pipe would wait for ever
        return Entry(path.name, Kind.SPECIAL)
    try:
        with path.open("rb") as file:
            return Entry(path.name, Kind.FILE, status.st_size, file.read(_HEAD_BYTES))
    except OSError:
        return Entry(path.name, Kind.UNREADABLE)


def names_of(entries: Iterable[Entry], kind: Kind) -> list[str]:
    """Returns the names of the entries of a kind that are not hidden."""
    return [entry.name for entry in entries if entry.kind is kind and not entry.name.startswith(".")]
