"""Puts back what a run changed, each action as a whole, and nothing that somebody else has changed since."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.fix.actions import LeftOut, relative
from loratpl.fix.derived import DerivedCaches
from loratpl.fix.files import is_free, is_there, put_back, state_of
from loratpl.fix.folders import folder_of
from loratpl.fix.log import Change, Done, FixRun, read_runs
from loratpl.journal.file import PARKING_PREFIX, sync_folders
from loratpl.project import ProjectPaths

_CHANGED = "it was changed since"
_TAKEN = "something of its old name is there"


@dataclass(frozen=True, slots=True)
class UndoneFixes:
    """What the undoing of a run did.

    Attributes:
        run: The run's name.
        restored: What is as it was, by the sentences of the actions.
        kept: What was not put back, and why; its originals are kept.
        remaining: How many earlier runs can be undone.
    """

    run: str
    restored: tuple[str, ...]
    kept: tuple[LeftOut, ...]
    remaining: int


def undo_fixes(project: ProjectPaths) -> UndoneFixes:
    """Undoes the newest run and returns what that did; the project is locked and settled (`fixing`).

    An action is put back as a whole or not at all. What cannot be put back stays written down, for the next time; a
    run of which nothing can be is passed over.

    Raises:
        ProjectError: There is none, its log is damaged, or the disk refuses.
    """
    runs = read_runs(project)
    if not runs:
        raise ProjectError(
            Problem(
                "project.fix.none",
                "Nothing was mended here, or all of it is undone: there is nothing to undo.",
                project.relative(project.fixes_dir),
            )
        )
    kept: list[LeftOut] = []
    while True:
        run = runs.pop()
        undone, stuck = undo_run(project, run)
        kept += stuck
        if undone or not stuck or not runs:
            return UndoneFixes(run.name, undone, tuple(kept), len(runs))


def undo_run(project: ProjectPaths, run: FixRun) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Undoes a run, or the rest of it, and returns (what was put back, what was not and why).

    Raises:
        ProjectError: The disk refuses; the next try goes on from there.
    """
    restored: list[str] = []
    kept: list[LeftOut] = []
    rest: list[Done] = []
    derived, touched = DerivedCaches(run), set()
    try:
        if not run.is_undoing:
            run.is_undoing = True
            run.add([{"undoing": True}])
        for action in reversed(run.actions):
            folder = folder_of(project, run, action.folder)
            reason, name = _obstacle(folder, run.originals_dir, action)
            if reason:
                rest.insert(0, action)
                path = (folder or project.root_dir / action.folder) / name
                kept.append(LeftOut(path, f"{relative(project.root_dir, path)}: {reason}"))
            elif folder is not None:
                derived.drop(folder, action)
                _put_back(folder, run.originals_dir, action, run.header.token)
                touched.add(os.fspath(folder))
                restored.append(action.text)
        sync_folders(touched)
        _close(run, rest)
    except OSError as error:
        raise stuck(project, run, error) from error
    return tuple(reversed(restored)), tuple(reversed(kept))


def stuck(project: ProjectPaths, run: FixRun, error: OSError) -> ProjectError:
    """Returns what is said where the disk refuses."""
    path = Path(error.filename) if isinstance(error.filename, str) else run.originals_dir
    where = relative(project.root_dir, path)
    return ProjectError(
        Problem(
            "project.fix.stuck",
            f"{where} cannot be written: {error.strerror or error}. Not everything is in its place yet; nothing is "
            f"lost, the originals are in {relative(project.root_dir, run.originals_dir)}.",
            where,
            "Set that right, then run the command again: it goes on from there.",
        )
    )


def _obstacle(folder: Path | None, originals_dir: Path, action: Done) -> tuple[str, str]:
    """Returns (why an action cannot be put back, of which file); ("", "") where it can be, or is already."""
    first = action.changes[0]
    if folder is None:
        return "its folder is gone, or has another name", first.source or first.target or ""
    own = {change.target for change in action.changes}
    for change in action.changes:
        reason = _obstacle_of(folder, originals_dir, change, own)
        if reason:
            return reason, change.target or change.source or ""
    return "", ""


def _obstacle_of(folder: Path, originals_dir: Path, change: Change, own: Collection[str | None]) -> str:
    kept = None if change.kept is None else originals_dir / change.kept
    source = None if change.source is None else folder / change.source
    if kept is not None and not os.path.lexists(kept):
        return ""  # put back already
    if change.target is None:
        is_possible = source is None or change.is_cache or change.source in own or is_free(source)
        return "" if is_possible else _TAKEN
    target = folder / change.target
    found = state_of(target)
    expected = {None, change.after}
    if source == target:
        return "" if found in {*expected, change.before} else _CHANGED
    if found not in expected:
        return _CHANGED
    if source is None or is_free(source, target) or state_of(source) == change.before:
        return ""
    return _TAKEN


def _put_back(folder: Path, originals_dir: Path, action: Done, token: str) -> None:
    """Puts back what an action changed, or the rest of it."""
    for change in reversed(action.changes):
        source = None if change.source is None else folder / change.source
        target = None if change.target is None else folder / change.target
        if source is None:
            if target is not None:
                target.unlink(missing_ok=True)
        elif change.kept is not None:
            partial = folder / f"{PARKING_PREFIX}{token}-undo"
            _put_back_kept(originals_dir / change.kept, source, target, partial)
        elif target is not None and target != source and os.path.lexists(target) and is_free(source, target):
            target.rename(source)


def _put_back_kept(kept: Path, source: Path, target: Path | None, partial: Path) -> None:
    is_other = target is not None and target != source
    if os.path.lexists(kept):
        if target is not None and is_other and os.path.lexists(source) and not is_there(source, target):
            target.unlink()  # one name on this disk, which keeps its spelling where its file is replaced
        put_back(kept, source, partial)
    if target is not None and is_other and os.path.lexists(target) and is_there(target, source):
        target.unlink()


def _close(run: FixRun, rest: list[Done]) -> None:
    """Forgets a run that is undone; of another one what is left to undo stays written down."""
    if rest:
        run.actions, run.placed, run.is_undoing, run.is_finished = rest, len(rest), False, True
        run.write()
        return
    with contextlib.suppress(OSError):
        shutil.rmtree(run.originals_dir)  # the log goes last: what is not kept any more counts as put back
    run.path.unlink(missing_ok=True)
    sync_folders({os.fspath(run.path.parent)})
