"""Disk → the caption of every picture of a concept, and the files that look like captions and are nobody's.

The trainer looks for `<name>.txt` beside `<name>.png`, and then, where the whole path without its extension has five
or more parts between underscores, for the path without its last four: a face cut out of `name.png` is called
`name_<x>_<y>_<width>_<height>.png`. Without either it takes the class tokens (sd-scripts 48d368fa, `read_caption`).
"""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.dataset.captions.reading import CaptionFile, read_caption_file
from loratpl.dataset.captions.settings import CaptionSettings, caption_settings_of
from loratpl.dataset.scan import Concept, Dataset, is_picture_name

# What tools and people call caption files; `.caption` is the trainer's own default.
CAPTION_EXTENSIONS = frozenset({".txt", ".caption", ".captions", ".cap", ".text", ".tags"})
_CROP_PARTS = 4


class Origin(enum.Enum):
    """Where the text comes from that a picture is trained with."""

    OWN = "own"
    FACE_CROP = "face crop"
    CLASS_TOKENS = "class tokens"


@dataclass(frozen=True, slots=True)
class Caption:
    """What one picture is trained with.

    Attributes:
        picture: The picture.
        origin: Where the text comes from.
        file: The caption file, None where the text is the class tokens.
        text: What is trained, without prefix and suffix; "" also where the trainer ends on the file.
        obstacle: What has the name of the picture's caption file and is none: "a folder", "a link that leads nowhere".
    """

    picture: Path
    origin: Origin
    file: CaptionFile | None
    text: str
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class ConceptCaptions:
    """The captions of one concept.

    Attributes:
        concept: The concept.
        settings: The options that its captions were read by.
        captions: One for each picture, in the same order.
        unused: Names in the folder that look like caption files, and that no picture uses.
    """

    concept: Concept
    settings: CaptionSettings
    captions: tuple[Caption, ...]
    unused: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[Caption, ...]:
        """Those that come from a file out of which the trainer takes a text that someone wrote."""
        return tuple(caption for caption in self.captions if caption.file is not None and caption.file.fault is None)


def read_captions(dataset: Dataset, settings_of: Callable[[Concept], Settings]) -> tuple[ConceptCaptions, ...]:
    """Returns the captions of every concept of a dataset, in its order.

    Args:
        dataset: The concepts.
        settings_of: Returns the settings of one of them.
    """
    return tuple(read_concept(concept, caption_settings_of(settings_of(concept))) for concept in dataset.concepts)


def read_concept(concept: Concept, settings: CaptionSettings) -> ConceptCaptions:
    """Returns the captions of one concept."""
    read: dict[str, CaptionFile | None] = {}
    captions = tuple(_caption(os.fspath(p.path), p.path, concept, settings, read) for p in concept.pictures)
    used = {path for path, file in read.items() if file is not None}
    return ConceptCaptions(concept, settings, captions, tuple(_unused(concept.folder, settings, used)))


def caption_paths(picture: str, extension: str) -> tuple[str, ...]:
    """Returns the files in which the trainer looks for a picture's caption, in its order.

    >>> caption_paths("faces/ann_0210_0340_0512_0512.png", ".txt")
    ('faces/ann_0210_0340_0512_0512.txt', 'faces/ann.txt')
    >>> caption_paths("faces/ann.png", ".txt")
    ('faces/ann.txt',)
    """
    stem = split_name(picture)[0]
    parts = stem.split("_")
    if len(parts) <= _CROP_PARTS:
        return (stem + extension,)
    return stem + extension, "_".join(parts[:-_CROP_PARTS]) + extension


def split_name(name: str) -> tuple[str, str]:
    """Returns a file's name or path without its extension, and the extension, by the trainer's own rule.

    >>> split_name("a.b.png")
    ('a.b', '.png')
    """
    return os.path.splitext(name)  # noqa: PTH122 - the trainer's rule, and a Path costs more than all the rest


def _caption(
    path: str, picture: Path, concept: Concept, settings: CaptionSettings, read: dict[str, CaptionFile | None]
) -> Caption:
    candidates = caption_paths(path, settings.extension)
    for candidate in candidates:
        if candidate not in read:
            read[candidate] = read_caption_file(candidate, enable_wildcard=settings.enable_wildcard)
        file = read[candidate]
        if file is not None:
            origin = Origin.OWN if candidate is candidates[0] else Origin.FACE_CROP
            return Caption(picture, origin, file, file.text, "" if origin is Origin.OWN else _obstacle(candidates[0]))
    return Caption(picture, Origin.CLASS_TOKENS, None, concept.class_tokens, _obstacle(candidates[0]))


def _obstacle(path: str) -> str:
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISLNK(mode):
        return "a link that does not lead to a file"
    return "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"


def _unused(folder: Path, settings: CaptionSettings, used: set[str]) -> list[str]:
    extensions = CAPTION_EXTENSIONS | {settings.extension.lower()}
    prefix = os.path.join(folder, "")  # noqa: PTH118 - with a separator at its end
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are all that is needed
    except OSError:  # told of where folders are
        return []
    return sorted(
        name
        for name in names
        if split_name(name)[1].lower() in extensions
        and not (name.startswith(".") or prefix + name in used or is_picture_name(name))
        and os.path.isfile(prefix + name)  # noqa: PTH113 - as above
    )
