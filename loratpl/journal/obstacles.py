"""What stands in the way of a set of renames, found before anything is touched."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.journal.edits import hash_of, path_of
from loratpl.journal.file import Edit, Rename, named


@dataclass(frozen=True, slots=True)
class Places:
    """The sources and targets of a set of renames.

    Attributes:
        sources, targets: As they are written.
        source_keys, target_keys: The same text for the same place, however its folder and, on a disk where upper and
            lower case are one, its name is written.
        parents: The folders that all of them lie in.
        folder_keys: The keys of all that is a folder itself, and no link, in these.
    """

    sources: list[str]
    targets: list[str]
    source_keys: list[str]
    target_keys: list[str]
    parents: set[str]
    folder_keys: set[str]

    @property
    def folders(self) -> set[str]:
        """The sources that are folders."""
        if self.source_keys is self.sources:
            return self.folder_keys
        return {source for source, key in zip(self.sources, self.source_keys, strict=True) if key in self.folder_keys}

    def clashing(self) -> list[str]:
        """Returns the sources whose old or new name is another's new or old one."""
        sources, targets = set(self.source_keys), set(self.target_keys)
        if sources.isdisjoint(targets):
            return []
        return [
            source
            for source, old, new in zip(self.sources, self.source_keys, self.target_keys, strict=True)
            if old in targets or new in sources
        ]


def find_places(journal_path: Path, renames: Sequence[Rename], edits: Sequence[Edit], fix: str) -> Places:
    """Returns the places of the renames, when nothing stands in their way.

    Args:
        journal_path: Problems name paths as it does.
        renames: All that shall be renamed.
        edits: All that shall be edited.
        fix: What is to be done about any obstacle.

    Raises:
        ProjectError: With every obstacle.
    """
    sources, targets = [str(rename.source) for rename in renames], [str(rename.target) for rename in renames]
    parents = {path.rpartition(os.sep)[0] for paths in (sources, targets) for path in paths}
    folders = _Folders(parents)
    places = Places(sources, targets, folders.keys(sources), folders.keys(targets), parents, folders.folder_keys)
    problems = [
        Problem(f"project.rename.{word}", f"{named(journal_path, path)} {state}.", named(journal_path, path), fix)
        for word, path, state in _obstacles(journal_path, places, folders, edits)
    ]
    if problems:
        raise ProjectError(*problems)
    return places


def _obstacles(
    journal_path: Path, places: Places, folders: _Folders, edits: Sequence[Edit]
) -> Iterator[tuple[str, str, str]]:
    for folder in folders.not_writable():
        yield "denied", folder, "is a folder that you may not write to"
    for edit in edits:
        path = path_of(journal_path, edit)
        # Who took the permission to write from a file does not want it replaced either.
        if not _is_writable(path if edit.before else path.parent) or not _is_writable(path.parent):
            yield "denied", str(path), "is a file that you may not write to"
        elif hash_of(path) != edit.before:
            yield "changed", str(path), "was changed by somebody else at this moment"
    sources, targets, taken = set(places.source_keys), set(places.target_keys), folders.taken
    are_distinct = len(sources) == len(targets) == len(places.sources)
    inner = {path for path in places.sources if path in folders.above}
    if are_distinct and not inner and sources <= taken and taken.isdisjoint(targets - sources):
        return
    source_counts, target_counts = Counter(places.source_keys), Counter(places.target_keys)
    for source, target, old, new in zip(
        places.sources, places.targets, places.source_keys, places.target_keys, strict=True
    ):
        lies_within = any(str(parent) in inner for path in (source, target) for parent in Path(path).parents)
        if old not in taken:
            yield "missing", source, "is not there any more"
        elif source_counts[old] > 1 or lies_within:
            yield "overlap", source, "would be renamed twice, or lies in a folder that is renamed as well"
        if new in taken and new not in sources:
            yield "exists", target, "exists already, and nothing is ever written over"
        elif target_counts[new] > 1:
            yield "overlap", target, "would be the new name of several folders"


class _Folders:
    """The folders that a set is about, each listed once: asking for each of thousands of paths takes longer.

    Attributes:
        taken: The key of everything in them.
        folder_keys: Of those, what is a folder itself, and no link.
        above: Each of them, and every folder that one lies in.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self.taken: set[str] = set()
        self.folder_keys: set[str] = set()
        self.above: set[str] = set()
        self._plain: set[str] = set()
        self._other: dict[str, tuple[str, bool]] = {}
        self._first_of: dict[tuple[int, int], tuple[str, bool]] = {}
        for folder in sorted(folders):
            self._list(folder)

    def keys(self, paths: list[str]) -> list[str]:
        """Returns for each path a text that is the same for the same place, however the path is written."""
        return [self._key(path) for path in paths] if self._other else paths

    def not_writable(self) -> list[str]:
        """Returns the folders in which no name may be changed."""
        return [folder for folder in (*self._plain, *self._other) if Path(folder).is_dir() and not _is_writable(folder)]

    def _key(self, path: str) -> str:
        parent, _, name = path.rpartition(os.sep)
        if parent in self._plain:
            return path
        first, ignores_case = self._other[parent]
        return f"{first}{os.sep}{_folded(name) if ignores_case else name}"

    def _list(self, parent: str) -> None:
        self.above.update((parent, *map(str, Path(parent).parents)))
        try:
            found, names, inner = Path(parent).stat(), *_listed(parent)
        except OSError:
            self._plain.add(parent)  # nothing is there; the rename itself says why
            return
        first = self._first_of.get((found.st_dev, found.st_ino))
        if first is not None:
            self._other[parent] = first
            return
        ignores_case = _ignores_case(parent, names)
        self._first_of[found.st_dev, found.st_ino] = parent, ignores_case
        if ignores_case:
            self._other[parent] = parent, True
        else:
            self._plain.add(parent)
        for keys, inside in ((self.taken, names), (self.folder_keys, inner)):
            keys.update([f"{parent}{os.sep}{_folded(name) if ignores_case else name}" for name in inside])


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """Returns the names in a folder, and those of them that are of folders."""
    names, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
    return names, folders


def _is_writable(path: str | Path) -> bool:
    return os.access(path, os.W_OK)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _ignores_case(folder: str, names: Sequence[str]) -> bool:
    """Returns whether upper and lower case are one in a folder: whether a name is there in the other case as well."""
    listed = set(names)
    for name in names:
        other = name.swapcase()
        if other not in listed and len(other) == len(name):
            return os.path.lexists(f"{folder}{os.sep}{other}")
    return False
