"""How problems of captions name their files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from loratpl.dataset.captions import CaptionFile, ConceptCaptions
from loratpl.project import ProjectPaths

_SHOWN = 5


def counted(number: int, noun: str) -> str:
    """Returns a number and what it counts.

    >>> counted(1, "caption"), counted(2, "caption")
    ('1 caption', '2 captions')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Returns the first few of some names, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e and 2 more'
    """
    more = len(names) - _SHOWN
    return f"{', '.join(names[:_SHOWN])} and {more} more" if more > 0 else ", ".join(names)


def place(project: ProjectPaths, folder: Path, names: Sequence[str]) -> str:
    """Returns where some files of one folder are: the file where it is one, else the folder."""
    return project.relative(folder / names[0] if len(names) == 1 else folder)


def files_of(captions: Iterable[ConceptCaptions]) -> dict[str, CaptionFile]:
    """Returns every caption file that a picture uses, by its path."""
    return {item.file.path: item.file for concept in captions for item in concept.captions if item.file is not None}
