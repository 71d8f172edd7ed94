"""What `runs` says to a person: a row for each run, with as many columns as there is room for."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from loratpl.ui.columns import MIN_NAME_WIDTH, shortened, table, width_of
from loratpl.ui.plan_text import Terminal
from loratpl.ui.plan_words import number, shown
from loratpl.ui.run_panel import duration

if TYPE_CHECKING:
    from loratpl.report.ledger.listing import Listing, RunSummary

# Off a terminal, where nobody knows how wide a line may be.
DEFAULT_WIDTH = 120
MAX_CELL_WIDTH = 24
_FEWEST = ("run", "state", "step")


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    cells: tuple[str, ...]

    @property
    def width(self) -> int:
        """Of its widest cell; the names of the runs may be shortened."""
        widest = max(map(width_of, (self.head, *self.cells)))
        return min(widest, MIN_NAME_WIDTH) if self.head == "run" else widest + 2


def terminal_of_stdout() -> tuple[Terminal, bool]:
    """Returns where standard output goes, and whether that is a terminal."""
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else DEFAULT_WIDTH
    return Terminal(width, sys.stdout.encoding or "ascii"), is_terminal


def list_lines(listing: Listing, last: int | None, *, with_settings: bool) -> list[str]:
    """Returns the lines of `runs`.

    Args:
        listing: The runs.
        last: Of how many of them, the newest, there is a row.
        with_settings: Whether every setting in which they differ, and what there is no room for, follows below.
    """
    terminal, is_terminal = terminal_of_stdout()
    runs = listing.runs[:last]
    columns, left_out = _fitting(list(_columns(listing, runs, terminal)), terminal.width)
    cells = [[column.head, *column.cells] for column in columns]
    rows = table(list(zip(*cells, strict=True)), terminal.width if is_terminal else None)
    lines = [terminal.plain(row).rstrip() for row in rows]
    hidden = len(listing.runs) - len(runs)
    if hidden:
        lines.append(terminal.plain(f"… and {number(hidden)} earlier"))
    if with_settings:
        return [*lines, "", *_rest(listing, runs, left_out, terminal)]
    missing = [
        *(column.head for column in left_out), *(key for key in listing.differing if key in listing.harmless)
    ]  # fmt: skip
    if missing:
        text = f"No room here for {', '.join(missing)}: `--all` and `--json` have them."
        lines += ["", *wrapped(text, terminal)]
    return lines


def state_text(run: RunSummary) -> str:
    """Returns a run's state; nobody has settled one that ended without a word."""
    if run.state == "unknown":
        return "?"
    return run.state if run.is_settled else f"{run.state}?"


def local_time(text: str | None, form: str = "%Y-%m-%d %H:%M") -> str:
    """Returns a time of a record as the clock on the wall had it, "-" where it is none."""
    try:
        return datetime.fromisoformat(text or "").astimezone().strftime(form)
    except (ValueError, OverflowError, OSError):
        return "-"


def loss_text(value: float | None) -> str:
    """Returns a loss to four digits.

    >>> loss_text(0.08123), loss_text(0.00001234), loss_text(None)
    ('0.0812', '1.23e-05', '-')
    """
    if value is None:
        return "-"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.2e}"


def wrapped(text: str, terminal: Terminal, first: str = "", rest: str = "") -> list[str]:
    """Returns a text in lines as wide as the terminal; `first` and `rest` stand before them."""
    width = max(min(terminal.width, DEFAULT_WIDTH), 24)
    lines = textwrap.wrap(
        terminal.name(shown(text)), width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )
    return [terminal.plain(line) for line in lines] or [first.rstrip()]


def _columns(listing: Listing, runs: Sequence[RunSummary], terminal: Terminal) -> Iterator[_Column]:
    """Yields the columns, those that matter most first."""
    from loratpl.report.ledger.listing import setting_text

    def column(head: str, cells: list[str]) -> _Column:
        return _Column(head, tuple(terminal.name(shown(cell)) for cell in cells))

    def cut(text: str) -> str:
        return shortened(shown(text), MAX_CELL_WIDTH)

    yield column("run", [listing.label(run) for run in runs])
    yield column("state", [state_text(run) for run in runs])
    yield column("step", [_steps(run) for run in runs])
    yield column("loss", [loss_text(run.loss if run.average_loss is None else run.average_loss) for run in runs])
    yield column("began", [local_time(run.run.started_at) for run in runs])
    yield column("time", ["-" if run.duration_s is None else duration(run.duration_s) for run in runs])
    origins = [cut(_origin(listing, run)) for run in runs]
    if any(origins):
        yield column("from", origins)
    for key in listing.differing:
        if key not in listing.harmless:
            yield column(key, [cut(setting_text(run, key)) for run in runs])
    yield column("LoRAs", [_outputs(run) for run in runs])


def _fitting(columns: Sequence[_Column], width: int) -> tuple[list[_Column], list[_Column]]:
    """Returns the columns that there is room for, and the others."""
    chosen: list[_Column] = []
    left_out = []
    room = width
    for column in columns:
        if column.head in _FEWEST or column.width <= room:
            chosen.append(column)
            room -= column.width
        else:
            left_out.append(column)
    return chosen, left_out


def _steps(run: RunSummary) -> str:
    if run.last_step is None:
        return "-"
    return f"{run.last_step}/{'?' if run.total_steps is None else run.total_steps}"


def _origin(listing: Listing, run: RunSummary) -> str:
    record = run.record
    if record is None or not (record.parent or record.repeats):
        return ""
    other = record.parent or record.repeats
    label = next((listing.label(one) for one in listing.runs if one.run.run_id == other), other or "")
    return f"{label} at {record.start_step}" if record.parent else f"as {label}"


def _outputs(run: RunSummary) -> str:
    there = sum(output.is_there for output in run.outputs)
    return str(there) if there == len(run.outputs) else f"{there} of {len(run.outputs)}"


def _rest(
    listing: Listing, runs: Sequence[RunSummary], left_out: Sequence[_Column], terminal: Terminal
) -> Iterator[str]:
    """Yields what is not in the rows, run by run."""
    from loratpl.report.ledger.listing import setting_text

    others = [column for column in left_out if column.head not in listing.differing]
    if not listing.differing and not others:
        yield from wrapped("All were trained with the same settings.", terminal)
        return
    yield from wrapped(
        "Settings that differ, and what there was no room for:" if others else "Settings that differ:", terminal
    )
    for index, run in enumerate(runs):
        values = [f"{column.head} {column.cells[index]}" for column in others if column.cells[index]]
        values += [f"{key} {setting_text(run, key)}" for key in listing.differing]
        yield from wrapped(f"{listing.label(run)}: {', '.join(values)}", terminal, "  ", "    ")
