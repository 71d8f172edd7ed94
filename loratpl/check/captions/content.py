"""Captions that are read, and not as they were meant: blank, cut after a line, with characters that nobody sees."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from loratpl.check.captions.wording import files_of
from loratpl.dataset.captions import CaptionFile, ConceptCaptions
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

# Control characters, invisible ones, line separators that are no line ends for the trainer, marks of writing
# direction, and the sign that a conversion leaves where it lost a character. Joiners are judged by their neighbours.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd"
    "\U000e0000-\U000e007f]"
)
_JOINERS = "\u200c\u200d"
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Joiners are part of emoji and of many scripts, none of which is before this; words of Thai, Lao, Burmese and Khmer
# are parted by blanks of no width.
_FIRST_JOINED = "\u0590"
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_FLAG = "\U0001f3f4"  # the flags of England, Scotland and Wales are spelt in tag characters after it
_TAGS = re.compile("[\U000e0000-\U000e007f]")
_NAMES = {"\0": "NUL", "\u2028": "line separator", "\x1b": "escape", "\ufffd": "replacement character"}


def content_problems(project: ProjectPaths, captions: Sequence[ConceptCaptions]) -> Iterator[Problem]:
    """Yields a warning for each caption of which not all is trained as it looks."""
    for path, file in files_of(captions).items():
        # A path for each of many thousand files would cost more than all the rest.
        if file.fault is None and (not file.text or file.dropped_line or _HIDDEN.search(file.text)):
            yield from _file_problems(file, project.relative(Path(path)))


def _file_problems(file: CaptionFile, where: str) -> Iterator[Problem]:
    if file.has_bom:
        message = (
            f"{where} begins with a byte order mark (BOM). The trainer takes it for a part of the first word, which is "
            "then another word than in all other captions."
        )
        yield _warning("bom", message, where, "Save the file as UTF-8 without BOM.")
    if not file.text:
        if file.first_line:
            message = (
                f"The first line of {where} is empty, and the trainer uses no other: an empty caption would be "
                f"trained. The text begins in line {file.first_line}."
            )
            yield _warning("blank", message, where, "Remove the empty lines before the text.")
        else:
            message = f"{where} holds nothing but blanks: an empty caption would be trained."
            fix = "Write a caption into it, or delete it: the picture is then trained on its folder's name."
            yield _warning("blank", message, where, fix)
    elif file.dropped_line:
        message = (
            f"{where} has {file.line_count} lines, and the trainer uses the first alone: from line {file.dropped_line} "
            "on nothing is trained."
        )
        fix = "Join the lines to one, or set `enable_wildcard`: each line is then a caption of its own."
        yield _warning("lines", message, where, fix)
    hidden = hidden_characters(file.text.removeprefix("\ufeff"))
    if hidden:
        message = f"{where} holds characters that are not seen and are trained: {', '.join(map(_name, hidden[:5]))}."
        fix = "Remove them; most editors can show or search for them."
        yield _warning("hidden", message, where, fix)


def hidden_characters(text: str) -> list[str]:
    r"""Returns the characters of a text that nobody sees and nobody needs, each once.

    Joiners within emoji and scripts that have them, marks of direction in a text that runs from right to left, and
    parted words of scripts without blanks are as they should be.

    >>> hidden_characters("a\u200bcat"), hidden_characters("👩\u200d🚀 नमस्\u200dते")
    (['\u200b'], [])
    """
    return list(dict.fromkeys(text[place] for place in hidden_places(text)))


def hidden_places(text: str) -> list[int]:
    """Returns where the characters stand that nobody sees and nobody needs."""
    return [match.start() for match in _HIDDEN.finditer(text) if not _is_needed(text, match.start())]


def _is_needed(text: str, index: int) -> bool:
    character = text[index]
    before = text[index - 1] if index else ""
    if character in _JOINERS:
        return before >= _FIRST_JOINED
    if character == "\u200b":
        return bool(_UNSPACED.search(text[max(index - 1, 0) : index + 2]))
    if character in _DIRECTIONS:
        return bool(_RIGHT_TO_LEFT.search(text.replace("\ufeff", "")))
    return bool(_TAGS.match(character)) and _FLAG in text[:index]


def _name(character: str) -> str:
    name = _NAMES.get(character) or unicodedata.name(character, "control character").lower()
    return f"{name} (U+{ord(character):04X})"


def _warning(code: str, message: str, where: str, fix: str) -> Problem:
    return Problem(f"dataset.caption.{code}", message, where, fix, "warning")
