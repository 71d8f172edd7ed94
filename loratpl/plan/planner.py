"""Puts buckets and steps together: what exactly a run of these settings on this dataset will be."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loratpl.config.settings import Settings
from loratpl.dataset.scan import Dataset, Picture
from loratpl.errors import Problem, ProjectError, raise_errors
from loratpl.plan.buckets import BucketError, Buckets, Size
from loratpl.plan.preconditions import bucket_rules, plan_problems
from loratpl.plan.steps import batches_per_epoch, regularisation_views, schedule


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and how many views it holds per epoch."""

    width: int
    height: int
    images: int


@dataclass(frozen=True, slots=True)
class PlannedConcept:
    """A folder as it will be trained."""

    folder: str
    images: int
    repeats: int
    is_reg: bool


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What will be trained, in the trainer's own numbers.

    Attributes:
        dataset: What it was planned for.
        resolution: The area trained at.
        train_images, reg_images: With repeats, as the trainer prints them; regularisation images before it evens
            them out.
        batches_per_epoch: Over all processes.
        processes: How many train side by side.
        buckets: With repeats, sorted by size.
    """

    dataset: Dataset
    resolution: Size
    train_images: int
    reg_images: int
    batches_per_epoch: int
    steps_per_epoch: int
    epochs: int
    total_steps: int
    processes: int
    buckets: tuple[Bucket, ...]
    concepts: tuple[PlannedConcept, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns the plan as other programs read it (design: the `plan` contract)."""
        return {
            "train_images": self.train_images,
            "reg_images": self.reg_images,
            "batches_per_epoch": self.batches_per_epoch,
            "steps_per_epoch": self.steps_per_epoch,
            "epochs": self.epochs,
            "total_steps": self.total_steps,
            "processes": self.processes,
            "buckets": [{"width": b.width, "height": b.height, "images": b.images} for b in self.buckets],
            "concepts": [
                {"folder": c.folder, "images": c.images, "repeats": c.repeats, "is_reg": c.is_reg}
                for c in self.concepts
            ],
        }


def make_plan(dataset: Dataset, settings: Settings, processes: int | None = None) -> TrainingPlan:
    """Returns the plan of a training.

    Args:
        dataset: Must hold at least one readable training picture; `check` sees to that.
        settings: Resolved and without errors.
        processes: Instead of the config's.

    Raises:
        ConfigError: The settings are none to plan with.
        ProjectError: The settings and the pictures do not go together.
    """
    raise_errors(plan_problems(settings))
    rules = bucket_rules(settings)
    views = _views(dataset, settings)
    bucket_of = Buckets(rules).of
    counts: Counter[Size] = Counter()
    try:
        for picture, count in views:
            counts[bucket_of((picture.width_px, picture.height_px))] += count
    except BucketError as error:
        raise ProjectError(
            Problem(
                "plan.buckets",
                f"The buckets cannot be made: {error}.",
                settings.where("resolution"),
                "Take the picture out, or correct `resolution` or the bucket settings in the config.",
            )
        ) from error
    batches = batches_per_epoch(counts.values(), settings["train_batch_size"])
    processes = processes or settings.block.launch.processes
    length = schedule(
        batches,
        processes=processes,
        accumulation=settings["gradient_accumulation_steps"],
        max_epochs=settings["max_train_epochs"],
        max_steps=settings["max_train_steps"],
    )
    split = settings["validation_split"] or 0.0
    return TrainingPlan(
        dataset=dataset,
        resolution=rules.resolution,
        train_images=sum(c.repeats * len(_train_share(c.pictures, split, settings)) for c in dataset.training),
        reg_images=sum(c.repeats * len(c.pictures) for c in dataset.regularisation),
        batches_per_epoch=batches,
        steps_per_epoch=length.steps_per_epoch,
        epochs=length.epochs,
        total_steps=length.total_steps,
        processes=processes,
        buckets=tuple(Bucket(*size, count) for size, count in sorted(counts.items())),
        concepts=tuple(PlannedConcept(c.folder.name, len(c.pictures), c.repeats, c.is_reg) for c in dataset.concepts),
    )


def _views(dataset: Dataset, settings: Settings) -> list[tuple[Picture, int]]:
    """Every picture with how often it is seen per epoch."""
    split = settings["validation_split"] or 0.0
    training = [(p, c.repeats) for c in dataset.training for p in _train_share(c.pictures, split, settings)]
    regularisation = [(p, c.repeats) for c in dataset.regularisation for p in c.pictures]
    train_views = sum(count for _, count in training)
    evened = regularisation_views(train_views, [repeats for _, repeats in regularisation])
    return [*training, *((picture, count) for (picture, _), count in zip(regularisation, evened, strict=True) if count)]


def _train_share(pictures: Sequence[Picture], split: float, settings: Settings) -> Sequence[Picture]:
    """The pictures left for training; the trainer shuffles with the validation seed and takes the first ones."""
    if not 0.0 < split <= 1.0:
        return pictures
    shuffled = list(pictures)
    random.Random(settings["validation_seed"]).shuffle(shuffled)  # noqa: S311 - must be what the trainer draws
    return shuffled[: math.ceil(len(shuffled) * (1 - split))]
