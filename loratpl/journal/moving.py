"""The renames themselves: one after the other, never over anything."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from loratpl.journal.file import named, sync_folders


def move_all(pairs: Iterable[tuple[str, str]], parents: Collection[str], unasked: Collection[str] = ()) -> None:
    """Renames each in turn; never over anything.

    Args:
        pairs: From and to.
        parents: All folders that these lie in.
        unasked: Folders whose new names were found to be free a moment ago. Even on POSIX a folder replaces nothing
            but an empty folder, and to ask again for each of thousands takes half as long as to rename them.
    """
    for source, target in pairs:
        if source not in unasked and os.path.lexists(target):
            raise exists_error(target)
        os.rename(source, target)  # noqa: PTH104 - a Path for each of thousands takes longer than the rename
    sync_folders(parents)


def exists_error(path: str) -> FileExistsError:
    """Returns what is raised where something has the name already."""
    return FileExistsError(errno.EEXIST, "something of that name is there already", path)


def reason_of(journal_path: Path, error: OSError) -> str:
    """Returns what failed and why, without a full stop."""
    path = error.filename or journal_path
    return f"{named(journal_path, path)} cannot be renamed or written: {error.strerror or error}"
