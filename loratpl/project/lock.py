"""The project's lock: one process at a time changes a project."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from loratpl.errors import BusyError, Problem, ProjectError
from loratpl.project.paths import ProjectPaths


def make_hidden_dir(project: ProjectPaths) -> None:
    """Makes the project's hidden folder; git leaves it out by itself, also in a project that came as a clone."""
    project.hidden_dir.mkdir(parents=True, exist_ok=True)
    ignore_path = project.hidden_dir / ".gitignore"
    if not ignore_path.exists():
        ignore_path.write_text("*\n", encoding="utf-8")


@contextlib.contextmanager
def locked(project: ProjectPaths) -> Iterator[None]:
    """Holds the project's lock while the body runs.

    Raises:
        BusyError: Another process holds it.
        ProjectError: The lock file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(project.lock_path, timeout=0)
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
        raise ProjectError(
            Problem(
                "project.write",
                f"{project.hidden_dir} cannot be written: {error.strerror or error}.",
                project.relative(project.hidden_dir),
                "A run needs to write to its project: move it to a folder that you may write to.",
            )
        ) from error
    try:
        yield
    finally:
        lock.release()
