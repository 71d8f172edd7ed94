"""Finds concept folders and their pictures by the trainer's own rules.

The rules (sd-scripts 48d368fa, `generate_dreambooth_subsets_config_by_subdirs` and `glob_images`): a direct child
folder counts when the part of its name before the first underscore is a number of one or more; its pictures are the
files at its top level whose extension is all lower or all upper case.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.dataset.latent_caches import FoundCache, find_caches
from loratpl.dataset.probe import UNREADABLE, image_size

# What people take for pictures; those that the trainer does not read are left out in silence.
_PICTURE_LIKE = frozenset(
    (
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".webp",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".avif",
        ".jxl",
        ".heic",
        ".heif",
    )
)
_LOWER = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
IMAGE_EXTENSIONS = frozenset((*_LOWER, *(suffix.upper() for suffix in _LOWER)))


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Attributes:
        path: Its file.
        width_px, height_px: As its header says; (0, 0) where no reader can open it.
        cache: The latent cache that the trainer takes for its own.
    """

    path: Path
    width_px: int
    height_px: int
    cache: FoundCache | None = None

    @property
    def trained_px(self) -> tuple[int, int]:
        """The (width, height) that the trainer goes by: of the cache's name, where there is a cache."""
        if self.cache is not None and self.cache.size_px is not None:
            return self.cache.size_px
        return self.width_px, self.height_px

    @property
    def is_readable(self) -> bool:
        """Whether its header could be read."""
        return (self.width_px, self.height_px) != UNREADABLE


