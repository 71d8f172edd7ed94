"""Everything that lies in image_dir or reg_dir, by the trainer's own rules and beyond what it looks at."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from loratpl.dataset.inspect.signature import NOTHING
from loratpl.dataset.scan import IMAGE_EXTENSIONS, is_left_out_name, parse_folder_name

# What systems and archivers put beside pictures; nobody means them to be trained.
_JUNK_FOLDERS = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information"})
_MAX_DEPTH = 32
# What lies beside pictures by the thousand; no need to look at these names twice.
_BESIDE = frozenset({".txt", ".caption", ".npz", ".json"})
_IS_WINDOWS = os.name == "nt"
_name = attrgetter("name")


@dataclass(frozen=True, slots=True)
class FolderBelow:
    """A folder inside a concept folder, or further down; the trainer never looks into it.

    Attributes:
        path: The folder.
        picture_count: How many pictures lie directly in it.
        is_loop: Whether it is a link to a folder that it lies in.
        error: Why it cannot be listed, "" where it can.
    """

    path: Path
    picture_count: int = 0
    is_loop: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class FolderContents:
    """What lies in one folder of image_dir or reg_dir.

    Attributes:
        path: The folder.
        is_reg: Whether it lies in reg_dir.
        is_concept: Whether the trainer accepts its name.
        inode: Its number on its disk.
        pictures: The names that the trainer takes for pictures', in its order.
        stamps: What tells that they are still the same: the fields of `Signature`, one picture after another.
        left_out: The names that people take for pictures and the trainer does not.
        others: The names of all other files: captions, caches, notes.
        below: The folders in it, at every depth.
        is_loop: Whether it is a link to a folder that it lies in.
        error: Why it cannot be listed, "" where it can.
    """

    path: Path
    is_reg: bool
    is_concept: bool
    inode: int = 0
    pictures: tuple[str, ...] = ()
    stamps: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    below: tuple[FolderBelow, ...] = ()
    is_loop: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class ParentContents:
    """What lies in image_dir or reg_dir.

    Attributes:
        path: The folder.
        is_reg: Whether it is reg_dir.
        loose: The names of pictures that lie directly in it, of kinds that the trainer reads or not.
        folders: The folders in it, sorted by name; hidden ones and those of systems and archivers are left out.
        error: Why it cannot be listed, "" where it can or where there is none.
    """

    path: Path
    is_reg: bool
    loose: tuple[str, ...] = ()
    folders: tuple[FolderContents, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Listing:
    """One folder's entries, apart by kind: files by name, folders as entries."""

    pictures: list[os.DirEntry[str]]
    left_out: list[str]
    others: list[str]
    folders: list[os.DirEntry[str]]


def walk_parent(parent: Path, *, is_reg: bool) -> ParentContents:
    """Returns what lies in image_dir or reg_dir; a folder that does not exist holds nothing."""
    try:
        listing = _listed(os.fspath(parent))
        ancestors = (_identity(os.fspath(parent)),)
    except (FileNotFoundError, NotADirectoryError):
        return ParentContents(parent, is_reg)
    except OSError as error:
        return ParentContents(parent, is_reg, error=_reason(error))
    # Here a folder that is called like a picture is a folder to the trainer.
    like_pictures = [entry for entry in listing.pictures if _is_dir(entry)]
    loose = sorted([*(entry.name for entry in listing.pictures if entry not in like_pictures), *listing.left_out])
    folders = sorted(entry.path for entry in (*listing.folders, *like_pictures) if not _is_junk(entry.name))
    return ParentContents(
        parent, is_reg, tuple(loose), tuple(_walk_folder(path, is_reg, ancestors) for path in folders)
    )


def _walk_folder(path: str, is_reg: bool, ancestors: tuple[tuple[int, int], ...]) -> FolderContents:
    folder = Path(path)
    parsed = parse_folder_name(folder.name)
    is_concept = parsed is not None and parsed[0] >= 1
    try:
        identity = _identity(path)
        listing = _listed(path)
    except OSError as error:
        return FolderContents(folder, is_reg, is_concept, error=_reason(error))
    is_loop = identity in ancestors
    pictures = sorted(listing.pictures, key=_name)  # all of one folder: by path is by name
    return FolderContents(
        folder,
        is_reg,
        is_concept,
        identity[1],
        tuple(entry.name for entry in pictures),
        _stamps(pictures) if is_concept else (),
        tuple(sorted(listing.left_out)),
        tuple(listing.others),
        () if is_loop else tuple(_below(listing, (*ancestors, identity), set())),
        is_loop,
    )


def _below(
    listing: _Listing, ancestors: tuple[tuple[int, int], ...], seen: set[tuple[int, int]]
) -> Iterator[FolderBelow]:
    for entry in sorted(listing.folders, key=lambda entry: entry.name):
        if _is_junk(entry.name):
            continue
        path = Path(entry.path)
        try:
            identity = _identity(entry.path)
            if identity in ancestors:
                yield FolderBelow(path, is_loop=True)
                continue
            if identity in seen or len(ancestors) > _MAX_DEPTH:
                continue
            seen.add(identity)
            inside = _listed(entry.path)
        except OSError as error:
            yield FolderBelow(path, error=_reason(error))
            continue
        yield FolderBelow(path, len(inside.pictures) + len(inside.left_out))
        yield from _below(inside, (*ancestors, identity), seen)


def _listed(path: str) -> _Listing:
    """Returns the entries of a folder; names with a full stop in front are nothing to the trainer.

    Raises:
        OSError: It cannot be listed.
    """
    found = _Listing([], [], [], [])
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            # The trainer takes a folder of a concept that is called like a picture for one.
            suffix = name[name.rfind(".") :]  # of a hundred thousand names
            if suffix in IMAGE_EXTENSIONS:
                found.pictures.append(entry)
            elif _is_dir(entry):
                found.folders.append(entry)
            elif suffix not in _BESIDE and is_left_out_name(name):
                found.left_out.append(name)
            else:
                found.others.append(name)
    return found


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that loops
        return False


def _is_junk(name: str) -> bool:
    return name.lower() in _JUNK_FOLDERS


def _stamps(entries: list[os.DirEntry[str]]) -> tuple[int, ...]:
    stamps: list[int] = []
    for entry in entries:
        try:
            # Windows tells an entry's size and times, but not its number.
            status = os.stat(entry.path) if _IS_WINDOWS else entry.stat()  # noqa: PTH116
        except OSError:
            stamps += NOTHING
        else:
            stamps += (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return tuple(stamps)


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116
    return status.st_dev, status.st_ino


def _reason(error: OSError) -> str:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "permission denied"
    return (error.strerror or str(error)).lower()
