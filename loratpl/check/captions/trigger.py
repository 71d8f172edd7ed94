"""Captions without the trigger word.

A picture with a caption is trained on the caption alone: the folder's name, `ohwx cat`, is not added to it. Who
prompts with `ohwx` afterwards gets nothing of what was learnt, or only a part of it, where captions lack that word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from loratpl.check.captions.wording import listed
from loratpl.dataset.captions import ConceptCaptions
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_ARTICLES = frozenset({"a", "an", "the"})


def trigger_problems(project: ProjectPaths, captions: Sequence[ConceptCaptions]) -> Iterator[Problem]:
    """Yields a warning for each concept of whose captions some or all lack the first word of the folder's name."""
    for item in captions:
        words = [word for word in item.concept.class_tokens.split() if word.lower() not in _ARTICLES]
        if item.concept.is_reg or not words:
            continue
        holds = trigger_pattern(words[0])
        written = [caption for caption in item.written if caption.text]
        if holds is None or not written:
            continue
        lacking = [c.picture.name for c in written if not holds.search(as_read(item.settings.trained(c.text)))]
        if lacking:
            yield _problem(project, item, words[0], lacking, len(written))


def _problem(project: ProjectPaths, item: ConceptCaptions, trigger: str, lacking: Sequence[str], count: int) -> Problem:
    where = project.relative(item.concept.folder)
    if len(lacking) == count:
        subject = f"None of the captions of {where} has the word `{trigger}`"
        fix = f"Put `{trigger}` into them, or set `caption_prefix`; a style that needs no trigger may go without."
    else:
        verb = "lacks" if len(lacking) == 1 else "lack"
        subject = (
            f"{len(lacking)} of {count} captions of {where} {verb} the trigger word `{trigger}`: {listed(lacking)}"
        )
        fix = f"Put `{trigger}` into these captions as well."
    why = "The folder's name is not trained where there is a caption."
    return Problem("dataset.caption.trigger", f"{subject}. {why}", where, fix, "warning")


def trigger_pattern(word: str) -> re.Pattern[str] | None:
    r"""Returns what finds a trigger word in a caption, None where there is no letter in the word.

    As the text encoders read it: upper or lower case is the same, and `_` is what parts tags in file names. Scripts
    that write without blanks have no ends of words.

    >>> [bool(trigger_pattern("cat").search(text)) for text in ("a cat, smiling", "a cathedral")]
    [True, False]
    """
    core = as_read(word).strip(" ,.;:!?()[]{}'\"")
    if not any(character.isalnum() for character in core):
        return None
    if not core.isascii():
        return re.compile(re.escape(core))
    return re.compile(rf"(?<![a-z0-9]){re.escape(core)}(?![a-z0-9])")


def as_read(text: str) -> str:
    r"""Returns a text as `trigger_pattern` looks at it.

    >>> as_read(r"Ohwx_Cat \(pet\)")
    'ohwx cat (pet)'
    """
    return text.casefold().replace("_", " ").replace("\\", "")
