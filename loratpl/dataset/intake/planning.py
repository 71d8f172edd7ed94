"""Which files of a folder become pictures and captions of a project, under which names, and why the others do not.

A decision over a listing, nothing more: no file is touched here (`copy.py` does what is decided).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from loratpl.dataset.intake.captions import CaptionTemplate
from loratpl.dataset.intake.listing import Entry, Kind
from loratpl.dataset.intake.names import portable_stem, split_name, unique_stems
from loratpl.dataset.scan import IMAGE_EXTENSIONS
from loratpl.project.naming import name_key

# What every config of ours names as `caption_extension`.
CAPTION_EXTENSION = ".txt"
# In the order in which they are preferred; both kinds were made for one trainer or another.
_CAPTION_EXTENSIONS = (CAPTION_EXTENSION, ".caption")
# JPEG files under another name: browsers and old programs write them.
_JPEG_EXTENSIONS = frozenset((".jfif", ".jif", ".jpe"))
_JPEG_START = b"\xff\xd8\xff"
_OTHER_PICTURES = frozenset((
    ".gif", ".tif", ".tiff", ".avif", ".jxl", ".heic", ".heif", ".svg", ".psd", ".apng", ".ico", ".tga", ".exr",
    ".hdr", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".jp2", ".xcf", ".kra", ".pdf",
))  # fmt: skip
_VIDEOS = frozenset((".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v", ".wmv", ".flv", ".mpg", ".mpeg", ".3gp", ".gifv"))
_LFS_START = b"version https://git-lfs.github.com/spec/"


class Reason(Enum):
    """Why a file was not taken: as it is said, and what would help; "" where nothing is lost."""

    FORMAT = ("a kind of picture that the trainer does not read", "Convert to png or jpg, and put the result in.")
    VIDEO = ("a video", "Take single pictures out of it.")
    EMPTY = ("empty (0 bytes)", "Fetch the file again, where it should hold something.")
    LFS_POINTER = ("a Git LFS pointer, not the file itself", "Run `git lfs pull` where it came from.")
    BROKEN_LINK = ("a link that leads nowhere", "Mend the link.")
    UNREADABLE = ("not readable", "See that you may read the file.")
    SPECIAL = ("neither a file nor a folder", "")
    FOLDER = ("a sub-folder: a concept is one folder of pictures", "Name it as a concept of its own, or see `--flat`.")
    PICTURE_FOLDER = ("a folder with a picture's name", "Name the pictures in it as a concept of their own.")
    LOOSE = ("loose beside the concept folders", "Put it into one of the folders.")
    NO_PICTURE = ("a folder without any file", "")
    SECOND_CAPTION = ("a second caption of its picture", "Keep the one that is right; .txt goes before .caption.")
    ORPHAN = ("a text whose name is not a picture's", "Name it like its picture, where it is a caption.")
    CACHE = ("a latent cache; the trainer makes it again", "")
    HIDDEN = ("hidden", "")
    OTHER = ("neither a picture nor a caption", "")

    @property
    def text(self) -> str:
        """What the file is."""
        return self.value[0]

    @property
    def fix(self) -> str:
        """What the user may want to do; "" where nothing is lost."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class TakenFile:
    """One file of the source and its name in the project; a caption may be of two pictures, and is then taken twice."""

    name: str
    new_name: str
    is_caption: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One entry of the source that stays there alone."""

    name: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class FolderIntake:
    """What becomes of one source folder.

    Attributes:
        taken: Pictures and captions, sorted by their new names.
        written: The captions that are written, by their names.
        left_out: Everything else, sorted by name.
    """

    taken: tuple[TakenFile, ...]
    written: Mapping[str, str]
    left_out: tuple[LeftOut, ...]

    @property
    def picture_count(self) -> int:
        """How many pictures it brings."""
        return sum(not item.is_caption for item in self.taken)

    @property
    def caption_count(self) -> int:
        """How many of them bring a caption."""
        return len(self.taken) - self.picture_count


def plan_intake(entries: Sequence[Entry], *, class_tokens: str, caption: CaptionTemplate | None = None) -> FolderIntake:
    """Returns what is taken of a folder, under which names, and what is not.

    Args:
        entries: The folder's listing.
        class_tokens: Of the concept that the pictures become.
        caption: Fills in for captions that are not there.
    """
    judged = {entry.name: _picture_extension(entry) for entry in entries}
    extension_of = {name: kind for name, kind in judged.items() if isinstance(kind, str)}
    stems = unique_stems(extension_of)
    texts = {entry.name: entry for entry in entries if judged[entry.name] is None}
    captions = _captions(sorted(extension_of), texts)
    left_out = [LeftOut(name, reason) for name, reason in judged.items() if isinstance(reason, Reason)]
    left_out += _left_out_texts(texts, set(captions.values()), extension_of)
    sizes = {entry.name: entry.size_bytes for entry in entries}
    taken = [TakenFile(name, stem + extension_of[name], False, sizes[name]) for name, stem in stems.items()]
    taken += [
        TakenFile(name, stems[picture] + CAPTION_EXTENSION, True, sizes[name]) for picture, name in captions.items()
    ]
    without = {picture: stem for picture, stem in stems.items() if picture not in captions}
    return FolderIntake(
        tuple(sorted(taken, key=lambda item: item.new_name)),
        _written(without, class_tokens, caption) if caption else {},
        tuple(sorted(left_out, key=lambda item: item.name)),
    )


def _written(stems: Mapping[str, str], class_tokens: str, caption: CaptionTemplate) -> dict[str, str]:
    texts = {
        stem + CAPTION_EXTENSION: caption.fill(class_tokens, portable_stem(split_name(picture)[0]))
        for picture, stem in stems.items()
    }
    # An empty caption file would end the trainer; without one it takes the class tokens.
    return {name: texts[name] for name in sorted(texts) if texts[name]}


def loose_entries(entries: Iterable[Entry]) -> Iterator[LeftOut]:
    """Yields what is left out of a folder whose sub-folders alone are taken."""
    for entry in entries:
        if entry.kind is Kind.FOLDER and not is_hidden(entry.name):
            continue
        reason = _picture_extension(entry)
        yield LeftOut(entry.name, reason if isinstance(reason, Reason) else _fault(entry) or Reason.LOOSE)


def is_hidden(name: str) -> bool:
    """Returns whether a file or folder is not meant to be seen; archives of macOS bring a folder of such files."""
    return name.startswith(".") or name == "__MACOSX"


def _picture_extension(entry: Entry) -> str | Reason | None:
    """Returns the extension that a picture shall have, why an entry is none, or None for what may be a caption."""
    extension = split_name(entry.name)[1]
    kind = extension.lower()
    is_picture = kind in IMAGE_EXTENSIONS or kind in _JPEG_EXTENSIONS
    if is_hidden(entry.name):
        return Reason.HIDDEN
    if entry.kind is Kind.FOLDER:
        return Reason.PICTURE_FOLDER if is_picture else Reason.FOLDER
    if not is_picture:
        return None if kind in _CAPTION_EXTENSIONS else _reason_of_kind(kind)
    if kind in _JPEG_EXTENSIONS:
        extension = kind = ".jpg" if entry.head.startswith(_JPEG_START) else ""
    # The trainer reads an extension in lower or in upper case, none that is mixed.
    return _fault(entry) or (extension if extension in IMAGE_EXTENSIONS else kind) or Reason.FORMAT


def _reason_of_kind(kind: str) -> Reason:
    if kind in _OTHER_PICTURES:
        return Reason.FORMAT
    if kind in _VIDEOS:
        return Reason.VIDEO
    return Reason.CACHE if kind == ".npz" else Reason.OTHER


def _fault(entry: Entry) -> Reason | None:
    of_kind = {
        Kind.BROKEN_LINK: Reason.BROKEN_LINK,
        Kind.UNREADABLE: Reason.UNREADABLE,
        Kind.SPECIAL: Reason.SPECIAL,
    }
    if entry.kind in of_kind:
        return of_kind[entry.kind]
    if entry.size_bytes == 0:
        return Reason.EMPTY
    return Reason.LFS_POINTER if entry.head.startswith(_LFS_START) else None


def _captions(pictures: Iterable[str], texts: Mapping[str, Entry]) -> dict[str, str]:
    """Returns the caption of each picture that has one.

    It is called like its picture, without the picture's extension or with it; composed letters and case do not matter
    where no name is the very same one.
    """
    good = sorted(name for name, entry in texts.items() if _fault(entry) is None)
    exact = {_caption_key(name): name for name in good}
    folded = {(name_key(stem), rank): exact[stem, rank] for stem, rank in exact}
    found = {}
    for picture in pictures:
        keys = [(stem, rank) for stem in _stems_of_captions(picture) for rank in range(len(_CAPTION_EXTENSIONS))]
        names = [exact.get((stem, rank)) or folded.get((name_key(stem), rank)) for stem, rank in keys]
        found[picture] = next(filter(None, names), "")
    return {picture: name for picture, name in found.items() if name}


def _left_out_texts(texts: Mapping[str, Entry], taken: Container[str], pictures: Iterable[str]) -> Iterator[LeftOut]:
    keys = {name_key(stem) for picture in pictures for stem in _stems_of_captions(picture)}
    for name, entry in texts.items():
        if name not in taken:
            has_picture = name_key(_caption_key(name)[0]) in keys
            yield LeftOut(name, _fault(entry) or (Reason.SECOND_CAPTION if has_picture else Reason.ORPHAN))


def _stems_of_captions(picture: str) -> tuple[str, str]:
    return split_name(picture)[0], picture


def _caption_key(name: str) -> tuple[str, int]:
    stem, extension = split_name(name)
    return stem, _CAPTION_EXTENSIONS.index(extension.lower())
