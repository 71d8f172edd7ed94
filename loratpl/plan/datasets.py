"""The datasets of a training: which pictures are trained together, at what resolution and in what batches.

Mostly there is one. `kohyatpl.datasets` trains every picture once in each of several, and a concept whose options
differ from the others' is in a dataset of its own: the trainer has these options for each `[[datasets]]` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.balance.named import config_keys
from loratpl.balance.regularisation import concepts_of_classes
from loratpl.config.block import BLOCK_KEY
from loratpl.config.parts import DATASET_OPTIONS, SUBSET_OPTIONS, Part
from loratpl.config.settings import Settings
from loratpl.dataset.scan import Concept, Dataset
from loratpl.errors import Problem


@dataclass(frozen=True, slots=True)
class Subset:
    """One folder in a dataset.

    Attributes:
        concept: The folder.
        settings: Those of this folder.
        own: The options that it has of its own.
    """

    concept: Concept
    settings: Settings
    own: Part


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One of the trainer's datasets.

    Attributes:
        settings: Those of this dataset.
        subsets: Its folders: concepts first, then the regularisation images that belong to them.
    """

    settings: Settings
    subsets: tuple[Subset, ...]

    @property
    def training(self) -> tuple[Concept, ...]:
        """The concepts to learn."""
        return tuple(subset.concept for subset in self.subsets if not subset.concept.is_reg)

    @property
    def regularisation(self) -> tuple[Concept, ...]:
        """The folders of regularisation images."""
        return tuple(subset.concept for subset in self.subsets if subset.concept.is_reg)


def datasets_of(dataset: Dataset, settings: Settings) -> tuple[DatasetSpec, ...]:
    """Returns the datasets in the order in which the trainer is given them.

    Regularisation images are in every dataset with a concept of their class, those of nobody's class in all of them:
    the trainer weighs them up against the training images dataset by dataset.
    """
    parts = _parts(dataset.concepts, settings)
    specs: dict[tuple[Any, ...], list[Concept]] = {}
    settings_of: dict[tuple[Any, ...], Settings] = {}
    for entry in settings.datasets or ({},):
        for concept in dataset.training:
            chosen = settings.with_options({**entry, **_only(parts[concept.folder], DATASET_OPTIONS)})
            key = tuple(chosen[name] for name in DATASET_OPTIONS)
            members = specs.setdefault(key, [])
            settings_of.setdefault(key, chosen)
            if all(member is not concept for member in members):  # its own options make two datasets one
                members.append(concept)
    concepts_of = concepts_of_classes(dataset.training, dataset.regularisation, settings.block)
    found = []
    for key, members in specs.items():
        folders = {member.folder for member in members}
        reg = [
            concept
            for concept in dataset.regularisation
            if len(specs) == 1 or not concepts_of[concept.folder] or folders & set(concepts_of[concept.folder])
        ]
        chosen = settings_of[key]
        subsets = (_subset(concept, chosen, parts[concept.folder]) for concept in (*members, *reg))
        found.append(DatasetSpec(chosen, tuple(subsets)))
    return tuple(found)


def trained_settings(dataset: Dataset, settings: Settings) -> tuple[Settings, ...]:
    """Returns the settings that some picture is trained with: those of the whole training where none has its own."""
    found: list[Settings] = []
    for spec in datasets_of(dataset, settings):
        subsets = (subset.settings for subset in spec.subsets if subset.own)
        found += [spec.settings, *subsets]
    return tuple(found) or (settings,)


def settings_of_folders(dataset: Dataset, settings: Settings) -> dict[Path, Settings]:
    """Returns the settings of each folder, with the options that it has of its own."""
    return {folder: settings.with_options(part) for folder, part in _parts(dataset.concepts, settings).items()}


def part_problems(dataset: Dataset, settings: Settings) -> Iterator[Problem]:
    """Yields settings of concepts that there are not, and what a folder of regularisation images cannot have."""
    used = {key for keys in _keys(dataset.concepts, settings).values() for key in keys}
    for name, part in settings.concepts.items():
        if name not in used and part:
            yield Problem(
                "config.concept.unknown",
                f"The config has settings for a concept {name!r}, and no folder is called that.",
                f"{BLOCK_KEY}.concepts.{name}",
                "Call it by its class tokens: the folder's name after the number and the underscore.",
                "warning",
            )
    parts = _parts(dataset.regularisation, settings)
    for concept in dataset.regularisation:
        for name, setting in _only(parts[concept.folder], DATASET_OPTIONS).items():
            yield Problem(
                "config.ignored",
                f"{setting.place}: `{name}` is set for {concept.folder.name}, and regularisation images are trained "
                "in the datasets of their concepts, with what these have.",
                setting.where,
                "Take it out, or set it for the concept.",
                "warning",
            )


def _subset(concept: Concept, settings: Settings, part: Part) -> Subset:
    own = _only(part, SUBSET_OPTIONS)
    return Subset(concept, settings.with_options(own), own)


def _parts(concepts: Sequence[Concept], settings: Settings) -> dict[Path, Part]:
    """Returns the options of each folder; those under its whole name win over those under its class tokens."""
    return {
        folder: {name: value for key in reversed(keys) for name, value in settings.concepts[key].items()}
        for folder, keys in _keys(concepts, settings).items()
    }


def _keys(concepts: Sequence[Concept], settings: Settings) -> dict[Path, tuple[str, ...]]:
    training = [concept for concept in concepts if not concept.is_reg]
    reg = [concept for concept in concepts if concept.is_reg]
    return config_keys(training, settings.concepts) | config_keys(reg, settings.concepts)


def _only(part: Mapping[str, Any], names: Sequence[str]) -> Part:
    return {name: part[name] for name in names if name in part}
