"""Puts buckets and steps together: what exactly a run of these settings on this dataset will be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.config.settings import Settings
from loratpl.dataset.scan import Concept, Dataset, Picture
from loratpl.errors import Problem, ProjectError, raise_errors
from loratpl.plan.buckets import BucketError, BucketRules, Buckets, Placement, Size
from loratpl.plan.datasets import DatasetSpec, datasets_of, trained_settings
from loratpl.plan.preconditions import bucket_rules, plan_problems
from loratpl.plan.shares import Shares
from loratpl.plan.steps import batches_per_epoch, schedule


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and how many views it holds per epoch."""

    width: int
    height: int
    images: int


@dataclass(frozen=True, slots=True)
class PlannedConcept:
    """A folder as it will be trained.

    Attributes:
        folder: Its name.
        images: Pictures in it, those of the validation among them.
        repeats: As its name says.
        is_reg: Whether it holds regularisation images.
        views: How often its pictures are seen per epoch, over all datasets.
    """

    folder: str
    images: int
    repeats: int
    is_reg: bool
    views: int


@dataclass(frozen=True, slots=True)
class PlannedView:
    """One picture in one dataset.

    Attributes:
        picture: The picture.
        concept: Its folder.
        views: How often it is seen per epoch.
        placement: Its bucket, and what it is resized to.
        is_validation: Whether the loss is measured with it, and nothing learnt.
    """

    picture: Picture
    concept: Concept
    views: int
    placement: Placement
    is_validation: bool


@dataclass(frozen=True, slots=True)
class PlannedDataset:
    """One of the trainer's datasets, in the trainer's own numbers; as `TrainingPlan`."""

    spec: DatasetSpec
    rules: BucketRules
    train_images: int
    reg_images: int
    validation_images: int
    batches_per_epoch: int
    validation_batches: int
    buckets: tuple[Bucket, ...]

    @property
    def batch_size(self) -> int:
        """Views in a batch; the last one of each bucket may be short."""
        size: int = self.spec.settings["train_batch_size"]
        return size

    def views(self) -> Iterator[PlannedView]:
        """Yields every picture that is used, those of the validation last; made anew each time."""
        place = Buckets(self.rules).place
        shares = Shares(self.spec)
        for is_validation, views in ((False, shares.views()), (True, shares.validation())):
            for picture, concept, count in views:
                yield PlannedView(picture, concept, count, place(picture.trained_px), is_validation)

    def as_json(self) -> dict[str, Any]:
        """Returns the dataset as other programs read it."""
        return {
            "resolution": list(self.rules.resolution),
            "batch_size": self.batch_size,
            "train_images": self.train_images,
            "reg_images": self.reg_images,
            "validation_images": self.validation_images,
            "batches_per_epoch": self.batches_per_epoch,
            "concepts": [subset.concept.folder.name for subset in self.spec.subsets],
            "buckets": [_bucket_json(bucket) for bucket in self.buckets],
        }


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What will be trained, in the trainer's own numbers.

    Attributes:
        dataset: What it was planned for.
        datasets: Mostly one.
        train_images, reg_images, validation_images: With repeats, as the trainer prints them; regularisation images
            before it evens them out.
        batches_per_epoch: Over all processes.
        processes: How many train side by side.
        accumulation: Batches of each process to a step.
        buckets: With repeats, sorted by size, over all datasets.
        concepts: In the order of `dataset.concepts`.
    """

    dataset: Dataset
    datasets: tuple[PlannedDataset, ...]
    train_images: int
    reg_images: int
    validation_images: int
    batches_per_epoch: int
    steps_per_epoch: int
    epochs: int
    total_steps: int
    processes: int
    accumulation: int
    buckets: tuple[Bucket, ...]
    concepts: tuple[PlannedConcept, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns the plan as other programs read it (design: the `plan` contract)."""
        return {
            "train_images": self.train_images,
            "reg_images": self.reg_images,
            "validation_images": self.validation_images,
            "batches_per_epoch": self.batches_per_epoch,
            "steps_per_epoch": self.steps_per_epoch,
            "epochs": self.epochs,
            "total_steps": self.total_steps,
            "processes": self.processes,
            "gradient_accumulation_steps": self.accumulation,
            "buckets": [_bucket_json(bucket) for bucket in self.buckets],
            "concepts": [
                {"folder": c.folder, "images": c.images, "repeats": c.repeats, "is_reg": c.is_reg, "views": c.views}
                for c in self.concepts
            ],
            "datasets": [dataset.as_json() for dataset in self.datasets],
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
    raise_errors(plan_problems(settings, trained_settings(dataset, settings)))
    seen: Counter[Path] = Counter()
    planned = tuple(_plan_dataset(spec, seen) for spec in datasets_of(dataset, settings))
    batches = sum(one.batches_per_epoch for one in planned)
    processes = processes or settings.block.launch.processes
    accumulation = settings["gradient_accumulation_steps"]
    length = schedule(
        batches,
        processes=processes,
        accumulation=accumulation,
        max_epochs=settings["max_train_epochs"],
        max_steps=settings["max_train_steps"],
    )
    buckets: Counter[Size] = Counter()
    for one in planned:
        buckets.update({(bucket.width, bucket.height): bucket.images for bucket in one.buckets})
    return TrainingPlan(
        dataset=dataset,
        datasets=planned,
        train_images=sum(one.train_images for one in planned),
        reg_images=sum(one.reg_images for one in planned),
        validation_images=sum(one.validation_images for one in planned),
        batches_per_epoch=batches,
        steps_per_epoch=length.steps_per_epoch,
        epochs=length.epochs,
        total_steps=length.total_steps,
        processes=processes,
        accumulation=accumulation,
        buckets=_sorted(buckets),
        concepts=tuple(
            PlannedConcept(c.folder.name, len(c.pictures), c.repeats, c.is_reg, seen[c.folder])
            for c in dataset.concepts
        ),
    )


def _plan_dataset(spec: DatasetSpec, seen: Counter[Path]) -> PlannedDataset:
    """Adds the views of each folder to `seen`."""
    rules = bucket_rules(spec.settings)
    shares = Shares(spec)
    size = spec.settings["train_batch_size"]
    seen.update(shares.views_of_folders())
    try:
        place = Buckets(rules)
        buckets: Counter[Size] = Counter()
        for count, sizes in shares.sizes().items():
            for bucket, pictures in place.count(sizes).items():
                buckets[bucket] += pictures * count
        validation = place.count([picture.trained_px for picture, _, _ in shares.validation()])
    except BucketError as error:
        raise ProjectError(
            Problem(
                "plan.buckets",
                f"The buckets cannot be made: {error}.",
                spec.settings.where("resolution"),
                "Take the picture out, or correct `resolution` or the bucket settings in the config.",
            )
        ) from error
    return PlannedDataset(
        spec=spec,
        rules=rules,
        train_images=shares.train_views,
        reg_images=sum(concept.repeats * len(concept.pictures) for concept in spec.regularisation),
        validation_images=validation.total(),
        batches_per_epoch=batches_per_epoch(buckets.values(), size),
        validation_batches=batches_per_epoch(validation.values(), size),
        buckets=_sorted(buckets),
    )


def _sorted(buckets: Counter[Size]) -> tuple[Bucket, ...]:
    return tuple(Bucket(*size, count) for size, count in sorted(buckets.items()))


def _bucket_json(bucket: Bucket) -> dict[str, int]:
    return {"width": bucket.width, "height": bucket.height, "images": bucket.images}
