"""Captions for pictures that have none, written after a template."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

from loratpl.errors import Problem, UsageError

PLACEHOLDERS = ("concept", "trigger", "class", "stem", "tags")
CONCEPT_CAPTION = "{concept}"
_BETWEEN_WORDS = re.compile(r"[\s_+]+|-+")
# Numbers, "(3)" of a copy, what cameras write and the hexadecimal names of downloads say nothing of a picture.
_NO_WORD = re.compile(r"\(?\d+\)?|(?=.*\d)[0-9a-fA-F]{8,}|(?:IMG|DSC[FN]?|PXL|MVIMG)\d*|P\d{7}")
_EMPTY_PARTS = re.compile(r"\s*,(?:\s*,)+")


@dataclass(frozen=True, slots=True)
class CaptionTemplate:
    """The text of a caption with placeholders, known to be good."""

    text: str

    def fill(self, class_tokens: str, stem: str) -> str:
        """Returns the caption of a picture, "" where nothing is left of it.

        >>> CaptionTemplate("{concept}, {tags}, photo").fill("ohwx cat", "asleep_on-a sofa (2)")
        'ohwx cat, asleep on a sofa, photo'
        >>> CaptionTemplate("{concept}, {tags}").fill("ohwx cat", "IMG_0001")
        'ohwx cat'
        >>> CaptionTemplate("{trigger}: a {class}, {tags}, photo").fill("ohwx cat", "0001")
        'ohwx: a cat, photo'

        Args:
            class_tokens: Of the concept: the folder's name after the number.
            stem: The picture's name without extension.
        """
        trigger, _, kind = class_tokens.partition(" ")
        values = {
            "concept": class_tokens,
            "trigger": trigger,
            "class": kind.strip(),
            "stem": stem,
            "tags": words_of(stem),
        }
        filled = self.text.format_map(values)
        return _EMPTY_PARTS.sub(",", filled).strip(" ,") if "" in values.values() else filled.strip()


def words_of(stem: str) -> str:
    """Returns the words of a file's name, without numbers.

    >>> words_of("black_cat-asleep_0012")
    'black cat asleep'
    """
    return " ".join(word for word in _BETWEEN_WORDS.split(stem) if word and not _NO_WORD.fullmatch(word))


def parse_template(text: str) -> CaptionTemplate:
    """Returns the template of `--caption`.

    Raises:
        UsageError: It is empty, of several lines, or names a placeholder that there is not.
    """
    reason = _fault(text)
    if reason:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise UsageError(
            Problem(
                "usage.caption",
                f"`--caption {text}` cannot be used: {reason}.",
                "--caption",
                f"The placeholders are {known}; a brace of its own is written twice: {{{{ and }}}}.",
            )
        )
    return CaptionTemplate(text)


def _fault(text: str) -> str:
    if not text.strip(" ,"):
        return "it is empty"
    if len(text.splitlines()) > 1:
        return "the trainer reads the first line of a caption alone"
    try:
        text.encode()
        parts = list(string.Formatter().parse(text))
    except UnicodeEncodeError:
        return "it holds bytes that are no Unicode"
    except ValueError:
        return "a brace is open or closed without its other half"
    for _, name, spec, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or spec or conversion):
            written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            return f"there is no placeholder {{{written}}}"
    return ""
