"""A label and its text, in lines as wide as the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.ui.columns import width_of
from loratpl.ui.plan_words import shown

INDENT = "  "
LABEL_WIDTH = 14


def labelled(
    label: str, text: str, width: int, *, indent: str = INDENT, label_width: int = LABEL_WIDTH
) -> Iterator[str]:
    """Yields a label and its text, which is broken at spaces and goes on below its beginning.

    >>> list(labelled("hash", "the same as when it was trained", 32))
    ['  hash          the same as when', '                it was trained']
    """
    line = f"{indent}{label}{' ' * max(2, label_width - width_of(label))}"
    is_empty = True
    for word in shown(text).split(" "):
        if not is_empty and width_of(line) + 1 + width_of(word) > width:
            yield line
            line, is_empty = indent + " " * label_width, True
        line += word if is_empty else f" {word}"
        is_empty = False
    yield line