@dataclass(frozen=True, slots=True)
class Concept:
    """One folder of image_dir or reg_dir that the trainer will use.

    Attributes:
        folder: The folder itself.
        repeats: Times each picture is seen per epoch.
        class_tokens: The caption of a picture without a caption file.
        is_reg: Whether it holds regularisation images.
        pictures: In the trainer's order: by full path.
        left_out: Pictures in the folder that the trainer does not read, for their extension.
    """

    folder: Path
    repeats: int
    class_tokens: str
    is_reg: bool
    pictures: tuple[Picture, ...]
    left_out: tuple[Path, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        """What a config may call it, the exact name first."""
        return self.folder.name, self.class_tokens


@dataclass(frozen=True, slots=True)
class IgnoredFolder:
    """A folder that the trainer passes over.

    Attributes:
        folder: The folder itself.
        picture_count: How many pictures lie in it, of kinds that the trainer reads or not.
        reason: Why it is passed over.
        right_name: A name under which it would be trained.
        is_unreadable: Whether nobody may look into it, image_dir or reg_dir itself perhaps.
    """

    folder: Path
    picture_count: int
    reason: str
    right_name: str
    is_unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the trainer will find: concepts in sorted order, training before regularisation."""

    image_dir: Path
    reg_dir: Path | None
    concepts: tuple[Concept, ...]
    ignored: tuple[IgnoredFolder, ...]

    @property
    def training(self) -> tuple[Concept, ...]:
        """The concepts to learn."""
        return tuple(concept for concept in self.concepts if not concept.is_reg)

    @property
    def regularisation(self) -> tuple[Concept, ...]:
        """The folders of regularisation images."""
        return tuple(concept for concept in self.concepts if concept.is_reg)


def parse_folder_name(name: str) -> tuple[int, str] | None:
    """Returns (repeats, class tokens) of a folder's name, None where the trainer finds no number in it.

    >>> parse_folder_name("10_ohwx cat")
    (10, 'ohwx cat')
    >>> parse_folder_name("ohwx cat") is None
    True
    >>> parse_folder_name("7")
    (7, '')
    """
    number, _, class_tokens = name.partition("_")
    try:
        return int(number), class_tokens
    except ValueError:
        return None


def scan(
    image_dir: Path, reg_dir: Path | None, *, cache_suffix: str | None = None, in_disk_order: bool = False
) -> Dataset:
    """Returns what the trainer would train on; a folder that does not exist holds nothing.

    Args:
        image_dir: Holds a folder for each concept.
        reg_dir: Holds the folders of regularisation images.
        cache_suffix: Of the family's latent caches; without it none is looked for.
        in_disk_order: Folders come as the system lists them, which is what the trainer does where it is given the
            two folders rather than a dataset file of ours. It decides which regularisation images are repeated.
    """
    look = _Look(cache_suffix, in_disk_order)
    found = [*look.into(image_dir, is_reg=False), *(look.into(reg_dir, is_reg=True) if reg_dir else ())]
    return Dataset(
        image_dir,
        reg_dir,
        tuple(item for item in found if isinstance(item, Concept)),
        tuple(item for item in found if isinstance(item, IgnoredFolder)),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """How folders are looked at."""

    cache_suffix: str | None
    in_disk_order: bool

    def into(self, parent: Path, *, is_reg: bool) -> Iterator[Concept | IgnoredFolder]:
        if not os.path.isdir(parent):  # noqa: PTH112 - a Path's own question raises where it may not look
            return
        try:
            names = _names(parent)
        except OSError as error:
            yield _unreadable(parent, error)
            return
        folders = [parent / name for name in names if os.path.isdir(parent / name)]  # noqa: PTH112
        for folder in folders if self.in_disk_order else sorted(folders):
            yield self._at(folder, is_reg=is_reg)

    def _at(self, folder: Path, *, is_reg: bool) -> Concept | IgnoredFolder:
        try:
            names = _names(folder)
        except OSError as error:
            return _unreadable(folder, error)
        left_out = tuple(folder / name for name in sorted(names) if is_left_out_name(name))
        count = sum(map(is_picture_name, names)) + len(left_out)
        parsed = parse_folder_name(folder.name)
        if parsed is None:
            reason = "its name does not start with a number and an underscore"
            return IgnoredFolder(folder, count, reason, f"1_{folder.name}")
        if parsed[0] < 1:
            return IgnoredFolder(folder, count, f"its repeats are {parsed[0]}", f"1_{parsed[1]}")
        if count == len(left_out):
            return IgnoredFolder(folder, count, "it holds no picture that the trainer reads", folder.name)
        found = _pictures(folder, names, self.cache_suffix)
        return Concept(folder, parsed[0], parsed[1], is_reg, found, left_out)


def _unreadable(folder: Path, error: OSError) -> IgnoredFolder:
    reason = f"it cannot be read ({error.strerror or error})"
    return IgnoredFolder(folder, 0, reason, folder.name, is_unreadable=True)


def picture_paths(folder: Path) -> Iterator[Path]:
    """Yields the files of a folder that the trainer takes for pictures, sorted by path as text."""
    for name in sorted(_names(folder)):
        if is_picture_name(name):
            yield folder / name


def pictures_of(folder: Path, cache_suffix: str | None = None) -> tuple[Picture, ...]:
    """Returns the files of a folder that the trainer takes for pictures, sorted by path as text; as `scan`."""
    return _pictures(folder, _names(folder), cache_suffix)


def _pictures(folder: Path, names: Sequence[str], cache_suffix: str | None) -> tuple[Picture, ...]:
    pictures = sorted(name for name in names if is_picture_name(name))
    caches = find_caches(folder, names, pictures, cache_suffix) if cache_suffix else {}
    return tuple(Picture(folder / name, *image_size(folder / name), cache=caches.get(name)) for name in pictures)


def is_picture_name(name: str) -> bool:
    """Returns whether the trainer takes a file of this name for a picture; dot files never count.

    >>> [is_picture_name(name) for name in ("1.png", "1.PNG", "1.Png", "1.gif")]
    [True, True, False, False]
    """
    return _suffix(name) in IMAGE_EXTENSIONS


def is_left_out_name(name: str) -> bool:
    """Returns whether people would take a file of this name for a picture, and the trainer would not.

    avif and jxl among them: the trainer reads these only with plug-ins that its environment (vendor/) does not have.

    >>> [is_left_out_name(name) for name in ("1.png", "1.Png", "1.gif", "1.txt")]
    [False, True, True, False]
    """
    suffix = _suffix(name)
    return suffix.lower() in _PICTURE_LIKE and suffix not in IMAGE_EXTENSIONS


def _names(folder: Path) -> list[str]:
    """In the order of the disk: it decides which of several caches of a picture the trainer finds."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".")]


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1]  # noqa: PTH122 - a Path for each file costs twice the time
