"""The journal's file: what stands in it, read and written so that no moment leaves half of it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, InstanceOf

from loratpl.errors import Problem, ProjectError

JOURNAL_VERSION = 2
Phase = Literal["parking", "placing", "finished", "undone"]
# Begins with a full stop: whoever lists concepts meanwhile passes such a folder over.
PARKING_PREFIX = ".kohyatpl-"
# An instance and no more: pydantic's own `str` refuses names that are no Unicode, and old archives are full of them.
_Text = InstanceOf[str]


@dataclass(frozen=True, slots=True)
class Rename:
    """One file or folder and the path that it shall have instead."""

    source: Path
    target: Path


class Move(NamedTuple):
    """One rename, and where it is parked meanwhile if its names clash with another's; absolute paths."""

    source: str
    parked: str | None
    target: str


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Edit(_Part):
    """One place of a text file where `old` becomes `new`; the file is known by the hashes of its whole content.

    The content itself is not kept: a config may hold the key of some account.

    Attributes:
        path: As `named` gives it.
        before, after: SHA-256 of the file's bytes; None where there is no file.
        at: Characters before the place.
    """

    path: _Text
    before: str | None
    after: str | None
    at: int
    old: str
    new: str

    def reversed(self) -> Edit:
        """Returns the edit that takes this one back."""
        return Edit(path=self.path, before=self.after, after=self.before, at=self.at, old=self.new, new=self.old)


class RenameSet(_Part):
    """Renames and edits that belong together, and how far they are.

    Attributes:
        sources, targets: Of each rename, as `named` gives them; two plain lists, since there may be thousands.
        parked: Where a source waits meanwhile, if its names clash with another's.
        edits: What is changed in files once everything has its new name.
        is_undo: The set takes an earlier one back.
        phase: How far it is.
    """

    sources: list[_Text]
    targets: list[_Text]
    parked: dict[_Text, _Text] = {}
    edits: list[Edit] = []
    is_undo: bool
    phase: Phase

    def in_phase(self, phase: Phase) -> RenameSet:
        """Returns the set with another phase."""
        return self.model_copy(update={"phase": phase})

    def moves_from(self, base_dir: Path) -> list[Move]:
        """Returns the renames with absolute paths."""
        base, parked = str(base_dir), {source: str(base_dir / place) for source, place in self.parked.items()}
        join = os.path.join
        return [
            Move(join(base, source), parked.get(source), join(base, target))
            for source, target in zip(self.sources, self.targets, strict=True)
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
        return Journal.model_validate(_migrated(data))
    except FileNotFoundError:
        return Journal()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:  # pydantic's error is a ValueError
        raise ProjectError(
            Problem(
                "project.journal.damaged",
                f"{journal_path} cannot be read as a journal of renames: {error}.",
                named(journal_path, journal_path),
                f"Give folders named {PARKING_PREFIX}… beside your concepts a name, then delete the journal.",
            )
        ) from error


def _migrated(data: dict[str, Any]) -> dict[str, Any]:
    """Returns what a journal of an older version means in this one: version 1 parked every folder and edited none."""
    if data["version"] > 1:
        return data
    older = dict(data, version=JOURNAL_VERSION)
    for name in ("active", "finished"):
        if older.get(name) is not None:
            moves = older[name]["moves"]
            older[name] = {
                "sources": [move["source"] for move in moves],
                "targets": [move["target"] for move in moves],
                "parked": {move["source"]: move["parked"] for move in moves},
                "is_undo": older[name]["is_undo"],
                "phase": older[name]["phase"],
            }
    return older


def write_journal(journal_path: Path, journal: Journal) -> None:
    """Replaces the journal; it is on the disk, and not only on its way there, when this returns."""
    journal_path.parent.mkdir(parents=True, exist_ok=True)
    # Through Python's own JSON, whose escapes keep names that are no Unicode. Not indented: that takes ten times as
    # long, and a set may have thousands of folders.
    parts = {name: dict(part) if isinstance(part, RenameSet) else part for name, part in journal}
    content = json.dumps(parts, default=dict).encode("ascii")
    write_in_place(journal_path, content, journal_path.with_name(f"{journal_path.name}.partial"))


def write_in_place(path: Path, content: bytes, partial: Path, mode: int | None = None) -> None:
    """Gives a file new content, all of it or none of it whenever the machine may stop.

    Args:
        path: The file; need not exist.
        content: All that it shall hold.
        partial: Where that is written first, on the same disk.
        mode: The permissions that the file shall have; those of any new file unless given.
    """
    with partial.open("wb") as file:
        if mode is not None:
            partial.chmod(mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folders({str(path.parent)})


def sync_folders(folders: Iterable[str]) -> None:
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
