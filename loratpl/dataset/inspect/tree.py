"""All pictures of a project, looked at: walked, known again from last time, the rest inspected on all cores."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loratpl.dataset.inspect.inspection import Inspection, Tier
from loratpl.dataset.inspect.pool import usable_cores
from loratpl.dataset.inspect.walk import FolderContents, ParentContents, walk_parent
from loratpl.dataset.inspect.work import Progress, Work

# Headers wait for the disk, which serves several at once (3 times as fast with 8 from a cold one); pixels for cores.
_HEADER_THREADS = 8


@dataclass(frozen=True, slots=True)
class InspectedFolder:
    """One folder of image_dir or reg_dir, and what its pictures are; those of folders without a number are not read."""

    contents: FolderContents
    pictures: tuple[Inspection, ...]

    @property
    def path(self) -> Path:
        """The folder."""
        return self.contents.path

    @property
    def is_reg(self) -> bool:
        """Whether it lies in reg_dir."""
        return self.contents.is_reg


@dataclass(frozen=True, slots=True)
class InspectedParent:
    """image_dir or reg_dir, and its folders."""

    contents: ParentContents
    folders: tuple[InspectedFolder, ...]


@dataclass(frozen=True, slots=True)
class InspectedTree:
    """Everything that was found.

    Attributes:
        tier: How closely was looked at least.
        parents: image_dir, and reg_dir where there is one.
        inspected_count: How many files were looked at now; the others are known from last time.
        is_saved: Whether what is known could be kept; a read-only project cannot.
    """

    tier: Tier
    parents: tuple[InspectedParent, ...]
    inspected_count: int
    is_saved: bool

    @property
    def folders(self) -> Iterator[InspectedFolder]:
        """All folders, training before regularisation."""
        return (folder for parent in self.parents for folder in parent.folders)

    @property
    def pictures(self) -> Iterator[Inspection]:
        """All pictures that the trainer takes."""
        return (picture for folder in self.folders for picture in folder.pictures)


def inspect_tree(
    image_dir: Path,
    reg_dir: Path | None,
    *,
    tier: Tier = "full",
    cache_path: Path | None = None,
    progress: Progress = lambda _done, _total, _bytes: None,
    workers: int | None = None,
) -> InspectedTree:
    """Returns everything that lies in image_dir and reg_dir, and what the pictures are.

    Args:
        image_dir: Holds the concept folders.
        reg_dir: Holds the folders of regularisation images.
        tier: How closely to look; what is known more closely from last time stays so.
        cache_path: What is known from last time, and where it is kept for the next; its folder exists.
        progress: Told (files done, files in all, bytes of those done) as it goes on, in this thread; files that are
            known from last time count as done.
        workers: Threads; as many as suit unless given.
    """
    with _collecting_nothing():
        parents = [walk_parent(image_dir, is_reg=False)]
        if reg_dir is not None and not _is_same(image_dir, reg_dir):
            parents.append(walk_parent(reg_dir, is_reg=True))
        work = Work([folder for parent in parents for folder in parent.folders], tier, cache_path)
    threads = workers or (usable_cores() if tier == "full" else max(_HEADER_THREADS, usable_cores()))
    # Decoders also warn on stderr of what is told here as a problem; the filters are the whole process's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            work.do(threads, progress)
        finally:
            is_saved = work.save()  # also when it is interrupted
    folders = iter([InspectedFolder(folder, found) for folder, found in work.results()])
    inspected = tuple(InspectedParent(parent, tuple(next(folders) for _ in parent.folders)) for parent in parents)
    return InspectedTree(tier, inspected, work.inspected_count, is_saved)


@contextlib.contextmanager
def _collecting_nothing() -> Iterator[None]:
    """Makes many small objects at once without the collector walking all of them again and again: half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
