"""Puts buckets and steps together: what exactly a run of these settings on this dataset will be."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loratpl.config.settings import Settings
from loratpl.dataset.scan import Dataset, Picture
from loratpl.errors import Problem, ProjectError
from loratpl.plan.buckets import BucketError, BucketRules, Buckets, Size, check_rules
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


def length_problems(settings: Settings) -> Iterator[Problem]:
    """Yields a warning where the config gives the length of the training twice: the trainer ignores one of them."""
    if settings["max_train_epochs"] is not None and settings["max_train_steps"] is not None:
        yield Problem(
            "config.steps.ignored",
            f"max_train_steps is {settings['max_train_steps']} and max_train_epochs is {settings['max_train_epochs']}; "
            "the trainer takes the epochs and ignores the steps.",
            settings.where("max_train_steps"),
            "Take one of them out (`--set max_train_epochs=null` for this time only).",
            "warning",
        )


def make_plan(dataset: Dataset, settings: Settings, processes: int | None = None) -> TrainingPlan:
    """Returns the plan of a training.

    Args:
        dataset: Must hold at least one readable training picture; `check` sees to that.
        settings: Resolved and without errors.
        processes: Instead of the config's.

    Raises:
        ProjectError: The settings and the pictures do not go together.
    """
    _refuse_impossible_counts(settings)
    try:
        rules = check_rules(_bucket_rules(settings), settings.family.bucket_step_px)
        views = _views(dataset, settings)
        bucket_of = Buckets(rules).of
        counts: Counter[Size] = Counter()
        for picture, count in views:
            counts[bucket_of((picture.width_px, picture.height_px))] += count
    except BucketError as error:
        raise _impossible("plan.buckets", f"The buckets cannot be made: {error}.", "resolution") from error
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


def parse_resolution(text: str) -> Size:
    """Returns (width, height) of "512" or "512,768".

    >>> parse_resolution("512,768")
    (512, 768)

    Raises:
        ValueError: It is neither.
    """
    sides = [int(side) for side in text.split(",")]
    if len(sides) == 1:
        return sides[0], sides[0]
    width, height = sides
    return width, height


def _bucket_rules(settings: Settings) -> BucketRules:
    try:
        resolution = parse_resolution(settings["resolution"])
    except ValueError as error:
        raise ProjectError(
            Problem(
                "config.value",
                f"{settings.where('resolution')}: {settings['resolution']!r} is no resolution.",
                settings.where("resolution"),
                'Write one number or two with a comma: `"512"` or `"512,768"`.',
            )
        ) from error
    return BucketRules(
        resolution,
        bool(settings["enable_bucket"]),
        settings["min_bucket_reso"],
        settings["max_bucket_reso"],
        settings["bucket_reso_steps"],
        bool(settings["bucket_no_upscale"]),
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


# Each counts something that there must be at least one of; 0 lets the trainer save an untrained LoRA and exit with 0,
# or divide by zero after the first epoch.
_AT_LEAST_ONE = (
    "max_train_epochs", "max_train_steps", "train_batch_size", "gradient_accumulation_steps",
    "save_every_n_epochs", "save_every_n_steps",
)  # fmt: skip


def _refuse_impossible_counts(settings: Settings) -> None:
    for name in _AT_LEAST_ONE:
        value = settings[name]
        if value is not None and value < 1:
            raise _impossible(
                "config.value", f"{settings.where(name)}: {value} is too few; it must be 1 or more.", name
            )
    split = settings["validation_split"]
    if split and not 0.0 < split < 1.0:
        raise _impossible(
            "config.value", f"validation_split is {split}; it must lie between 0 and 1.", "validation_split"
        )
    if split and settings["validation_seed"] is None:
        raise _impossible(
            "config.value",
            "validation_split without validation_seed lets the same picture be trained and validated.",
            "validation_seed",
        )


def _impossible(code: str, message: str, where: str) -> ProjectError:
    return ProjectError(Problem(code, message, where, f"Correct `{where}` in the config."))
