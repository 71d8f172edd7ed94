"""Carries out a plan: prepared on all cores, written down in batches, then put into place."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.dataset.inspect.pool import in_threads, usable_cores
from loratpl.errors import Problem, ProjectError
from loratpl.fix.actions import Action, CannotMendError, FixPlan, LeftOut, relative
from loratpl.fix.log import Header, start_run
from loratpl.fix.placing import Prepared, Workshop, discard, is_unchanged, place
from loratpl.journal.file import sync_folders
from loratpl.project import ProjectPaths

Progress = Callable[[int, int], None]
# So many actions are written down at once: each batch waits for the disk a few times.
_BATCH = 64
# What one file can refuse without the next one being refused as well.
_OF_ONE_FILE = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOENT, errno.EEXIST, errno.ELOOP, errno.EISDIR,
    errno.ENOTDIR, errno.EXDEV, errno.EBUSY, errno.ETXTBSY,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class FixResult:
    """What a run did.

    Attributes:
        run: The run's name, "" where nothing was done.
        done: The sentences of the actions, in order.
        left: What was not done, and why.
    """

    run: str
    done: tuple[str, ...]
    left: tuple[LeftOut, ...]


def apply_fixes(
    project: ProjectPaths, plan: FixPlan, progress: Progress = lambda _done, _total: None, workers: int | None = None
) -> FixResult:
    """Carries out a plan and returns what was done; the project is locked and settled (`fixing`).

    Args:
        project: The project.
        plan: What is to be done.
        progress: Told (actions done, actions in all), in this thread.
        workers: Threads; as many as there are cores unless given.

    Raises:
        ProjectError: The disk is full or refuses: what was done until then can be undone, the rest is as it was.
    """
    if not plan.actions:
        return FixResult("", (), plan.left)
    try:
        work = _Work(project, plan, progress, workers or usable_cores())
    except OSError as error:
        raise _failed(project, error, 0) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # decoders warn of what the check tells as problems
        return work.do()


class _Work:
    def __init__(self, project: ProjectPaths, plan: FixPlan, progress: Progress, workers: int) -> None:
        self._project, self._plan, self._progress, self._workers = project, plan, progress, workers
        self._done: dict[int, str] = {}
        self._left = list(plan.left)
        folders = dict.fromkeys(action.folder for action in plan.actions)
        token = secrets.token_hex(8)
        named = {folder: relative(project.root_dir, folder) for folder in folders}
        header = Header(token=token, folders={named[folder]: folder.stat().st_ino for folder in folders})
        self._run = start_run(project, header)
        base_of = {folder: (name, _place_of(name)) for folder, name in named.items()}
        self._workshop = Workshop(self._run.originals_dir, token, base_of)

    def do(self) -> FixResult:
        early: list[tuple[int, Action]] = []
        late: list[tuple[int, Action]] = []
        for item in enumerate(self._plan.actions):
            # Pictures first: whose name changes takes a caption along, or a copy of it.
            (early if item[1].kind in {"picture", "name"} else late).append(item)
        try:
            self._do(early)
            self._do(late)
            self._run.is_finished = True
            self._run.add([{"finished": True}])
        except OSError as error:
            raise _failed(self._project, error, len(self._done)) from error
        finally:
            if not self._run.actions:
                self._forget()
        sentences = tuple(self._done[number] for number in sorted(self._done))
        return FixResult(self._run.name if sentences else "", sentences, tuple(self._left))

    def _do(self, numbered: Sequence[tuple[int, Action]]) -> None:
        batch: list[tuple[int, Prepared]] = []
        prepared = in_threads(self._prepare, numbered, self._workers)
        try:
            for index, result in prepared:
                number, action = numbered[index]
                if isinstance(result, Prepared):
                    batch.append((number, result))
                else:
                    self._leave(action, result)
                if len(batch) >= _BATCH:
                    self._commit(batch)
            self._commit(batch)
        except BaseException:
            for _, item in batch:
                discard(item.waiting)
            raise
        finally:
            prepared.close()  # type: ignore[attr-defined]
            self._sweep()

    def _prepare(self, item: tuple[int, Action]) -> Prepared | str:
        """Returns a prepared action, or why it is not done."""
        try:
            return self._workshop.prepare(*item)
        except CannotMendError as error:
            return str(error)
        except OSError as error:
            if error.errno in _OF_ONE_FILE:
                return error.strerror or str(error)
            raise

    def _commit(self, batch: list[tuple[int, Prepared]]) -> None:
        """Writes a batch down, empties it and puts it into place."""
        ready = []
        for number, item in batch:
            if is_unchanged(item):
                ready.append((number, item))
            else:
                discard(item.waiting)
                self._leave(self._plan.actions[number], "somebody else changed it at this moment")
        batch[:] = ready
        if not ready:
            return
        kept = {path.parent for _, item in ready for path in item.waiting}
        sync_folders({os.fspath(folder) for path in kept for folder in (path, path.parent)})
        lines = [item.done for _, item in ready]
        self._run.add({"action": line} for line in lines)
        self._run.actions += lines
        batch.clear()  # what is written down is brought to its end, now or by the next command
        for number, item in ready:
            placed = [place(item.folder, self._run.originals_dir, change, is_sure=True) for change in item.done.changes]
            self._done[number] = item.done.text
            if not all(placed):
                self._leave(self._plan.actions[number], "somebody else put something in its place at this moment")
            self._progress(len(self._done) + len(self._left) - len(self._plan.left), len(self._plan.actions))
        sync_folders({os.fspath(item.folder) for _, item in ready})
        self._run.placed = len(self._run.actions)
        self._run.add([{"placed": self._run.placed}])

    def _leave(self, action: Action, reason: str) -> None:
        path = action.folder / action.name
        self._left.append(LeftOut(path, f"{relative(self._project.root_dir, path)}: left, {reason}"))

    def _sweep(self) -> None:
        """Takes away what threads made after the rest had stopped."""
        if self._run.placed == len(self._run.actions):
            sweep(self._workshop.base_of, self._workshop.token)

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(self._run.originals_dir, ignore_errors=True)
            self._run.path.unlink(missing_ok=True)


def sweep(folders: Iterable[Path], token: str) -> None:
    """Takes away files of a run that wait in these folders, and will not be needed."""
    from loratpl.journal.file import PARKING_PREFIX

    beginning = f"{PARKING_PREFIX}{token}-"
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            discard([Path(entry.path) for entry in entries if entry.name.startswith(beginning)])


def _place_of(name: str) -> str:
    """Returns where the originals of a folder are kept: as it is called in the project, others by their whole path."""
    path = Path(name)
    return f"elsewhere/{path.relative_to(path.anchor).as_posix()}" if path.is_absolute() else name


def _failed(project: ProjectPaths, error: OSError, count: int) -> ProjectError:
    place = Path(error.filename) if isinstance(error.filename, str) else project.originals_dir
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        reason = "The disk is full"
        fix = "Make room"
    else:
        reason = f"{relative(project.root_dir, place)} cannot be written: {error.strerror or error}"
        fix = "Set that right"
    return ProjectError(
        Problem(
            "project.fix.failed",
            f"{reason}. {count} thing{'' if count == 1 else 's'} had been mended until then; everything else is as it "
            "was.",
            relative(project.root_dir, place),
            f"{fix}, then run `kohyatpl check --fix` again, or `kohyatpl check --undo-fix` to put everything back.",
        )
    )
