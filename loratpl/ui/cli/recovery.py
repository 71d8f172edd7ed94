"""What every command that changes a project does first: put interrupted renames in order, and say so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from loratpl import journal
from loratpl.errors import KohyatplError, Problem
from loratpl.project import ProjectPaths, locked
from loratpl.ui.balance_text import recovery_problems


def settle_renames(paths: ProjectPaths) -> tuple[Problem, ...]:
    """Finishes or rolls back renames that were interrupted, and returns what must be said of it; mostly nothing.

    Raises:
        BusyError: Another process works on the project: these renames may be its own.
        ProjectError: The old names cannot all be given back.
    """
    if journal.interrupted(paths.journal_path) is None:
        return ()
    with locked(paths):
        return recovery_problems(paths, journal.recover(paths.journal_path))


@contextlib.contextmanager
def telling(problems: tuple[Problem, ...]) -> Iterator[None]:
    """Adds to an error what was done before it."""
    try:
        yield
    except KohyatplError as error:
        error.problems = (*problems, *error.problems)
        raise
