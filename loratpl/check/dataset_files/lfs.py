"""Git LFS pointers: one cause, told once, however many files there are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from loratpl.dataset.inspect import Inspection
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_SHOWN = 5


def is_pointer(found: Inspection) -> bool:
    """Returns whether a file is a Git LFS pointer."""
    return found.impostor == "lfs"


def lfs_problems(project: ProjectPaths, pointers: Sequence[Path]) -> Iterator[Problem]:
    """Yields one error for all files that are Git LFS pointers, pictures and captions alike.

    The trainer finds no size in a picture's pointer and ends in a ZeroDivisionError; a caption's it would train.
    """
    if not pointers:
        return
    names = [project.relative(path) for path in pointers]
    if len(names) == 1:
        message = f"{names[0]} is a Git LFS pointer, not the file itself: nothing can be trained with it."
    else:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        message = (
            f"{len(names)} files are Git LFS pointers, not the files themselves: {', '.join(names[:_SHOWN])}{more}. "
            "Nothing can be trained with them."
        )
    fix = (
        "Run `git lfs pull` in the clone, then `kohyatpl check`; where git does not know lfs, install git-lfs and run "
        "`git lfs install` first."
    )
    yield Problem("dataset.lfs", message, _place(project, pointers), fix)


def _place(project: ProjectPaths, pointers: Sequence[Path]) -> str:
    """Returns the file, or the folder that all of them lie in."""
    if len(pointers) == 1:
        return project.relative(pointers[0])
    try:
        common = Path(os.path.commonpath([path.parent for path in pointers]))
    except ValueError:  # on several drives
        common = pointers[0].parent
    return project.relative(common)
