"""Text in columns, for names in any script."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

MIN_NAME_WIDTH = 16


def width_of(text: str) -> int:
    r"""Returns how many columns of a terminal a text takes: two for a wide character, none for one that joins another.

    >>> width_of("a"), width_of("日本"), width_of("n\u0303")
    (1, 4, 1)
    """
    return sum(_width(character) for character in text)


def visible(text: str) -> str:
    r"""Returns the text with its control characters written out: a name may hold a line break.

    >>> visible("a\nb")
    'a\\nb'
    """
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) == "Cc" else character
        for character in text
    )


def shortened(text: str, width: int) -> str:
    """Returns a text that takes at most `width` columns: what is left out is the middle, where an ellipsis stands.

    >>> shortened("image_dir/10_ohwx cat", 12), shortened("short", 12)
    ('image_…x cat', 'short')
    """
    if width_of(text) <= width:
        return text
    head, tail = "", ""
    room = width - 1
    for character in text:
        if width_of(head + character) > (room + 1) // 2:
            break
        head += character
    for character in reversed(text):
        if width_of(head + character + tail) > room:
            break
        tail = character + tail
    return f"{head}…{tail}"


def table(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Returns lines of columns: the first of names, flush left, the others flush right.

    Args:
        rows: Cells; the first row is the head.
        width: Columns of the terminal; names are shortened to fit. None: as wide as it must be.
    """
    names = [visible(row[0]) for row in rows]
    others = [max(map(width_of, column)) for column in list(zip(*rows, strict=True))[1:]]
    longest = max(map(width_of, names))
    if width is not None:
        longest = min(longest, max(MIN_NAME_WIDTH, width - sum(others) - 2 * len(others)))
    lines = []
    for name, row in zip(names, rows, strict=True):
        short = shortened(name, longest)
        cells = (" " * (size - width_of(cell)) + cell for cell, size in zip(row[1:], others, strict=True))
        lines.append("  ".join((short + " " * (longest - width_of(short)), *cells)))
    return lines


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
