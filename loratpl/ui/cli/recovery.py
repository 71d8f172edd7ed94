"""What every command that changes a project does first: put in order what was interrupted, and say so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from loratpl import journal
from loratpl.errors import KohyatplError, Problem
from loratpl.project import ProjectPaths, locked
from loratpl.ui.balance_text import recovery_problems


def settle(paths: ProjectPaths) -> tuple[Problem, ...]:
    """Finishes or rolls back renames and mending that were interrupted, and returns what must be said of it.

    Raises:
        BusyError: Another process works on the project: what looks interrupted may be its own.
        ProjectError: It cannot be put in order.
    """
    from loratpl.fix import interrupted_fix, settle_fixes

    if journal.interrupted(paths.journal_path) is None and interrupted_fix(paths) is None:
        return ()
    with locked(paths):
        return (*recovery_problems(paths, journal.recover(paths.journal_path)), *settle_fixes(paths))


@contextlib.contextmanager
def telling(problems: tuple[Problem, ...]) -> Iterator[None]:
    """Adds to an error what was done before it."""
    try:
        yield
    except KohyatplError as error:
        error.problems = (*problems, *error.problems)
        raise
