"""The files of all folders: known again from last time, or looked at now, and kept for the next time."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import compress
from pathlib import Path
from typing import NamedTuple, cast

from loratpl.dataset.inspect.cache import KnownFolder, known_folder, load_cache, save_cache
from loratpl.dataset.inspect.inspection import Inspection, Tier
from loratpl.dataset.inspect.one import inspect_file
from loratpl.dataset.inspect.pool import in_threads
from loratpl.dataset.inspect.signature import NOTHING, Signature, is_settled, signatures_of
from loratpl.dataset.inspect.walk import FolderContents

# The cache is also saved in passing: a check that is killed need not begin anew.
_SAVED_EVERY_S = 30.0
# What may change without a trace in the file itself, or costs nothing to look at again.
_NEVER_KEPT = frozenset({"directory", "special", "broken_link", "link_loop", "denied", "unreadable"})

Progress = Callable[[int, int, int], None]


class Job(NamedTuple):
    """One file to be looked at.

    Attributes:
        folder: The number of its folder.
        at: Its place among the pictures of that.
        path: The file.
        tier: How closely.
        wants_hash: Whether another file has the same size.
    """

    folder: int
    at: int
    path: str
    tier: Tier
    wants_hash: bool


class Work:
    """What is known of the files of some folders, and what is still to be found out."""

    def __init__(self, folders: list[FolderContents], tier: Tier, cache_path: Path | None) -> None:
        self.inspected_count = 0
        self._folders = [folder if folder.is_concept else _unread(folder) for folder in folders]
        self._all = folders
        self._tier: Tier = tier
        self._cache_path = cache_path
        cache = load_cache(cache_path)
        self._found = [
            cache.folder(folder.path, folder.inode).inspections(folder.path, folder.pictures, folder.stamps)
            for folder in self._folders
        ]
        # What is looked at now is kept only where it may be believed the next time.
        self._is_kept = [bytearray(b"\1" * len(found)) for found in self._found]
        self._jobs = self._to_do()
        self._is_changed = bool(self._jobs) or cache.file_count != sum(map(len, self._found))

    def _to_do(self) -> list[Job]:
        """Returns what is to be looked at: what is not known, or not closely enough."""
        sizes = self._sizes() if self._tier == "full" else Counter()
        jobs = []
        for number, (folder, found) in enumerate(zip(self._folders, self._found, strict=True)):
            for at, known in enumerate(found):
                if known is not None and self._tier == "headers":
                    continue
                wants_hash = sizes[folder.stamps[at * len(NOTHING)]] > 1
                if known is not None and known.tier == "full" and (known.content_hash or not wants_hash):
                    continue
                found[at] = None
                self._is_kept[number][at] = False
                path = os.path.join(folder.path, folder.pictures[at])  # noqa: PTH118 - of a hundred thousand
                jobs.append(Job(number, at, path, self._tier, wants_hash))
        return jobs

    def _sizes(self) -> Counter[int]:
        """Returns how often each size comes: only files of one size can be the same; empty ones are not compared."""
        sizes = Counter(size for folder in self._folders for size in folder.stamps[:: len(NOTHING)])
        del sizes[0]
        return sizes

    def do(self, threads: int, progress: Progress) -> None:
        """Looks at everything that is to be looked at."""
        known = [found for folder in self._found for found in folder if found is not None]
        done, done_bytes, total = len(known), sum(found.size_bytes for found in known), len(known) + len(self._jobs)
        del known
        progress(done, total, done_bytes)
        started_ns, saved_s = time.time_ns(), time.monotonic()
        for index, found in in_threads(_look, self._jobs, threads):
            self._note(self._jobs[index], found, started_ns)
            done_bytes += found.size_bytes
            progress(done + self.inspected_count, total, done_bytes)
            if time.monotonic() - saved_s > _SAVED_EVERY_S:
                self.save()
                saved_s = time.monotonic()

    def _note(self, job: Job, found: Inspection, started_ns: int) -> None:
        self._found[job.folder][job.at] = found
        self.inspected_count += 1
        first = job.at * len(NOTHING)
        signature = Signature._make(self._folders[job.folder].stamps[first : first + len(NOTHING)])
        is_same = found.impostor not in _NEVER_KEPT and found.size_bytes == signature.size_bytes
        if is_same and signature != NOTHING and is_settled(signature, started_ns):
            self._is_kept[job.folder][job.at] = True

    def save(self) -> bool:
        """Keeps what is known; returns whether that was possible."""
        if self._cache_path is None:
            return False
        return save_cache(self._cache_path, self._kept()) if self._is_changed else True

    def _kept(self) -> Iterator[tuple[Path, KnownFolder]]:
        for folder, found, is_kept in zip(self._folders, self._found, self._is_kept, strict=True):
            files = zip(folder.pictures, signatures_of(folder.stamps), cast("list[Inspection]", found), strict=True)
            if kept := list(compress(files, is_kept)):
                yield folder.path, known_folder(folder.inode, kept)

    def results(self) -> Iterator[tuple[FolderContents, tuple[Inspection, ...]]]:
        """Yields each folder and what its pictures are, in the trainer's order; all must have been looked at."""
        for folder, found in zip(self._all, self._found, strict=True):
            yield folder, tuple(cast("list[Inspection]", found))


def _unread(folder: FolderContents) -> FolderContents:
    """Returns a folder that the trainer passes over as one without pictures."""
    return FolderContents(folder.path, folder.is_reg, is_concept=False)


def _look(job: Job) -> Inspection:
    return inspect_file(job.path, job.tier, wants_hash=job.wants_hash)
