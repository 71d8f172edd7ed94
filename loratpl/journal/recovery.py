"""Puts an interrupted set in order: to its end where everything was done, else back to the beginning."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.journal.edits import apply, hash_of, path_of
from loratpl.journal.file import Journal, Move, Rename, RenameSet, base_dir_of, named, read_journal, write_journal
from loratpl.journal.moving import exists_error, move_all, reason_of


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of an interrupted set.

    Attributes:
        renames: The set.
        is_done: Every rename had been done, so the set counts as finished; else everything has its old name again.
        is_undo: It was the undoing of an earlier set.
        kept: Files of the set that somebody else has changed since; they are as they were found.
    """

    renames: tuple[Rename, ...]
    is_done: bool
    is_undo: bool
    kept: tuple[Path, ...] = ()


def interrupted(journal_path: Path) -> Problem | None:
    """Returns what a command has to say that finds an interrupted set and may not recover it; None without one."""
    return None if read_journal(journal_path).active is None else unsettled(journal_path)


def unsettled(journal_path: Path) -> Problem:
    """Returns what is said of an interrupted set."""
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
    is_done = active.phase == "placing" and len(_placed(moves)) == len(moves) and _all_edited(journal_path, active)
    kept: tuple[Path, ...] = ()
    try:
        if is_done:
            write_journal(journal_path, journal.after(active))
        else:
            kept = _roll_back(journal_path, journal, active)
    except OSError as error:
        raise ProjectError(
            Problem(
                "project.rename.stuck",
                f"{reason_of(journal_path, error)}. Not all that was being renamed has its old name yet.",
                named(journal_path, error.filename or journal_path),
                "Set right what is in the way, then run `kohyatpl balance`: it puts the names in order first.",
            )
        ) from error
    return Recovery(tuple(Rename(Path(m.source), Path(m.target)) for m in moves), is_done, active.is_undo, kept)


def _roll_back(journal_path: Path, journal: Journal, active: RenameSet) -> tuple[Path, ...]:
    """Gives everything its old name and content, and returns the files that somebody else has changed.

    Can be interrupted at any moment itself. What is at none of its places was moved away by somebody else, and is left
    to them.
    """
    moves = active.moves_from(base_dir_of(journal_path))
    placed = _placed(moves) if active.phase == "placing" else []
    parked = [move for move in moves if move.parked and os.path.lexists(move.parked)]
    leaving = {_identity(move.target) for move in placed if move.parked}
    for move in (*placed, *parked):
        if os.path.lexists(move.source) and _identity(move.source) not in leaving:
            raise exists_error(move.source)
    kept = [path for edit in active.edits if not apply(path := path_of(journal_path, edit), edit.reversed())]
    move_all([(move.target, move.parked or move.source) for move in placed], _parents(placed))
    if active.phase == "placing" and any(move.parked for move in moves):
        write_journal(journal_path, journal.with_active(active.in_phase("parking")))
    parked += [move for move in placed if move.parked]
    move_all([(move.parked, move.source) for move in parked if move.parked], _parents(parked))
    write_journal(journal_path, journal.with_active(None))
    return tuple(kept)


def _placed(moves: Sequence[Move]) -> list[Move]:
    """Returns what has its new name already, the last first, while the set is in its second phase.

    One that is not parked has left its old name: whatever stands there was put there since. That it has left is
    certain when a later one has, for they go one after the other (and come back the other way round).
    """
    found: list[Move] = []
    has_left = False
    for move in reversed(moves):
        waits = os.path.lexists(move.parked) if move.parked else not has_left and os.path.lexists(move.source)
        if not waits and os.path.lexists(move.target):
            found.append(move)
            has_left = True
    return found


def _all_edited(journal_path: Path, active: RenameSet) -> bool:
    return all(hash_of(path_of(journal_path, edit)) == edit.after for edit in active.edits)


def _parents(moves: Iterable[Move]) -> set[str]:
    return {path.rpartition(os.sep)[0] for move in moves for path in (move.source, move.target)}


def _identity(path: str) -> tuple[int, int] | None:
    """Returns what tells a file from every other, however its path is spelled; None where there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
