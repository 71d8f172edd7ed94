"""What lines of charts look like: told apart by colour and dash, also by those who see few colours."""

from __future__ import annotations

from dataclasses import dataclass

# templates/pages/report.css has a colour for each, light and dark: --line-1 to --line-8.
COLOURS = 8
# As plotly names them; each with the lengths that the same line has in a legend.
DASHES = (("solid", ""), ("dash", "7 4"), ("dot", "2 3"), ("dashdot", "7 3 2 3"), ("longdash", "11 4"))


@dataclass(frozen=True, slots=True)
class Look:
    """How a run's lines are drawn.

    Attributes:
        colour: From 1.
        dash: As plotly names it.
        lengths: The same as SVG has it.
    """

    colour: int
    dash: str
    lengths: str


def look_of(index: int) -> Look:
    """Returns the look of a run by its place on the page; no two of the first forty are the same.

    >>> [(look_of(index).colour, look_of(index).dash) for index in (0, 1, 8)]
    [(1, 'solid'), (2, 'dash'), (1, 'longdash')]
    """
    turn, place = divmod(index, COLOURS)
    dash, lengths = DASHES[(place + 4 * turn) % len(DASHES)]
    return Look(place + 1, dash, lengths)
