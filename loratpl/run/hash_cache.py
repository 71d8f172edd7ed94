"""Hashes of files that have been read before: one file, which is believed only where everything fits.

A file is known again by its path, or by its number on the disk after its folder was renamed (`balance` does that),
and by its size and times.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from pathlib import Path

from loratpl.dataset.inspect.cache import replace_cache
from loratpl.dataset.inspect.signature import Signature
from loratpl.weights import sha256_of

CACHE_VERSION = 1
MAX_FILES = 200_000
# A file that changes again within a tick of its clock keeps its times; of all file systems FAT's is the coarsest.
RACY_NS = 2_000_000_000
_KIND = "kohyatpl hashes"
_HEX = frozenset("0123456789abcdef")

Entry = tuple[Signature, str]


class HashCache:
    """The hashes that are kept in one file; without a file none is kept.

    Attributes:
        files_read: How many files had to be read.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known = {} if path is None else _load(path)
        # Some network drives number no file: 0 is none's.
        self._by_inode = {entry[0].inode: entry for entry in self._known.values() if entry[0].inode}
        self._used: dict[str, Entry] = {}
        self.files_read = 0

    def sha256(self, path: Path) -> str:
        """Returns the SHA-256 of a file's bytes, which are read only where they may be others than last time.

        Raises:
            OSError: It cannot be read.
        """
        key, began_ns, before = os.fspath(path), time.time_ns(), _signature(path)
        for entry in (self._known.get(key), self._by_inode.get(before.inode)):
            if entry is not None and entry[0] == before:
                self._used[key] = entry
                return entry[1]
        found = sha256_of(path)
        self.files_read += 1
        if _signature(path) == before and _is_settled(before, began_ns):
            self._used[key] = before, found
        return found

    def save(self, *, forget_others: bool = False) -> bool:
        """Replaces the file as a whole; returns whether that was possible: a project may be read-only.

        Args:
            forget_others: Whether files that were not asked for are of no more use.
        """
        if self._path is None:
            return False
        others = {} if forget_others else _load(self._path)  # read again: another process may have added to it
        merged = {name: entry for name, entry in others.items() if name not in self._used} | self._used
        kept = list(merged.items())[-MAX_FILES:]
        if dict(kept) == self._known:
            return True
        return _replace(self._path, kept)


def _signature(path: Path) -> Signature:
    found = path.stat()
    return Signature(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _is_settled(signature: Signature, at_ns: int) -> bool:
    """Returns whether a change from `at_ns` on would show in its times; of a time to come nothing is certain."""
    return max(signature.mtime_ns, 0 if os.name == "nt" else signature.ctime_ns) + RACY_NS < at_ns


def _load(path: Path) -> dict[str, Entry]:
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        if json.loads(head) != _head(body):
            return {}
        return {name: _entry(*values) for name, values in json.loads(body).items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _entry(size: int, mtime_ns: int, ctime_ns: int, inode: int, sha: str) -> Entry:
    if len(sha) != 64 or not _HEX.issuperset(sha):
        raise ValueError(sha)
    return Signature(size, mtime_ns, ctime_ns, inode), sha


def _replace(path: Path, entries: list[tuple[str, Entry]]) -> bool:
    content = {name: [*signature, sha] for name, (signature, sha) in entries}
    body = json.dumps(content, separators=(",", ":")).encode("ascii")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    return replace_cache(path, _head(body), body)


def _head(body: bytes) -> dict[str, object]:
    return {"kind": _KIND, "version": CACHE_VERSION, "checksum": zlib.crc32(body)}
