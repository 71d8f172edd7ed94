"""What each picture loses to its bucket, and how much it is enlarged for it; and the same for each bucket.

The trainer resizes a picture to cover its bucket, then cuts the middle out (sd-scripts 48d368fa,
`library/train_util.py:trim_and_resize_if_required`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from loratpl.plan.buckets import Placement, Size
from loratpl.plan.planner import PlannedDataset, PlannedView


class Box(NamedTuple):
    """A part of a picture, in pixels from its upper left corner; right and bottom are the first that are out of it."""

    left: int
    top: int
    right: int
    bottom: int


def kept_box(placement: Placement) -> Box:
    """Returns the part of the resized picture that is trained; of an odd rest the right and the bottom lose more.

    >>> kept_box(Placement(bucket=(640, 384), resized=(640, 427)))
    Box(left=0, top=21, right=640, bottom=405)
    """
    left, right = _kept(placement.resized[0], placement.bucket[0])
    top, bottom = _kept(placement.resized[1], placement.bucket[1])
    return Box(left, top, right, bottom)


@dataclass(frozen=True, slots=True)
class Crop:
    """What becomes of one picture in one dataset.

    Attributes:
        view: The picture and where it goes.
        dataset: The dataset's number, from 0.
    """

    view: PlannedView
    dataset: int

    @property
    def kept(self) -> float:
        """The share of the picture's area that is trained, 0 to 1."""
        return self.view.placement.kept

    @property
    def scale(self) -> float:
        """How much larger the picture becomes; above 1 it is upscaled."""
        return self.view.placement.scale_of(self.view.picture.trained_px)


@dataclass(frozen=True, slots=True)
class BucketUse:
    """A bucket and what it does to its pictures, the validation left out.

    Attributes:
        size: Of the bucket.
        pictures: How many different ones go there.
        views: How often they are seen per epoch, all together.
        kept, scale: As those of `Crop`, the mean of all views.
    """

    size: Size
    pictures: int
    views: int
    kept: float
    scale: float


def crops_of(datasets: Sequence[PlannedDataset]) -> tuple[Crop, ...]:
    """Returns what becomes of every picture that is used, once for each dataset that it is in."""
    return tuple(Crop(view, number) for number, dataset in enumerate(datasets) for view in dataset.views())


def bucket_uses(crops: Iterable[Crop]) -> tuple[BucketUse, ...]:
    """Returns the buckets that these pictures are trained in, from the narrowest to the widest."""
    members: defaultdict[Size, list[Crop]] = defaultdict(list)
    for crop in crops:
        if not crop.view.is_validation:
            members[crop.view.placement.bucket].append(crop)
    uses = (_use(size, members[size]) for size in members)
    return tuple(sorted(uses, key=lambda use: (use.size[0] / use.size[1], use.size)))


def losing_most(crops: Iterable[Crop], more_than: float = 0.0) -> tuple[Crop, ...]:
    """Returns the pictures that lose more than this share of their area, the one that loses most first.

    A picture is named once, in the dataset in which it loses most.
    """
    found = _one_for_each_picture(crops, lambda crop: crop.kept)
    return tuple(crop for crop in found if 1 - crop.kept > more_than)


def upscaled_most(crops: Iterable[Crop], more_than: float = 1.0) -> tuple[Crop, ...]:
    """Returns the pictures that become more than so many times as large, the one that grows most first.

    A picture is named once, in the dataset in which it grows most.
    """
    found = _one_for_each_picture(crops, lambda crop: -crop.scale)
    return tuple(crop for crop in found if crop.scale > more_than)


def _kept(resized: int, bucket: int) -> tuple[int, int]:
    if resized <= bucket:
        return 0, resized
    start = (resized - bucket) // 2
    return start, start + bucket


def _use(size: Size, crops: Sequence[Crop]) -> BucketUse:
    views = sum(crop.view.views for crop in crops)
    return BucketUse(
        size,
        len({crop.view.picture.path for crop in crops}),
        views,
        math.fsum(crop.kept * crop.view.views for crop in crops) / views,
        math.fsum(crop.scale * crop.view.views for crop in crops) / views,
    )


def _one_for_each_picture(crops: Iterable[Crop], rank: Callable[[Crop], float]) -> list[Crop]:
    ordered = sorted(crops, key=lambda crop: (rank(crop), crop.view.picture.path))
    first: dict[Path, Crop] = {}
    for crop in ordered:
        first.setdefault(crop.view.picture.path, crop)
    return list(first.values())
