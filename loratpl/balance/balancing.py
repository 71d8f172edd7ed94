"""Counted folders × config → the repeats that each folder should have, and what it should be called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from loratpl.balance.arithmetic import is_within, repeats_for, smallest_epoch, smallest_target
from loratpl.balance.conflicts import conflicts
from loratpl.balance.counting import CountedFolder, look_into, no_concept
from loratpl.balance.folders import BalancedFolder, BalancedProject
from loratpl.balance.regularisation import match_classes, words
from loratpl.balance.weights import DEFAULT_WEIGHT, find_weights
from loratpl.config.block import BLOCK_KEY, Balance, Block
from loratpl.errors import Problem, raise_errors
from loratpl.project import ProjectPaths


def balance_project(
    project: ProjectPaths,
    image_dir: Path,
    reg_dir: Path,
    block: Block,
    *,
    steps: int | None = None,
    weights: Mapping[str, float] | None = None,
    matches: Sequence[tuple[str, str]] = (),
) -> BalancedProject:
    """Returns the repeats that each folder should have; nothing is changed.

    Regularisation images: each class gets as many views as the concepts that belong to it have. The trainer itself
    repeats or drops them until they are as many as those of all concepts (`DreamBoothDataset.__init__`).

    Args:
        project: Problems name paths from its root.
        image_dir: Holds the concepts.
        reg_dir: Holds the regularisation images; need not exist.
        block: What the config says of balancing.
        steps: The target of the command line; it wins over the config's.
        weights: The weights of the command line, by class tokens or folder name; they win over the config's.
        matches: Regularisation class and concept, of the command line; they win over the config's.

    Raises:
        ConfigError: A folder's name and the config give a concept different weights.
        ProjectError: There is no concept, a folder cannot be read, or two would get the same name.
        UsageError: A weight or match of the command line is of no concept or class.
    """
    training, train_problems = look_into(project, image_dir, takes_weights=True)
    reg, reg_problems = look_into(project, reg_dir, takes_weights=False)
    problems = [*train_problems, *reg_problems]
    if not training:
        problems.append(no_concept(project, image_dir))
    raise_errors(problems)
    found = find_weights(project, training, block, weights or {})
    matched = match_classes(project, training, reg, block, matches)
    problems += (*found.problems, *matched.problems)
    target, reason = _target([(item.images, found.of[item]) for item in training], block.balance, steps)
    cap = block.balance.max_repeats
    balanced = {item: _balanced(item, target, found.of[item], cap) for item in training}
    class_sizes = Counter(words(folder.class_tokens) for folder in reg)
    for folder in reg:
        views = sum(balanced[item].views_per_epoch for item in matched.concepts_of[folder])
        balanced[folder] = _balanced_reg(folder, views / class_sizes[words(folder.class_tokens)], cap)
    folders = tuple(balanced.values())
    problems += _off_target(project, [balanced[item] for item in training], target, block.balance)
    problems += conflicts(project, folders, (image_dir, reg_dir))
    raise_errors(problems)
    return BalancedProject(target, reason, folders, tuple(problems), found.new)


def _target(demands: Sequence[tuple[int, float]], settings: Balance, steps: int | None) -> tuple[int, str]:
    """Returns the target and where it is from."""
    if steps is not None:
        return steps, "as --steps says"
    if settings.steps is not None:
        return settings.steps, f"as {BLOCK_KEY}.balance.steps in the config says"
    tolerance, max_repeats = settings.tolerance, settings.max_repeats
    target = smallest_target(demands, tolerance, max_repeats)
    if target is not None:
        return target, f"the smallest at which no concept is off by more than {percent(tolerance)}"
    # Every larger epoch would only put the folders that have reached the cap further off.
    return smallest_epoch(
        demands
    ), f"the smallest epoch, since {max_repeats} repeats at most leave none that is balanced"


def _balanced(item: CountedFolder, views: float, weight: float, max_repeats: int | None) -> BalancedFolder:
    repeats = repeats_for(views, weight, item.images, max_repeats)
    has_weight = item.weight is not None
    return BalancedFolder(
        item.folder, item.class_tokens, item.images, weight, item.repeats, repeats, is_reg=False,
        has_weight_in_name=has_weight,
    )  # fmt: skip


def _balanced_reg(item: CountedFolder, views: float, max_repeats: int | None) -> BalancedFolder:
    """Returns the folder with its share of the views; a class that no concept belongs to keeps what it has."""
    repeats = repeats_for(views, DEFAULT_WEIGHT, item.images, max_repeats) if views else item.repeats
    return BalancedFolder(
        item.folder, item.class_tokens, item.images, DEFAULT_WEIGHT, item.repeats, repeats, is_reg=True
    )


def _off_target(
    project: ProjectPaths, folders: Sequence[BalancedFolder], target: int, settings: Balance
) -> Iterator[Problem]:
    """Yields the concepts that whole repeats cannot bring near a target that was asked for."""
    for item in folders:
        if is_within(item.views_per_epoch, target, item.weight, settings.tolerance):
            continue
        wanted = target * item.weight
        where = project.relative(item.folder)
        capped = item.repeats == settings.max_repeats and item.views_per_epoch < wanted
        yield Problem(
            "plan.balance.off",
            f"{where} has {item.views_per_epoch} views per epoch ({item.images} pictures times {item.repeats}): "
            f"{percent(item.imbalance(target))} off the {wanted:.6g} that it should have.",
            where,
            f"Raise `--max-repeats` or `{BLOCK_KEY}.balance.max_repeats`, or add pictures."
            if capped
            else "Choose a larger target, or leave it out: `kohyatpl balance` then finds the smallest that fits.",
            "warning",
        )


def percent(share: float) -> str:
    """Returns a share as people read it.

    >>> percent(0.05), percent(0.00123456), percent(0.0)
    ('5 %', '0.123 %', '0 %')
    """
    return f"{100 * share:.3g} %"
