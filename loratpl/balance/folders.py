"""Counted folders × config → the repeats that each folder should have, and what it should be called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.balance.arithmetic import is_within, repeats_for, smallest_epoch, smallest_target
from loratpl.balance.counting import CountedFolder, look_into, no_concept
from loratpl.config.block import BLOCK_KEY, Balance, Block
from loratpl.errors import Problem, UsageError, raise_errors
from loratpl.journal import Rename
from loratpl.project import ProjectPaths


@dataclass(frozen=True, slots=True)
class BalancedFolder:
    """One folder of image_dir or reg_dir, as it is and as it shall be.

    Attributes:
        folder: The folder under the name that it has now.
        class_tokens: What the new name keeps, as it stands.
        images: Pictures in it.
        weight: Its views as a multiple of the target; 1.0 for regularisation images.
        repeats_before: The number in its name.
        repeats: The number that should be there.
        is_reg: Whether it holds regularisation images.
    """

    folder: Path
    class_tokens: str
    images: int
    weight: float
    repeats_before: int
    repeats: int
    is_reg: bool

    @property
    def new_folder(self) -> str:
        """The name it should have: the one it has where the number is right, however that is written."""
        is_right = self.repeats == self.repeats_before
        return self.folder.name if is_right else f"{self.repeats}_{self.class_tokens}"

    @property
    def views_per_epoch(self) -> int:
        """Images × repeats, with the new repeats."""
        return self.images * self.repeats

    def as_json(self) -> dict[str, Any]:
        """Returns the folder's entry in `balance --json`."""
        return {
            "folder": self.folder.name,
            "images": self.images,
            "weight": self.weight,
            "repeats_before": self.repeats_before,
            "repeats": self.repeats,
            "new_folder": self.new_folder,
            "views_per_epoch": self.views_per_epoch,
            "is_reg": self.is_reg,
        }


