"""What an epoch will be once the folders are balanced: batches, steps, and the use of regularisation images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loratpl.balance.folders import BalancedFolder
from loratpl.config.settings import Settings
from loratpl.dataset.latent_caches import latent_cache_of
from loratpl.dataset.scan import Concept, Dataset, pictures_of
from loratpl.errors import KohyatplError, raise_errors
from loratpl.plan.planner import make_plan
from loratpl.plan.preconditions import plan_problems
from loratpl.plan.steps import regularisation_views, schedule


@dataclass(frozen=True, slots=True)
class Outlook:
    """The trainer's own numbers for an epoch.

    Attributes:
        batch_size: Views in a batch.
        batches_per_epoch, steps_per_epoch: None while pictures or settings stand against a plan.
        train_views: Of all concepts.
        reg_views: Of each regularisation folder, by its new name: how often the trainer shows its pictures, which it
            repeats or drops until they are as many as `train_views`.
    """

    batch_size: int
    batches_per_epoch: int | None
    steps_per_epoch: int | None
    train_views: int
    reg_views: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Returns what is added to the data of `balance --json`."""
        return {
            "batches_per_epoch": self.batches_per_epoch,
            "steps_per_epoch": self.steps_per_epoch,
            "regularisation": [{"folder": name, "views_used": views} for name, views in self.reg_views.items()],
        }


def look_ahead(folders: Sequence[BalancedFolder], settings: Settings) -> Outlook:
    """Returns what an epoch of these folders would be under their new names.

    With one view a batch the buckets make no difference, so the pictures are opened for larger batches alone.
    """
    ordered = sorted(folders, key=lambda item: (item.is_reg, item.folder.with_name(item.new_folder)))
    reg = [item for item in ordered if item.is_reg]
    train_views = sum(item.views_per_epoch for item in ordered if not item.is_reg)
    batch_size: int = settings["train_batch_size"]
    used = _reg_views(train_views, reg)
    unknown = Outlook(batch_size, None, None, train_views, used)
    is_one_dataset = not settings.datasets and not any(settings.concepts.values())
    try:
        if is_one_dataset:
            raise_errors(plan_problems(settings))
        if is_one_dataset and batch_size == 1 and not settings["validation_split"]:
            return _outlook(settings, train_views, train_views + sum(used.values()), used)
        dataset = _dataset(ordered, settings)
        if not all(picture.is_readable for concept in dataset.concepts for picture in concept.pictures):
            return unknown
        plan = make_plan(dataset, settings)
    except KohyatplError:  # `check` says which settings or pictures they are
        return unknown
    used = {concept.folder: concept.views for concept in plan.concepts if concept.is_reg}
    return _outlook(settings, plan.train_images, plan.batches_per_epoch, used)


def _outlook(settings: Settings, train_views: int, batches: int, reg_views: dict[str, int]) -> Outlook:
    length = schedule(
        batches,
        processes=settings.block.launch.processes,
        accumulation=settings["gradient_accumulation_steps"],
        max_epochs=1,
        max_steps=None,
    )
    return Outlook(settings["train_batch_size"], batches, length.steps_per_epoch, train_views, reg_views)


def _reg_views(train_views: int, reg: Sequence[BalancedFolder]) -> dict[str, int]:
    """Returns the views of each folder, in the order in which the trainer comes to them."""
    views = iter(regularisation_views(train_views, [item.repeats for item in reg for _ in range(item.images)]))
    return {item.new_folder: sum(next(views) for _ in range(item.images)) for item in reg}


def _dataset(folders: Sequence[BalancedFolder], settings: Settings) -> Dataset:
    concepts = tuple(
        Concept(
            folder=item.folder.with_name(item.new_folder),
            repeats=item.repeats,
            class_tokens=item.class_tokens,
            is_reg=item.is_reg,
            pictures=pictures_of(item.folder, latent_cache_of(settings.family.name).suffix),
        )
        for item in folders
    )
    return Dataset(settings.path("train_data_dir"), settings.path("reg_data_dir"), concepts, ())
