"""What was found out about files, kept for the next time: one file, which is believed only where everything fits.

A file is known again by its folder (by path, or by inode after a rename), name, size, times and inode. The times
include the one that changes with permissions, so that a file which has become unreadable is looked at again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from loratpl.dataset.inspect.decode import jpeg_decoder_name
from loratpl.dataset.inspect.inspection import Inspection
from loratpl.dataset.inspect.signature import Signature, signatures_of

# Raised whenever the same file would be judged or kept otherwise.
CACHE_VERSION = 1
_KIND = "kohyatpl inspections"


@dataclass(frozen=True, slots=True)
class KnownFolder:
    """What is known of the files of one folder.

    Attributes:
        inode: Of the folder.
        names: Of its files.
        stamps: What tells that they are still the same; see `FolderContents.stamps`.
        columns: What was found out, a column for each field of `Inspection` but the path; a column of one value holds
            for all files: most fields are the same for most pictures, and need not be read a thousand times.
    """

    inode: int
    names: Sequence[str]
    stamps: Sequence[int]
    columns: Sequence[Sequence[Any]]

    def inspections(self, folder: Path, names: Sequence[str], stamps: Sequence[int]) -> list[Inspection | None]:
        """Returns what is known of each of these files of `folder`, None where that cannot be believed."""
        try:
            return self._inspections(folder, names, stamps)
        except (TypeError, ValueError, IndexError):  # somebody wrote what only looks like a cache of ours
            return [None] * len(names)

    def _inspections(self, folder: Path, names: Sequence[str], stamps: Sequence[int]) -> list[Inspection | None]:
        prefix = os.path.join(folder, "")  # noqa: PTH118 - with a separator at its end
        columns = (repeat(column[0]) if len(column) == 1 else column for column in self.columns)
        found: list[Inspection | None] = []
        found += map(Inspection._make, zip([prefix + name for name in self.names], *columns, strict=False))
        if self.names == list(names) and self.stamps == list(stamps):
            return found
        pairs = zip(self.names, signatures_of(self.stamps), strict=True)
        known = dict(zip(pairs, found, strict=True))
        return [known.get(pair) for pair in zip(names, signatures_of(stamps), strict=True)]


def known_folder(inode: int, files: Sequence[tuple[str, Signature, Inspection]]) -> KnownFolder:
    """Returns what is to be known of a folder from the names, signatures and inspections of its files."""
    columns = list(zip(*(found[1:] for _, _, found in files), strict=True))
    return KnownFolder(
        inode,
        [name for name, _, _ in files],
        [value for _, signature, _ in files for value in signature],
        [column[:1] if all(value == column[0] for value in column) else column for column in columns],
    )


NOTHING_KNOWN = KnownFolder(0, (), (), ())


class InspectionCache:
    """What is known from last time; empty where there is nothing that can be believed.

    Attributes:
        file_count: How many files it knows.
    """

    def __init__(self, folders: Mapping[str, KnownFolder]) -> None:
        self._by_path = folders
        self._by_inode = {folder.inode: folder for folder in folders.values() if folder.inode}
        self.file_count = sum(len(folder.names) for folder in folders.values())

    def folder(self, path: Path, inode: int) -> KnownFolder:
        """Returns what is known of a folder, also where it was renamed since."""
        known = self._by_path.get(os.fspath(path))
        if known is None or known.inode != inode:
            known = self._by_inode.get(inode, known)
        return known or NOTHING_KNOWN


def load_cache(path: Path | None) -> InspectionCache:
    """Returns what the cache at `path` knows; nothing of a corrupt, foreign or other version's one is believed."""
    if path is None:
        return InspectionCache({})
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        if json.loads(head) != _head(body):
            return InspectionCache({})
        return InspectionCache({name: KnownFolder(*folder) for name, folder in json.loads(body).items()})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return InspectionCache({})


def save_cache(path: Path, folders: Iterable[tuple[Path, KnownFolder]]) -> bool:
    """Replaces the cache at `path` as a whole; returns whether that was possible: a project may be read-only."""
    content = {os.fspath(path): [folder.inode, folder.names, folder.stamps, folder.columns] for path, folder in folders}
    body = json.dumps(content, separators=(",", ":")).encode("ascii")
    return replace_cache(path, _head(body), body)


def replace_cache(path: Path, head: Mapping[str, object], body: bytes) -> bool:
    """Replaces a cache of a head in one line and a body as a whole; returns whether that was possible."""
    partial = path.with_name(f"{path.name}.{os.getpid()}-{time.monotonic_ns()}.partial")
    try:
        partial.write_bytes(json.dumps(head).encode("ascii") + b"\n" + body)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        return False
    return True


def _head(body: bytes) -> dict[str, object]:
    """Returns what the first line of a cache with this body says."""
    return {
        "kind": _KIND,
        "version": CACHE_VERSION,
        "columns": [*Signature._fields, *Inspection._fields],
        "jpeg": jpeg_decoder_name(),
        # What one user may read, another may not.
        "user": os.geteuid() if hasattr(os, "geteuid") else 0,
        "checksum": zlib.crc32(body),
    }
