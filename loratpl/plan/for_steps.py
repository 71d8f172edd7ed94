"""How to train about so many steps in whole epochs: the last epoch is never cut short.

A training of S steps ends in the middle of an epoch unless S is a multiple of the steps of an epoch; the pictures that
would have come after are then seen once less than the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from loratpl.config.setting import COMMAND_LINE, Setting
from loratpl.config.settings import Settings
from loratpl.dataset.scan import Dataset
from loratpl.plan.planner import TrainingPlan, make_plan

# A LoRA is mostly trained for 1 to 30 epochs; so many are looked at beside the config's own.
_USUAL_EPOCHS = range(1, 31)
_MOST_REPEATS = 10_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """One way to train about as many steps.

    Attributes:
        epochs: What `max_train_epochs` is to be.
        repeats: Of each concept's folder, by its present name; as they are where nothing changes.
        steps_per_epoch: Then.
        total_steps: `epochs` × `steps_per_epoch`.
        changes_repeats: Whether folders have to be renamed.
    """

    epochs: int
    repeats: Mapping[str, int]
    steps_per_epoch: int
    total_steps: int
    changes_repeats: bool

    def as_json(self) -> dict[str, Any]:
        """Returns the proposal as other programs read it."""
        return {
            "epochs": self.epochs,
            "repeats": dict(self.repeats),
            "steps_per_epoch": self.steps_per_epoch,
            "total_steps": self.total_steps,
            "changes_repeats": self.changes_repeats,
        }


def proposals(dataset: Dataset, settings: Settings, target: int, processes: int | None = None) -> tuple[Proposal, ...]:
    """Returns up to three ways, each nearer to the target than those before it.

    The first changes the number of epochs alone; the second the repeats alone, where the config says how many epochs;
    the third whatever comes nearest. Repeats keep their proportions. Of two that are as near the one comes that does
    reach the target.

    Args:
        dataset: As `make_plan` takes it.
        settings: As `make_plan` takes them.
        target: Steps, at least 1.
        processes: Instead of the config's.
    """
    search = _Search(dataset, settings, target, processes)
    found: list[Proposal] = []
    for proposal in search.candidates():
        if not found or _distance(proposal, target) < _distance(found[-1], target):
            found.append(proposal)
    return tuple(found)


def _distance(proposal: Proposal, target: int) -> tuple[int, bool]:
    return abs(proposal.total_steps - target), proposal.total_steps < target


class _Search:
    def __init__(self, dataset: Dataset, settings: Settings, target: int, processes: int | None) -> None:
        self._dataset, self._settings, self._target, self._processes = dataset, settings, target, processes
        repeats = {concept.folder.name: concept.repeats for concept in dataset.training}
        shared = math.gcd(*repeats.values())
        self._present = repeats
        self._least = {name: count // shared for name, count in repeats.items()}
        self._factor = shared
        self._steps: dict[int, int] = {}

    def candidates(self) -> Iterator[Proposal]:
        """Yields the best of each kind, from the smallest change to the largest."""
        yield self._best((epochs, self._factor) for epochs in self._near(self._target / self._steps_of(self._factor)))
        own = self._settings["max_train_epochs"]
        if own is not None:
            yield self._best((own, factor) for factor in self._factors(own))
        yield self._best((epochs, factor) for epochs in _USUAL_EPOCHS for factor in self._factors(epochs))

    def _best(self, pairs: Iterator[tuple[int, int]]) -> Proposal:
        return min((self._proposal(*pair) for pair in pairs), key=lambda found: _distance(found, self._target))

    def _factors(self, epochs: int) -> Iterator[int]:
        most = max(1, _MOST_REPEATS // max(self._least.values()))
        wanted = self._target / epochs * self._factor / self._steps_of(self._factor)
        for factor in self._near(wanted):
            yield min(factor, most)

    def _near(self, number: float) -> tuple[int, int]:
        return max(1, math.floor(number)), max(1, math.ceil(number))

    def _proposal(self, epochs: int, factor: int) -> Proposal:
        steps = self._steps_of(factor)
        changes = factor != self._factor
        repeats = {name: count * factor for name, count in self._least.items()} if changes else self._present
        return Proposal(epochs, MappingProxyType(repeats), steps, epochs * steps, changes)

    def _steps_of(self, factor: int) -> int:
        """Returns the steps of an epoch in which each folder is repeated so many times its least."""
        if factor not in self._steps:
            self._steps[factor] = self._planned(factor).steps_per_epoch
        return self._steps[factor]

    def _planned(self, factor: int) -> TrainingPlan:
        concepts = tuple(
            concept if concept.is_reg else replace(concept, repeats=self._least[concept.folder.name] * factor)
            for concept in self._dataset.concepts
        )
        one_epoch = {"max_train_epochs": Setting(1, COMMAND_LINE, "max_train_epochs")}
        return make_plan(
            replace(self._dataset, concepts=concepts), self._settings.with_options(one_epoch), self._processes
        )
