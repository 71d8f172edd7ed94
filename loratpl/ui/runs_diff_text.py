"""What `runs diff` says to a person: what differs between two runs, and how their losses went."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loratpl.ui.run_panel import FULL, duration
from loratpl.ui.runs_text import loss_text, state_text, terminal_of_stdout, wrapped

if TYPE_CHECKING:
    from loratpl.report.ledger.comparing import Curves, RunComparison
    from loratpl.run.comparison import Difference
    from loratpl.ui.plan_text import Terminal

# Kinds of differences, in the order in which they are told.
HEADINGS = {
    "network": "Network",
    "settings": "Settings",
    "dataset": "Dataset",
    "model": "Base model",
    "trainer": "Trainer",
    "environment": "Environment",
}
_ASCII_LEVELS = "_.-=*#"
_MAX_VALUE_CHARS = 200
# A curve and what is said of it stand in one line.
_WIDE = 80


def diff_lines(found: RunComparison) -> list[str]:
    """Returns the lines of `runs diff`."""
    terminal, _ = terminal_of_stdout()
    lines: list[str] = []
    for sign, run in zip("AB", found.runs, strict=True):
        total = "?" if run.total_steps is None else run.total_steps
        took = "" if run.duration_s is None else f", {duration(run.duration_s)}"
        lines += wrapped(f"{sign}  {run.run.run_id}: {state_text(run)} {run.last_step}/{total}{took}", terminal)
    for what, heading in HEADINGS.items():
        differences = [one for one in found.comparison.differences if one.what == what]
        if differences:
            lines += ["", heading, *(line for one in differences for line in _difference(one, terminal))]
    if found.plan:
        lines += ["", "Plan and course"]
        for planned in found.plan:
            lines += wrapped(_values(planned.key, planned.before, planned.now), terminal, "  ", "    ")
    if not found.comparison.differences and not found.plan:
        lines += ["", "Settings, dataset, base model, plan and environment are the same."]
    for sentence in found.comparison.unknown:
        lines += ["", *wrapped(f"It is not known {sentence}.", terminal)]
    return [*lines, "", *_curves(found.curves, terminal)]


def _difference(one: Difference, terminal: Terminal) -> Iterator[str]:
    harmless = "" if one.matters else "  (harmless)"
    yield from wrapped(_values(one.key, one.before, one.now) + harmless, terminal, "  ", "    ")


def _values(key: str, before: str | None, now: str | None) -> str:
    return f"{key}: {_value(before)} → {_value(now)}"


def _value(text: str | None) -> str:
    if text is None:
        return "-"
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}…"


def _curves(curves: Curves, terminal: Terminal) -> Iterator[str]:
    if not any(curves.steps):
        yield "Loss: neither of them has told any."
        return
    yield "Loss"
    low, high = _range([*curves.sparks[0], *curves.sparks[1]])
    for sign, spark, steps, average in zip("AB", curves.sparks, curves.steps, curves.average_losses, strict=True):
        line = _spark(spark, low, high, terminal)
        said = f"{loss_text(average)} on average at the end" if steps else "no step was told"
        if terminal.width >= _WIDE:
            yield f"  {sign}  {line}  {said}"
        else:
            yield from (f"  {sign}  {line}".rstrip(), f"     {said}")
    if curves.mean_difference is None or curves.mean_distance is None:
        yield from wrapped("They have no step in common.", terminal, "  ", "  ")
        return
    shared = f"Over the {curves.shared_steps:,} steps of both ({curves.first_step} to {curves.last_step})"
    if curves.mean_distance == 0:
        yield from wrapped(f"{shared} the loss is the same to the last digit.", terminal, "  ", "  ")
        return
    text = f"{shared} B's loss is {_signed(curves.mean_difference)} than A's on average; step by step they are "
    yield from wrapped(f"{text}{loss_text(curves.mean_distance)} apart.", terminal, "  ", "  ")


def _signed(difference: float) -> str:
    return f"{loss_text(abs(difference))} {'lower' if difference < 0 else 'higher'}"


def _range(values: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (0.0, 0.0)


def _spark(values: Sequence[float], low: float, high: float, terminal: Terminal) -> str:
    """Both curves are drawn on one scale, and a stretch without steps is blank."""
    levels = FULL.trend if terminal.can_write(FULL.trend) else _ASCII_LEVELS
    room = max(terminal.width - 8, 8)
    chosen = list(values) if len(values) <= room else [values[i * len(values) // room] for i in range(room)]
    scale = (len(levels) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if math.isnan(value) else levels[round((value - low) * scale)] for value in chosen)
