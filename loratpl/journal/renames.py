"""Carries out sets of renames, and undoes the last one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.journal.edits import Rewrite, apply, edit_of, hash_of, path_of
from loratpl.journal.file import (
    PARKING_PREFIX,
    Edit,
    Journal,
    Rename,
    RenameSet,
    base_dir_of,
    named,
    read_journal,
    write_journal,
)
from loratpl.journal.moving import move_all, reason_of
from loratpl.journal.obstacles import find_places
from loratpl.journal.recovery import recover, unsettled


@dataclass(frozen=True, slots=True)
class Undone:
    """What the undoing of a set did.

    Attributes:
        renames: From the new names to the old ones.
        restored: Files that hold again what they held before.
        kept: Files that somebody else has changed since; they are as they were found.
    """

    renames: tuple[Rename, ...]
    restored: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()


def rename_all(journal_path: Path, renames: Iterable[Rename], rewrites: Iterable[Rewrite] = ()) -> None:
    """Carries out all of the renames and rewrites or none; a set without any leaves the journal as it is.

    Raises:
        ProjectError: An earlier set was interrupted, a source is missing, a target exists that is not renamed away
            itself, something may not be written (nothing has been touched), or a rename failed (everything has its old
            name again).
    """
    wanted, edits = tuple(renames), [edit_of(journal_path, rewrite) for rewrite in rewrites]
    journal = _read_settled(journal_path)
    if wanted or edits:
        fix = "Nothing was renamed. Set that right, then run the command again."
        _carry_out(journal_path, journal, wanted, edits, fix, is_undo=False)


def refuse_obstacles(journal_path: Path, renames: Iterable[Rename], rewrites: Iterable[Rewrite] = ()) -> None:
    """Raises what `rename_all` would find to be in the way; nothing is touched.

    Raises:
        ProjectError: A source is missing, a target exists, or something may not be written.
    """
    fix = "Set that right; nothing was renamed."
    find_places(journal_path, tuple(renames), [edit_of(journal_path, rewrite) for rewrite in rewrites], fix)


def undo(journal_path: Path) -> Undone:
    """Reverses the last finished set and returns what that did.

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
    renames = tuple(Rename(Path(move.target), Path(move.source)) for move in last.moves_from(base_dir_of(journal_path)))
    found = [(edit, path_of(journal_path, edit)) for edit in last.edits]
    hashes = [hash_of(path) for _, path in found]
    edits = [edit.reversed() for (edit, _), now in zip(found, hashes, strict=True) if now == edit.after]
    kept = tuple(path for (edit, path), now in zip(found, hashes, strict=True) if now not in (edit.after, edit.before))
    fix = "Nothing was touched: something was changed after it had been renamed. Set that right, or rename by hand."
    _carry_out(journal_path, journal, renames, edits, fix, is_undo=True)
    return Undone(renames, tuple(path_of(journal_path, edit) for edit in edits), kept)


def _carry_out(
    journal_path: Path, journal: Journal, renames: Sequence[Rename], edits: list[Edit], fix: str, *, is_undo: bool
) -> None:
    places = find_places(journal_path, renames, edits, fix)
    token = secrets.token_hex(8)
    parked = {
        source: f"{source.rpartition(os.sep)[0]}{os.sep}{PARKING_PREFIX}{token}-{number}"
        for number, source in enumerate(places.clashing())
    }
    active = RenameSet.model_construct(
        sources=_as_named(journal_path, places.sources),
        targets=_as_named(journal_path, places.targets),
        parked=dict(zip(_as_named(journal_path, parked), _as_named(journal_path, parked.values()), strict=True)),
        edits=edits,
        is_undo=is_undo,
        phase="parking" if parked else "placing",
    )
    try:
        write_journal(journal_path, journal.with_active(active))
        if parked:
            move_all(parked.items(), places.parents)
            write_journal(journal_path, journal.with_active(active.in_phase("placing")))
        origins = [parked.get(source, source) for source in places.sources] if parked else places.sources
        move_all(zip(origins, places.targets, strict=True), places.parents, unasked=places.folders)
        for edit in edits:
            _edit(path_of(journal_path, edit), edit)
        write_journal(journal_path, journal.after(active))
    except OSError as error:
        recovery = recover(journal_path)
        if recovery is not None and recovery.is_done:
            return  # only the last word in the journal had failed, and now it stands there
        raise ProjectError(
            Problem(
                "project.rename.failed",
                f"{reason_of(journal_path, error)}. Everything has the name that it had before.",
                named(journal_path, error.filename or journal_path),
                "Close the programs that have files open in there, and see that you may write to it; then try again.",
            )
        ) from error
    except BaseException:  # Ctrl-C: the names are set right before it is obeyed
        with contextlib.suppress(ProjectError):
            recover(journal_path)
        raise


def _edit(path: Path, edit: Edit) -> None:
    if not apply(path, edit):
        raise OSError(errno.EBUSY, "somebody else has changed it at this moment", str(path))


def _as_named(journal_path: Path, paths: Iterable[str]) -> list[str]:
    """Returns what `named` gives for each path; to ask it for thousands would take longer than to rename them."""
    base = f"{base_dir_of(journal_path)}{os.sep}"
    length = len(base)
    relative = [path[length:] if path.startswith(base) else named(journal_path, path) for path in paths]
    return relative if os.sep == "/" else [path.replace(os.sep, "/") for path in relative]


def _read_settled(journal_path: Path) -> Journal:
    journal = read_journal(journal_path)
    if journal.active is not None:
        raise ProjectError(unsettled(journal_path))
    return journal
