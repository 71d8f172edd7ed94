"""The options of `kohyatpl balance`, read and judged."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from loratpl.config.block import (
    MAX_STEPS,
    MAX_TOLERANCE,
    MAX_WEIGHT,
    MIN_TOLERANCE,
    MIN_WEIGHT,
    Block,
)
from loratpl.errors import Problem, UsageError


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for."""

    steps: int | None
    weights: dict[str, float]
    matches: list[tuple[str, str]]
    max_repeats: int | None
    tolerance: float | None

    def over(self, block: Block) -> Block:
        """Returns the config's settings with those of the command line, which win."""
        asked = {"max_repeats": self.max_repeats, "tolerance": self.tolerance}
        given = {name: value for name, value in asked.items() if value is not None}
        return block.model_copy(update={"balance": block.balance.model_copy(update=given)})


def wishes(
    steps: int | None,
    weights: Iterable[str],
    matches: Iterable[str],
    max_repeats: int | None,
    tolerance: float | None,
) -> Wishes:
    """Returns the options, once each has been found to be possible.

    Raises:
        UsageError: One of them is not.
    """
    if steps is not None and not 1 <= steps <= MAX_STEPS:
        raise UsageError(
            Problem(
                "usage.steps",
                f"`--steps {steps}`: a concept cannot have that many views per epoch.",
                "--steps",
                f"Choose a number from 1 to {MAX_STEPS}.",
            )
        )
    if max_repeats is not None and max_repeats < 1:
        message = f"`--max-repeats {max_repeats}`: the trainer passes over a folder with fewer than one."
        raise UsageError(Problem("usage.max_repeats", message, "--max-repeats", "Choose a number from 1 up."))
    if tolerance is not None and not MIN_TOLERANCE <= tolerance <= MAX_TOLERANCE:
        message = f"`--tolerance {tolerance:g}` is no share of a concept's views that can be aimed at."
        fix = f"Choose a number from {MIN_TOLERANCE:g} to {MAX_TOLERANCE:g}; 0.05 stands for 5 %."
        raise UsageError(Problem("usage.tolerance", message, "--tolerance", fix))
    return Wishes(steps, _weights(weights), [_match(text) for text in matches], max_repeats, tolerance)


def refuse_beside_undo(config: Path | None, wanted: Wishes, *, dry_run: bool) -> None:
    """Raises a UsageError when `--undo` comes with an option that says how to balance."""
    if config is not None or dry_run or wanted != Wishes(None, {}, [], None, None):
        message = (
            "`--undo` gives back the names from before the last balancing; no other option of `balance` goes with it."
        )
        raise UsageError(Problem("usage.undo", message, "--undo", "Leave the others out."))


def _weights(texts: Iterable[str]) -> dict[str, float]:
    """Returns the weights of the `--weight` options; a concept's name may hold "=" itself."""
    weights = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not name or not MIN_WEIGHT <= value <= MAX_WEIGHT:
            message = (
                f"`--weight {text}` names no concept and its weight, a number from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}."
            )
            raise UsageError(Problem("usage.weight", message, "--weight", 'Write it as `--weight "ohwx cat=2"`.'))
        weights[name] = value
    return weights


def _match(text: str) -> tuple[str, str]:
    """Returns class and concept of a `--match` option; a concept's name may hold "=" itself."""
    reg, _, concept = text.partition("=")
    if not reg or not concept:
        message = f"`--match {text}` names no class of regularisation images and its concept."
        raise UsageError(Problem("usage.match", message, "--match", 'Write it as `--match "cat=ohwx tabby"`.'))
    return reg, concept
