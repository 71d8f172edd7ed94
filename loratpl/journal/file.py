"""The journal's file: what stands in it, read and written so that no moment leaves half of it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from loratpl.errors import Problem, ProjectError

JOURNAL_VERSION = 1
Phase = Literal["parking", "placing", "finished", "undone"]
# Begins with a full stop: whoever lists concepts meanwhile passes such a folder over.
PARKING_PREFIX = ".kohyatpl-"


@dataclass(frozen=True, slots=True)
class Rename:
    """One file or folder and the path that it shall have instead."""

    source: Path
    target: Path


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Move(_Part):
    """One rename, and where it is parked meanwhile; paths as `named` gives them."""

    source: Path
    parked: Path
    target: Path


class RenameSet(_Part):
    """Renames that belong together, and how far they are."""

    moves: list[Move]
    is_undo: bool
    phase: Phase

    def in_phase(self, phase: Phase) -> RenameSet:
        """Returns the set with another phase."""
        return self.model_copy(update={"phase": phase})

    def moves_from(self, base_dir: Path) -> list[Move]:
        """Returns the moves with absolute paths."""
        return [
            Move(source=base_dir / move.source, parked=base_dir / move.parked, target=base_dir / move.target)
            for move in self.moves
        ]


class Journal(_Part):
    """The set that is being carried out, and the last one that was finished."""

    version: int = JOURNAL_VERSION
    active: RenameSet | None = None
    finished: RenameSet | None = None

    def with_active(self, active: RenameSet | None) -> Journal:
        """Returns the journal with another set under way."""
        return self.model_copy(update={"active": active})

    def after(self, done: RenameSet) -> Journal:
        """Returns the journal once every rename of a set is done."""
        if done.is_undo:
            return Journal(finished=self.finished and self.finished.in_phase("undone"))
        return Journal(finished=done.in_phase("finished"))


def base_dir_of(journal_path: Path) -> Path:
    """Returns the folder that a journal's relative paths count from: the one that holds the journal's own folder.

    So the paths of a project are kept relative to it, and it may be moved between a rename and its undoing.
    """
    return journal_path.absolute().parent.parent


def named(journal_path: Path, path: Path | str) -> str:
    """Returns a path as the journal and its problems write it: relative where it lies below `base_dir_of`."""
    absolute = Path(path).absolute()
    try:
        return absolute.relative_to(base_dir_of(journal_path)).as_posix()
    except ValueError:
        return str(absolute)


def read_journal(journal_path: Path) -> Journal:
    """Returns the journal at `journal_path`, an empty one where there is none.

    Raises:
        ProjectError: It is damaged, or of a newer version of kohyatpl.
    """
    try:
        data = json.loads(journal_path.read_bytes())
        if data["version"] > JOURNAL_VERSION:
            raise ProjectError(
                Problem(
                    "project.journal.newer",
                    f"{journal_path} was written by a newer version of kohyatpl.",
                    named(journal_path, journal_path),
                    "Update kohyatpl: `python -m pip install --upgrade kohyatpl`.",
                )
            )
        return Journal.model_validate(data)
    except FileNotFoundError:
        return Journal()
    except (OSError, ValueError, TypeError, KeyError) as error:  # pydantic's error is a ValueError
        raise ProjectError(
            Problem(
                "project.journal.damaged",
                f"{journal_path} cannot be read as a journal of renames: {error}.",
                named(journal_path, journal_path),
                f"Give folders named {PARKING_PREFIX}… beside your concepts a name, then delete the journal.",
            )
        ) from error


def write_journal(journal_path: Path, journal: Journal) -> None:
    """Replaces the journal; it is on the disk, and not only on its way there, when this returns."""
    journal_path.parent.mkdir(parents=True, exist_ok=True)
    partial = journal_path.with_name(f"{journal_path.name}.partial")
    # Through Python's own JSON, whose escapes keep names that are no Unicode: old archives are full of them.
    text = json.dumps(journal.model_dump(), indent=1, default=Path.as_posix)
    with partial.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(journal_path)
    sync_folders({journal_path.parent})


def sync_folders(folders: Iterable[Path]) -> None:
    """Makes the names in these folders outlast a loss of power; Windows has no such call."""
    if sys.platform == "win32":
        return
    for folder in folders:
        with contextlib.suppress(OSError):  # a network disk may not offer it
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
