"""How much of each concept is wanted: what the command line, the config and the folders' names say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.balance.counting import CountedFolder
from loratpl.balance.named import config_keys
from loratpl.config.block import BLOCK_KEY, Block
from loratpl.errors import Problem, UsageError
from loratpl.project import ProjectPaths

DEFAULT_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of each concept, and what the config must be told of them.

    Attributes:
        of: The weight of each folder.
        new: By class tokens, the weights that stand in folders' names alone.
        problems: Settings for nobody, and weights that contradict each other.
    """

    of: Mapping[CountedFolder, float]
    new: Mapping[str, float]
    problems: tuple[Problem, ...]


def find_weights(
    project: ProjectPaths, training: Sequence[CountedFolder], block: Block, wanted: Mapping[str, float]
) -> Weights:
    """Returns the weights of the concepts.

    Args:
        project: Problems name paths from its root.
        training: The concepts.
        block: Its `concepts` are by class tokens or folder name.
        wanted: The weights of the command line, by the same; they win.

    Raises:
        UsageError: A weight of the command line is of no concept.
    """
    refuse_unknown(training, wanted, "weight")
    keys = config_keys(training, block.concepts)
    count_of = Counter(item.class_tokens for item in training)
    problems = [*_unknown(training, block, keys), *_twins(project, training)]
    of: dict[CountedFolder, float] = {}
    new: dict[str, float] = {}
    for item in training:
        weighing = [key for key in keys[item.folder] if "weight" in block.concepts[key].model_fields_set]
        configured = [block.concepts[key].weight for key in weighing]
        asked = next((wanted[name] for name in item.names if name in wanted), None)
        found = [weight for weight in (asked, item.weight, *configured) if weight is not None]
        of[item] = found[0] if found else DEFAULT_WEIGHT
        if item.weight is not None and not configured:
            new[item.class_tokens] = item.weight
        elif len({item.weight, *configured} - {None}) > 1:
            problems.append(_contradiction(project, item, weighing, configured))
        elif asked is None and weighing == [item.folder.name] and count_of[item.class_tokens] > 1:
            problems.append(_unsteady(project, item))
    return Weights(of, new, tuple(problems))


def refuse_unknown(training: Sequence[CountedFolder], names: Mapping[str, object] | Sequence[str], option: str) -> None:
    """Raises a UsageError when the command line names a concept that there is not."""
    known = {name for item in training for name in item.names}
    concepts = ", ".join(item.class_tokens or item.folder.name for item in training)
    unknown = [
        Problem(f"usage.{option}", f"There is no concept {name!r}.", f"--{option}", f"The concepts are: {concepts}.")
        for name in names
        if name not in known
    ]
    if unknown:
        raise UsageError(*unknown)


def _unknown(training: Sequence[CountedFolder], block: Block, keys: Mapping[Path, Iterable[str]]) -> Iterator[Problem]:
    known = {name for item in training for name in (*item.names, *keys[item.folder])}
    for name, concept in block.concepts.items():
        if name not in known and not concept.is_for_trainer_alone:
            yield Problem(
                "config.concept.unknown",
                f"The config has settings for a concept {name!r}, and no folder is called that.",
                f"{BLOCK_KEY}.concepts.{name}",
                "Call it by its class tokens: the folder's name after the number and the underscore.",
                "warning",
            )


def _twins(project: ProjectPaths, training: Sequence[CountedFolder]) -> Iterator[Problem]:
    """Yields the folders whose weight would become that of a folder of the same class tokens as well."""
    weights: dict[str, set[float | None]] = {}
    for item in training:
        weights.setdefault(item.class_tokens, set()).add(item.weight)
    for item in training:
        if item.weight is not None and len(weights[item.class_tokens]) > 1:
            where = project.relative(item.folder)
            yield Problem(
                "plan.balance.twins",
                f"{where} has the weight {item.weight:g} in its name, and another folder the same class tokens "
                f"{item.class_tokens!r} without it. In the config a weight is by class tokens: it would be of both.",
                where,
                "Change the class tokens of one, or put the pictures of both into one folder. Nothing was renamed.",
            )


def _unsteady(project: ProjectPaths, item: CountedFolder) -> Problem:
    where = project.relative(item.folder)
    return Problem(
        "plan.balance.twins",
        f"The config has a weight for {item.folder.name!r}, a name that balancing changes, and another folder has the "
        f"same class tokens: after the next balancing the weight could be of the other.",
        where,
        "Change the class tokens of one of the folders, and call it by these in the config. Nothing was renamed.",
    )


def _contradiction(
    project: ProjectPaths, item: CountedFolder, keys: Sequence[str], weights: Sequence[float]
) -> Problem:
    places = [
        f"{weight:g} in the config (`{BLOCK_KEY}.concepts.{key}`)" for key, weight in zip(keys, weights, strict=True)
    ]
    if item.weight is not None:
        places.insert(0, f"{item.weight:g} in its name")
    where = project.relative(item.folder)
    return Problem(
        "config.weight.differs",
        f"{where} has several weights: {', '.join(places)}.",
        where,
        "Leave one of them and take the others out. Nothing was renamed.",
    )
