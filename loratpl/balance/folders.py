"""One folder as it is and as it shall be, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.errors import Problem
from loratpl.journal import Rename


@dataclass(frozen=True, slots=True)
class BalancedFolder:
    """One folder of image_dir or reg_dir, as it is and as it shall be.

    Attributes:
        folder: The folder under the name that it has now.
        class_tokens: What the new name keeps, as it stands.
        images: Pictures in it.
        weight: Its views as a multiple of the target; 1.0 for regularisation images.
        repeats_before: The number in its name; 0 where it has none yet.
        repeats: The number that should be there.
        is_reg: Whether it holds regularisation images.
        has_weight_in_name: Whether a weight is to be taken off its name.
    """

    folder: Path
    class_tokens: str
    images: int
    weight: float
    repeats_before: int
    repeats: int
    is_reg: bool
    has_weight_in_name: bool = False

    @property
    def new_folder(self) -> str:
        """The name it should have: the one it has where the number is right, however that is written."""
        is_right = self.repeats == self.repeats_before and not self.has_weight_in_name
        return self.folder.name if is_right else f"{self.repeats}_{self.class_tokens}"

    @property
    def views_per_epoch(self) -> int:
        """Images × repeats, with the new repeats."""
        return self.images * self.repeats

    def imbalance(self, target: int) -> float:
        """Returns how far its views are off what they should be at that target, as a share of it."""
        wanted = target * self.weight
        return abs(self.views_per_epoch - wanted) / wanted

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
        new_weights: By class tokens, the weights that are taken off names and belong in the config.
    """

    target: int
    reason: str
    folders: tuple[BalancedFolder, ...]
    warnings: tuple[Problem, ...]
    new_weights: Mapping[str, float]

    @property
    def concepts(self) -> tuple[BalancedFolder, ...]:
        """The folders to be learned."""
        return tuple(item for item in self.folders if not item.is_reg)

    @property
    def worst(self) -> BalancedFolder:
        """The concept that is furthest off what it should have."""
        return max(self.concepts, key=lambda item: item.imbalance(self.target))

    @property
    def renames(self) -> tuple[Rename, ...]:
        """What gives every folder its name; none where all are right."""
        return tuple(
            Rename(item.folder, item.folder.with_name(item.new_folder))
            for item in self.folders
            if item.new_folder != item.folder.name
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the data of `balance --json`; what is known of the training is added to it."""
        return {
            "target": self.target,
            "worst_imbalance": round(self.worst.imbalance(self.target), 6),
            "new_weights": dict(self.new_weights),
            "concepts": [item.as_json() for item in self.folders],
        }
