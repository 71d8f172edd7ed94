"""Carries out sets of renames, rolls back what was interrupted, and undoes the last set."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.journal.file import (
    PARKING_PREFIX,
    Journal,
    Move,
    Rename,
    RenameSet,
    base_dir_of,
    named,
    read_journal,
    sync_folders,
    write_journal,
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of an interrupted set.

    Attributes:
        renames: The set.
        is_done: Every rename had been done, so the set counts as finished; else everything has its old name again.
        is_undo: It was the undoing of an earlier set.
    """

    renames: tuple[Rename, ...]
    is_done: bool
    is_undo: bool


def rename_all(journal_path: Path, renames: Iterable[Rename]) -> None:
    """Carries out all of the renames or none; a set without any leaves the journal as it is.

    Raises:
        ProjectError: An earlier set was interrupted, a source is missing, a target exists that is not renamed away
            itself (nothing has been touched), or a rename failed (everything has its old name again).
    """
    wanted = tuple(renames)
    journal = _read_settled(journal_path)
    _refuse_obstacles(journal_path, wanted, "Nothing was renamed. Run the command again to see how things are now.")
    if wanted:
        _carry_out(journal_path, journal, wanted, is_undo=False)


def undo(journal_path: Path) -> tuple[Rename, ...]:
    """Reverses the last finished set and returns the renames that did it.

    Raises:
        ProjectError: There is none, it is undone already, or the folders have been changed since (nothing has been
            touched); an earlier set was interrupted; a rename failed (everything is as it was before).
    """
    journal = _read_settled(journal_path)
    last, where = journal.finished, named(journal_path, journal_path)
    if last is None:
        raise ProjectError(
            Problem("project.rename.none", "Nothing was renamed here yet: there is nothing to undo.", where)
        )
    if last.phase == "undone":
        raise ProjectError(Problem("project.rename.undone", "The last set of renames is undone already.", where))
    renames = tuple(Rename(move.target, move.source) for move in last.moves_from(base_dir_of(journal_path)))
    changed = "Nothing was touched: the folders were changed after they had been renamed. Rename them by hand."
    _refuse_obstacles(journal_path, renames, changed)
    _carry_out(journal_path, journal, renames, is_undo=True)
    return renames


def interrupted(journal_path: Path) -> Problem | None:
    """Returns what a command has to say that finds an interrupted set and may not recover it; None without one."""
    if read_journal(journal_path).active is None:
        return None
    return Problem(
        "project.rename.interrupted",
        "Folders are being renamed, or that was interrupted: some may have neither their old nor their new name.",
        named(journal_path, journal_path),
        "Run `kohyatpl balance --undo`, or `kohyatpl balance`: both put the names in order first.",
    )


def recover(journal_path: Path) -> Recovery | None:
    """Brings an interrupted set to its end and returns what that was, None where no set was interrupted.

    Raises:
        ProjectError: The old names cannot all be given back; the journal stays, and the next call tries again.
    """
    journal = read_journal(journal_path)
    active = journal.active
    if active is None:
        return None
    moves = active.moves_from(base_dir_of(journal_path))
    is_done = active.phase == "placing" and all(_is_placed(move) for move in moves)
    try:
        if is_done:
            write_journal(journal_path, journal.after(active))
        else:
            _roll_back(journal_path, journal, active)
    except OSError as error:
        raise ProjectError(
            Problem(
                "project.rename.stuck",
                f"{_reason(journal_path, error)}. Folders that were being renamed do not all have their old names yet.",
                named(journal_path, error.filename or journal_path),
                "Set right what is in the way, then run `kohyatpl balance`: it puts the names in order first.",
            )
        ) from error
    return Recovery(tuple(Rename(move.source, move.target) for move in moves), is_done, active.is_undo)