@dataclass(frozen=True, slots=True)
class BalancedProject:
    """What each folder should be called: concepts first, then regularisation images, each sorted.

    Attributes:
        target: Views per epoch of a concept of weight 1.
        reason: Where the target is from; follows a comma in a sentence.
        folders: All that the trainer uses.
        warnings: Folders that are left as they are, and concepts that cannot be brought near the target.
    """

    target: int
    reason: str
    folders: tuple[BalancedFolder, ...]
    warnings: tuple[Problem, ...]

    @property
    def renames(self) -> tuple[Rename, ...]:
        """What gives every folder its name; none where all are right."""
        return tuple(
            Rename(item.folder, item.folder.with_name(item.new_folder))
            for item in self.folders
            if item.new_folder != item.folder.name
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the data of `balance --json`."""
        return {"target": self.target, "concepts": [item.as_json() for item in self.folders]}


def balance_project(
    project: ProjectPaths,
    image_dir: Path,
    reg_dir: Path,
    block: Block,
    *,
    steps: int | None = None,
    weights: Mapping[str, float] | None = None,
) -> BalancedProject:
    """Returns the repeats that each folder should have; nothing is changed.

    Regularisation images: each class gets its share of the concepts' views. The trainer itself repeats or drops them
    until they are as many as those (`DreamBoothDataset.__init__`), so this decides only that no class is left out.

    Args:
        project: Problems name paths from its root.
        image_dir: Holds the concepts.
        reg_dir: Holds the regularisation images; need not exist.
        block: What the config says of balancing.
        steps: The target of the command line; it wins over the config's.
        weights: The weights of the command line, by class tokens or folder name; they win over the config's.

    Raises:
        ProjectError: There is no concept, a folder cannot be read, or two would get the same name.
        UsageError: A weight of the command line is of no concept.
    """
    training, train_problems = look_into(project, image_dir)
    reg, reg_problems = look_into(project, reg_dir)
    problems = [*train_problems, *reg_problems]
    if not training:
        problems.append(no_concept(project, image_dir))
    raise_errors(problems)
    weight_of = _weights(training, block, weights or {})
    demands = [(item.images, weight_of[item]) for item in training]
    target, reason = _target(demands, block.balance, steps)
    cap = block.balance.max_repeats
    folders = [_balanced(item, target, weight_of[item], cap) for item in training]
    views = sum(item.views_per_epoch for item in folders)
    reg_folders = [_balanced(item, views / len(reg), 1.0, cap, is_reg=True) for item in reg]
    problems += _without_concept(training, block)
    problems += _off_target(project, folders, target, block.balance)
    problems += _collisions(project, [*folders, *reg_folders], (image_dir, reg_dir))
    raise_errors(problems)
    return BalancedProject(target, reason, (*folders, *reg_folders), tuple(problems))


def _weights(
    training: Sequence[CountedFolder], block: Block, weights: Mapping[str, float]
) -> dict[CountedFolder, float]:
    known = {name for item in training for name in item.names}
    unknown = [name for name in weights if name not in known]
    if unknown:
        concepts = ", ".join(item.class_tokens or item.folder.name for item in training)
        raise UsageError(
            *(
                Problem("usage.weight", f"There is no concept {name!r}.", "--weight", f"The concepts are: {concepts}.")
                for name in unknown
            )
        )
    configured = {name: settings.weight for name, settings in block.concepts.items()}
    return {
        item: next((source[name] for source in (weights, configured) for name in item.names if name in source), 1.0)
        for item in training
    }


def _without_concept(training: Sequence[CountedFolder], block: Block) -> Iterator[Problem]:
    known = {name for item in training for name in item.names}
    for name in block.concepts:
        if name not in known:
            yield Problem(
                "config.concept.unknown",
                f"The config has settings for a concept {name!r}, and no folder is called that.",
                f"{BLOCK_KEY}.concepts.{name}",
                "Call it by its class tokens: the folder's name after the number and the underscore.",
                "warning",
            )


def _target(demands: Sequence[tuple[int, float]], settings: Balance, steps: int | None) -> tuple[int, str]:
    """Returns the target and where it is from."""
    if steps is not None:
        return steps, "as --steps says"
    if settings.steps is not None:
        return settings.steps, f"as {BLOCK_KEY}.balance.steps in the config says"
    tolerance, max_repeats = settings.tolerance, settings.max_repeats
    target = smallest_target(demands, tolerance, max_repeats)
    if target is not None:
        return target, f"the smallest at which no concept is off by more than {_percent(tolerance)}"
    # Every larger epoch would only put the folders that have reached the cap further off.
    return smallest_epoch(
        demands
    ), f"the smallest epoch, since {max_repeats} repeats at most leave none that is balanced"


def _balanced(
    item: CountedFolder, views: float, weight: float, max_repeats: int | None, *, is_reg: bool = False
) -> BalancedFolder:
    repeats = repeats_for(views, weight, item.images, max_repeats)
    return BalancedFolder(item.folder, item.class_tokens, item.images, weight, item.repeats, repeats, is_reg)


def _off_target(
    project: ProjectPaths, folders: Sequence[BalancedFolder], target: int, settings: Balance
) -> Iterator[Problem]:
    """Yields the concepts that whole repeats cannot bring near a target that was asked for."""
    for item in folders:
        if is_within(item.views_per_epoch, target, item.weight, settings.tolerance):
            continue
        wanted = target * item.weight
        off = abs(item.views_per_epoch - wanted) / wanted
        where = project.relative(item.folder)
        capped = item.repeats == settings.max_repeats and item.views_per_epoch < wanted
        yield Problem(
            "plan.balance.off",
            f"{where} has {item.views_per_epoch} views per epoch ({item.images} pictures times {item.repeats}): "
            f"{_percent(off)} off the {wanted:.6g} that it should have.",
            where,
            f"Raise `{BLOCK_KEY}.balance.max_repeats`, or add pictures."
            if capped
            else "Choose a larger target, or leave it out: `kohyatpl balance` then finds the smallest that fits.",
            "warning",
        )


def _collisions(project: ProjectPaths, folders: Sequence[BalancedFolder], parents: Sequence[Path]) -> Iterator[Problem]:
    """Yields what must not be renamed: to a name that is given twice, or with a folder of the config inside."""
    targets = Counter(item.folder.with_name(item.new_folder) for item in folders)
    for item in folders:
        where = project.relative(item.folder)
        if targets[item.folder.with_name(item.new_folder)] > 1:
            yield Problem(
                "plan.balance.name",
                f"{where} should be called {item.new_folder}, and so should another folder.",
                where,
                "Put the pictures of both into one folder, or change the class tokens of one. Nothing was renamed.",
            )
        elif item.new_folder != item.folder.name and any(parent.is_relative_to(item.folder) for parent in parents):
            yield Problem(
                "plan.balance.nested",
                f"{where} holds image_dir or reg_dir itself; renaming it would take them away from the config.",
                where,
                "Give both a folder of their own, `image_dir` and `reg_dir` in the project.",
            )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
