"""The project's lock: one process at a time changes a project."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from loratpl.errors import BusyError, Problem, ProjectError
from loratpl.project.paths import ProjectPaths

# Whoever only asks whether the lock is held, holds it for a moment.
PATIENCE_S = 0.3
POLL_INTERVAL_S = 0.02


def make_hidden_dir(project: ProjectPaths) -> None:
    """Makes the project's hidden folder; git leaves it out by itself, also in a project that came as a clone."""
    project.hidden_dir.mkdir(parents=True, exist_ok=True)
    ignore_path = project.hidden_dir / ".gitignore"
    if not ignore_path.exists():
        ignore_path.write_text("*\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class ProjectLock:
    """A project's lock that is held.

    Attributes:
        trainer_fd: An open file that is locked as long as anyone has it open. Handed on to the trainer it keeps the
            project locked while a trainer finishes its step and saves its state after kohyatpl was killed.
    """

    trainer_fd: int


def is_busy(project: ProjectPaths) -> bool:
    """Returns whether a process holds the project's lock at this moment."""
    if not project.lock_path.exists():
        return False
    try:
        with locked(project, patience_s=0.0):
            return False
    except BusyError:
        return True
    except ProjectError:  # a project that cannot be written to cannot be worked on
        return False


@contextlib.contextmanager
def locked(project: ProjectPaths, *, patience_s: float = PATIENCE_S) -> Iterator[ProjectLock]:
    """Holds the project's lock while the body runs; a lock whose owner is dead is no lock.

    Args:
        project: The project.
        patience_s: How long another process is waited for, in seconds.

    Raises:
        BusyError: Another process holds it.
        ProjectError: The lock file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(project.lock_path, timeout=patience_s)
    try:
        make_hidden_dir(project)
        lock.acquire()
    except filelock.Timeout as error:
        raise BusyError(
            Problem(
                "run.busy",
                f"Another kohyatpl process works on {project.root_dir.name} right now.",
                project.relative(project.lock_path),
                "Wait until it has ended, or stop it with Ctrl-C where it runs.",
            )
        ) from error
    except OSError as error:
        raise _unwritable(project, error) from error
    try:
        with _trainer_locked(project, patience_s) as trainer_fd:
            yield ProjectLock(trainer_fd)
    finally:
        lock.release()


@contextlib.contextmanager
def _trainer_locked(project: ProjectPaths, patience_s: float) -> Iterator[int]:
    """Gives the locked file that a trainer keeps open; closing it is what unlocks it."""
    import filelock

    try:
        trainer_fd = os.open(project.trainer_lock_path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unwritable(project, error) from error
    try:
        end = time.monotonic() + patience_s
        while not filelock.lock_descriptor(trainer_fd, blocking=False):
            if time.monotonic() >= end:
                raise BusyError(
                    Problem(
                        "run.busy",
                        f"The trainer of {project.root_dir.name} is still at work, though its kohyatpl was killed: "
                        "it finishes its step and saves its state.",
                        project.relative(project.trainer_lock_path),
                        "Wait a moment and try again.",
                    )
                )
            time.sleep(POLL_INTERVAL_S)
        yield trainer_fd
    finally:
        os.close(trainer_fd)


def _unwritable(project: ProjectPaths, error: OSError) -> ProjectError:
    return ProjectError(
        Problem(
            "project.write",
            f"{project.hidden_dir} cannot be written: {error.strerror or error}.",
            project.relative(project.hidden_dir),
            "A run needs to write to its project: move it to a folder that you may write to.",
        )
    )