def _carry_out(journal_path: Path, journal: Journal, renames: Sequence[Rename], *, is_undo: bool) -> None:
    token = secrets.token_hex(8)
    moves = [
        Move(
            source=Path(named(journal_path, rename.source)),
            parked=Path(named(journal_path, rename.source.with_name(f"{PARKING_PREFIX}{token}-{number}"))),
            target=Path(named(journal_path, rename.target)),
        )
        for number, rename in enumerate(renames)
    ]
    active = RenameSet(moves=moves, is_undo=is_undo, phase="parking")
    places = active.moves_from(base_dir_of(journal_path))
    try:
        write_journal(journal_path, journal.with_active(active))
        _move_all((move.source, move.parked) for move in places)
        write_journal(journal_path, journal.with_active(active.in_phase("placing")))
        _move_all((move.parked, move.target) for move in places)
        write_journal(journal_path, journal.after(active))
    except OSError as error:
        recovery = recover(journal_path)
        if recovery is not None and recovery.is_done:
            return  # only the last word in the journal had failed, and now it stands there
        raise ProjectError(
            Problem(
                "project.rename.failed",
                f"{_reason(journal_path, error)}. Everything has the name that it had before.",
                named(journal_path, error.filename or journal_path),
                "Close the programs that have files open in there, and see that you may write to it; then try again.",
            )
        ) from error
    except BaseException:  # Ctrl-C: the names are set right before it is obeyed
        with contextlib.suppress(ProjectError):
            recover(journal_path)
        raise


def _roll_back(journal_path: Path, journal: Journal, active: RenameSet) -> None:
    """Parks what was placed, then gives back the old names; may itself be interrupted at any moment.

    What is at none of its places was moved away by somebody else, and is left to them.
    """
    moves = active.moves_from(base_dir_of(journal_path))
    placed = [move for move in moves if active.phase == "placing" and _is_placed(move)]
    returning = [*placed, *(move for move in moves if os.path.lexists(move.parked))]
    leaving = {_identity(move.target) for move in placed}
    for move in returning:
        if os.path.lexists(move.source) and _identity(move.source) not in leaving:
            raise _exists(move.source)
    if active.phase == "placing":
        _move_all((move.target, move.parked) for move in placed)
        write_journal(journal_path, journal.with_active(active.in_phase("parking")))
    _move_all((move.parked, move.source) for move in returning)
    write_journal(journal_path, journal.with_active(None))


def _is_placed(move: Move) -> bool:
    return os.path.lexists(move.target) and not os.path.lexists(move.parked)


def _move_all(pairs: Iterable[tuple[Path, Path]]) -> None:
    touched: set[Path] = set()
    for source, target in pairs:
        if os.path.lexists(target):  # POSIX would replace an empty folder without a word
            raise _exists(target)
        source.rename(target)
        touched.update((source.parent, target.parent))
    sync_folders(touched)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "something of that name is there already", str(path))


def _identity(path: Path) -> tuple[int, int] | None:
    """Returns what tells a file from every other, however its path is spelled; None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _refuse_obstacles(journal_path: Path, renames: Sequence[Rename], fix: str) -> None:
    problems = [
        Problem(f"project.rename.{word}", f"{named(journal_path, path)} {state}.", named(journal_path, path), fix)
        for word, path, state in _obstacles(renames)
    ]
    if problems:
        raise ProjectError(*problems)


def _obstacles(renames: Sequence[Rename]) -> Iterator[tuple[str, Path, str]]:
    sources = {rename.source for rename in renames}
    identities = Counter(_identity(rename.source) for rename in renames)
    targets = Counter(rename.target for rename in renames)
    for rename in renames:
        found = _identity(rename.source)
        if found is None:
            yield "missing", rename.source, "is not there any more"
        elif identities[found] > 1 or not sources.isdisjoint((*rename.source.parents, *rename.target.parents)):
            yield "overlap", rename.source, "would be renamed twice, or lies in a folder that is renamed as well"
        if os.path.lexists(rename.target) and _identity(rename.target) not in identities:
            yield "exists", rename.target, "exists already, and nothing is ever written over"
        elif targets[rename.target] > 1:
            yield "overlap", rename.target, "would be the new name of several folders"


def _reason(journal_path: Path, error: OSError) -> str:
    path = error.filename or journal_path
    return f"{named(journal_path, path)} cannot be renamed or written: {error.strerror or error}"


def _read_settled(journal_path: Path) -> Journal:
    problem = interrupted(journal_path)
    if problem is not None:
        raise ProjectError(problem)
    return read_journal(journal_path)
