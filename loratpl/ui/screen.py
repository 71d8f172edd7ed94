"""Draws rows at the end of a terminal and then only what changed of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from loratpl.ui.columns import visible, width_of
from loratpl.ui.run_panel import Row, Span

# ECMA-48, "Select Graphic Rendition".
_COLOURS = {"dim": "2", "bold": "1", "good": "32", "warn": "33", "bad": "31"}


class Screen:
    """What is drawn at the end of a terminal; the cursor waits at the beginning of the last row.

    The cursor is never hidden: a process that is killed could not show it again.

    Args:
        write: Takes what the terminal gets; it may raise OSError.
        has_colours: Whether styles are shown.
    """

    def __init__(self, write: Callable[[str], None], *, has_colours: bool) -> None:
        self._write, self._has_colours = write, has_colours
        self._drawn: list[str] = []
        self._rows: Sequence[Row] = ()
        self._width = self._columns = 0

    def draw(self, rows: Sequence[Row], width: int, columns: int, above: Sequence[str] = ()) -> None:
        """Draws the rows.

        Args:
            rows: What shall be seen.
            width: The panel's columns, less than the terminal has.
            columns: Those of the terminal.
            above: Lines that shall stay on the terminal, over the panel.
        """
        texts = [self._text(row, width) for row in rows]
        if above or len(texts) != len(self._drawn) or (width, columns) != (self._width, self._columns):
            erased = self._erased(columns)
            lines = "".join(f"{visible(line)}\r\n" for line in above)
            self._write(erased + lines + "\r\n".join(texts) + "\r")
        elif changed := [index for index, text in enumerate(texts) if text != self._drawn[index]]:
            self._write("".join(self._moves(changed, texts)))
        self._drawn, self._rows, self._width, self._columns = texts, rows, width, columns

    def clear(self) -> None:
        """Takes the rows away."""
        if self._drawn:
            self._write(self._erased(self._columns))
            self._drawn = []

    def _erased(self, columns: int) -> str:
        """A terminal that has become narrower has broken the rows into more lines than were drawn."""
        if not self._drawn:
            return ""
        widths = [width_of(row.text(self._width)) for row in self._rows[:-1]]
        lines = sum(max(1, math.ceil(width / max(1, columns))) for width in widths)
        # The cursor is at the beginning of the last row, which may go on below.
        return "\r\x1b[J" + "\x1b[1A\x1b[2K" * lines

    def _moves(self, changed: list[int], texts: list[str]) -> list[str]:
        pieces, at, last = [], len(texts) - 1, len(texts) - 1
        for index in changed:
            pieces += [_moved(index - at), "\x1b[2K", texts[index], "\r"]
            at = index
        return [*pieces, _moved(last - at)]

    def _text(self, row: Row, width: int) -> str:
        text = "".join(map(self._styled, row.spans))
        # The border is set where it belongs whatever the terminal takes an emoji's width for.
        edge = self._styled(Span(row.edge, "dim"))
        return f"{text}\x1b[{width}G{edge}" if row.edge else text

    def _styled(self, span: Span) -> str:
        if not self._has_colours or not span.style or not span.text:
            return span.text
        return f"\x1b[{_COLOURS[span.style]}m{span.text}\x1b[0m"


def _moved(rows: int) -> str:
    if rows == 0:
        return ""
    return f"\x1b[{-rows}A" if rows < 0 else f"\x1b[{rows}B"
