"""What a run that was interrupted leaves, told and brought to its end; and the frame in which a project is mended."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loratpl import journal
from loratpl.errors import Problem
from loratpl.fix.applying import sweep
from loratpl.fix.folders import folder_of
from loratpl.fix.log import FixRun, read_runs
from loratpl.fix.placing import place
from loratpl.fix.undoing import stuck, undo_run
from loratpl.project import ProjectPaths, locked


@dataclass(frozen=True, slots=True)
class Settled:
    """What was put in order before anything else.

    Attributes:
        renames: Of interrupted renames, None where there were none.
        problems: What is said of an interrupted mending.
    """

    renames: journal.Recovery | None
    problems: tuple[Problem, ...]


@contextlib.contextmanager
def fixing(project: ProjectPaths) -> Iterator[Settled]:
    """Holds the project's lock while the body mends or undoes; what was interrupted is put in order first.

    Raises:
        BusyError: Another process works on the project.
        ProjectError: What was interrupted cannot be put in order.
    """
    with locked(project):
        yield Settled(journal.recover(project.journal_path), settle_fixes(project))


def interrupted_fix(project: ProjectPaths) -> Problem | None:
    """Returns what a command has to say that finds an interrupted mending and may not settle it; None without one.

    Raises:
        ProjectError: A log is damaged, or of a newer version.
    """
    unsettled = [run for run in read_runs(project) if not run.is_settled]
    if not unsettled:
        return None
    return Problem(
        "project.fix.interrupted",
        "Pictures and captions are being mended, or that was interrupted: some may have neither their old nor their "
        "new name.",
        project.relative(unsettled[-1].path),
        "Run `kohyatpl check --fix`, or `kohyatpl check --undo-fix`: both put everything in order first.",
    )


def settle_fixes(project: ProjectPaths) -> tuple[Problem, ...]:
    """Brings interrupted runs to their end, and returns what must be said of it; the project is locked.

    Raises:
        ProjectError: A log is damaged, or the disk refuses.
    """
    problems = tuple(_settle(project, run) for run in read_runs(project) if not run.is_settled)
    _tidy(project)
    return problems


def _settle(project: ProjectPaths, run: FixRun) -> Problem:
    where = project.relative(run.path)
    if run.is_undoing:
        restored, _ = undo_run(project, run)
        message = f"The undoing of a mending had been interrupted; it was brought to its end ({len(restored)} more)."
        return Problem("project.fix.recovered", message, where, severity="warning")
    try:
        count = _finish(project, run)
    except OSError as error:
        raise stuck(project, run, error) from error
    message = f"A mending had been interrupted; the {count} things that it had begun are done, the others as they were."
    fix = "`kohyatpl check --undo-fix` puts these back."
    return Problem("project.fix.recovered", message, where, fix, "warning")


def _finish(project: ProjectPaths, run: FixRun) -> int:
    """Does what the log says had begun, and returns how much is done."""
    for action in run.actions[run.placed :]:
        folder = folder_of(project, run, action.folder)
        if folder is not None:
            for change in action.changes:
                place(folder, run.originals_dir, change)
    found = [folder_of(project, run, name) for name in run.header.folders]
    sweep([folder for folder in found if folder is not None], run.header.token)
    if run.actions:
        run.add([{"placed": len(run.actions)}, {"finished": True}])
    else:
        shutil.rmtree(run.originals_dir, ignore_errors=True)
        run.path.unlink()
    return len(run.actions)


def _tidy(project: ProjectPaths) -> None:
    """Takes away what runs leave that were killed before their first line, or after their last: empty folders."""
    runs = {run.name for run in read_runs(project)}
    for path in project.fixes_dir.glob("*.partial"):
        path.unlink(missing_ok=True)
    for originals in project.originals_dir.glob("*"):
        if originals.name not in runs:
            for folder, _, _ in os.walk(originals, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()  # refused where anything is in it
