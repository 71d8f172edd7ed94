"""Whether the loss has left its level for good.

The loss of a single step says next to nothing: it depends on the timestep that was drawn, and spreads over two orders
of magnitude in a training that is well. So means of logarithms are compared: of the last steps, and of the lowest
stretch that the run has had. (Medians were tried: where some pictures have a much higher loss than the others, the
median falls into the gap between the two and jumps.) The bar is as many standard errors above that stretch as chance
does not reach in a long run, and never lower than twice its level.

A LoRA changes nothing before it has been trained: its first steps show the base model's own loss, above which no
training that is well stays for long. That is why the first short stretch counts already.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from loratpl.errors import Problem

# The last steps, whose mean is judged: few, which tell a loss that jumps within some fifty steps, and more, which
# tell one that rises by less.
RECENT_STEPS = (40, 120)
# Stretches from the first step on, and after them one after the other, each with this many steps.
FIRST_STRETCHES = (20, 50, 100)
STRETCH_STEPS = 200
# What is less than this above its level is no divergence, however calm the loss.
LEAST_FACTOR = 2.0
# Standard errors of the difference of two means. Chance, over thousands of overlapping windows, stays below.
STANDARD_ERRORS = 6.0
# A spread that is known from n values may be off by a share of about this over the root of n.
_SPREAD_DOUBT = 1.0
_CAP_SPREADS, _LEAST_CAP_FACTOR = 3.0, 10.0
# A loss of 0 has no logarithm.
_LEAST_LOSS = 1e-12


@dataclass(frozen=True, slots=True)
class _Level:
    """A stretch of the run; all are logarithms.

    Attributes:
        usual: Its mean.
        cap: What is above this counts as this: a few steps alone are no divergence, however high.
        bars: What the mean of each of `RECENT_STEPS` must not reach.
    """

    usual: float
    cap: float
    bars: tuple[float, ...]


class Divergence:
    """Judges the loss of every step; tells once."""

    def __init__(self) -> None:
        self._recent = tuple(deque[float](maxlen=steps) for steps in RECENT_STEPS)
        self._stretch: list[float] = []
        self._first_ends = deque(FIRST_STRETCHES)
        self._levels: list[_Level | None] = [None] * len(RECENT_STEPS)
        self._is_told = False

    def take(self, event: Mapping[str, Any]) -> Problem | None:
        """Returns a warning when a step shows that the loss diverges."""
        loss = event.get("loss")
        if self._is_told or event.get("event") != "step" or not isinstance(loss, (int, float)):
            return None
        if not math.isfinite(loss):
            return None
        value = math.log(max(float(loss), _LEAST_LOSS))
        shortest = self._recent[0]
        if len(shortest) == shortest.maxlen:
            self._add(shortest[0])  # a stretch ends where the recent steps begin
        for index, recent in enumerate(self._recent):
            recent.append(value)
            level = self._levels[index]
            if level is None or len(recent) < RECENT_STEPS[index]:
                continue
            if fmean(recent) <= level.bars[index]:
                continue
            now = fmean(min(value, level.cap) for value in recent)
            if now > level.bars[index]:
                self._is_told = True
                return _problem(event.get("step"), len(recent), math.exp(now), math.exp(level.usual))
        return None

    def _add(self, value: float) -> None:
        self._stretch.append(value)
        if self._first_ends and len(self._stretch) == self._first_ends[0]:
            self._first_ends.popleft()
            self._lower(_level_of(self._stretch))
        elif len(self._stretch) == STRETCH_STEPS:
            self._lower(_level_of(self._stretch))
            self._stretch = []

    def _lower(self, found: _Level) -> None:
        for index, level in enumerate(self._levels):
            if level is None or found.bars[index] < level.bars[index]:
                self._levels[index] = found


def _level_of(values: Sequence[float]) -> _Level:
    usual = fmean(values)
    spread = stdev(values) * (1 + _SPREAD_DOUBT / math.sqrt(len(values)))
    errors = (spread * math.sqrt(1 / steps + 1 / len(values)) for steps in RECENT_STEPS)
    cap = usual + max(_CAP_SPREADS * spread, math.log(_LEAST_CAP_FACTOR))
    return _Level(usual, cap, tuple(usual + max(math.log(LEAST_FACTOR), STANDARD_ERRORS * error) for error in errors))


def _problem(step: object, steps: int, now: float, usual: float) -> Problem:
    return Problem(
        "run.loss.diverges",
        f"The loss has left its level: over the last {steps} steps, to step {step}, its geometric mean is "
        f"{now:.3g}, {now / usual:.1f} times the {usual:.3g} that it was. What is trained from here on "
        "is likely to be of no use.",
        "learning_rate",
        "Look at the sample pictures or the last checkpoint; if they are worse than earlier ones, stop (Ctrl-C), and "
        "train again with a learning rate of a third or less.",
        "warning",
    )
