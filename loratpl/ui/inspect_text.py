"""What `inspect` says to a person: a table of several files, then each of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loratpl.ui.columns import shortened, table
from loratpl.ui.disk_text import in_bytes
from loratpl.ui.inspect_file_text import details, range_of, summary
from loratpl.ui.labelled import labelled
from loratpl.ui.plan_text import Terminal, this_terminal
from loratpl.ui.plan_words import number, shown

if TYPE_CHECKING:
    from loratpl.report.inspect.inspection import Inspection
    from loratpl.report.inspect.loading import Loaded

_MORE = "Name a single file to see its blocks and how it was made."


def inspection_lines(found: Sequence[Inspection], terminal: Terminal | None = None) -> list[str]:
    """Returns the lines of `inspect`: all of a single file, what matters most of several.

    Args:
        found: The files in the order in which they were named.
        terminal: Where they go; standard output unless given.
    """
    where = terminal or this_terminal()
    width = where.width if terminal is not None or sys.stdout.isatty() else None
    is_single = len(found) == 1
    lines = [] if is_single else [*_overview(found, width), ""]
    readable = [inspection for inspection in found if inspection.kind != "unreadable"]
    for inspection in readable:
        lines += [*summary(inspection, where), *(details(inspection, where) if is_single else ()), ""]
    if not is_single and readable:
        lines += [_MORE, ""]
    return [where.plain(line.rstrip()) for line in lines[:-1]]


def loaded_lines(loaded: Loaded, base: str, terminal: Terminal | None = None) -> list[str]:
    """Returns the lines of `inspect --load` for one LoRA that Diffusers has loaded."""
    where = terminal or this_terminal()
    change = (
        f"of a render of two steps: {loaded.mean_difference:.3g} in the mean, {loaded.max_difference:.3g} at most, "
        f"of latents that are {loaded.mean_latent:.3g} in the mean"
    )
    rows = [
        ("layers", f"{number(loaded.layers)} have it, of {number(loaded.wanted)} that it is for"),
        ("change", change),
        *(("Diffusers", note) for note in loaded.notes),
    ]
    lines = [f"{shown(loaded.path.name)} loaded onto {shown(base)} in Diffusers"]
    lines += [line for row in rows for line in labelled(*row, where.width)]
    return [where.plain(line) for line in lines]


def _overview(found: Sequence[Inspection], width: int | None) -> list[str]:
    rows = [("file", "network", "for", "dim", "alpha", "steps", "epoch", "size")]
    for inspection in found:
        metadata, network = inspection.metadata, inspection.network
        rows.append(
            (
                shown(inspection.path.name),
                _cell(network if " and " in network else network.partition(" (")[0] or inspection.kind, 20),
                _cell("/".join(inspection.guess.families) or inspection.guess.title or "-", 14),
                range_of(inspection.dims) or "-",
                range_of(inspection.alphas) or "-",
                _cell(metadata.get("ss_steps", "-"), 9),
                _cell(metadata.get("ss_epoch", "-"), 6),
                in_bytes(inspection.size_bytes),
            )
        )
    return table(rows, width)


def _cell(text: str, width: int) -> str:
    return shortened(shown(text[:200]), width)
