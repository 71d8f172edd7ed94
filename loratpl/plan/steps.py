"""Batches, steps, epochs and the use of regularisation images: ints in, ints out, the trainer's rules.

Source: sd-scripts 48d368fa, `library/train_util.py:DreamBoothDataset` and `train_network.py:train`; measured against
the real classes and against accelerate's sharding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def regularisation_views(train_views: int, folder_repeats: Sequence[int]) -> list[int]:
    """Returns how often each regularisation image is seen per epoch.

    The trainer walks the images with their folder's repeats until it has as many views as the training images have,
    then gives every image one more view, again and again, until it has. What it does not reach is not used.

    Args:
        train_views: Images × repeats of all training folders.
        folder_repeats: For each regularisation image its folder's repeats, in the trainer's order.

    >>> regularisation_views(10, [1, 1])
    [5, 5]
    >>> regularisation_views(3, [2, 2, 2])
    [2, 2, 0]
    """
    views = [0] * len(folder_repeats)
    total = 0
    for index, repeats in enumerate(folder_repeats):
        if total >= train_views:
            return views
        views[index] = repeats
        total += repeats
    while views and total < train_views:
        for index in range(min(len(views), train_views - total)):
            views[index] += 1
            total += 1
    return views


def batches_per_epoch(views_per_bucket: Iterable[int], batch_size: int) -> int:
    """Returns the batches of one epoch: each bucket is cut into batches by itself, the last may be short.

    >>> batches_per_epoch([5, 4], 2)
    5
    """
    return sum(_ceil_div(views, batch_size) for views in views_per_bucket)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long the training is; a step is one optimiser update."""

    steps_per_epoch: int
    epochs: int
    total_steps: int


def schedule(
    batches: int, *, processes: int, accumulation: int, max_epochs: int | None, max_steps: int | None
) -> Schedule:
    """Returns steps and epochs; a number of epochs wins over a number of steps.

    Args:
        batches: Batches per epoch over all processes, at least 1.
        processes: At least 1; each gets its share of the batches, the last ones made up to equal shares.
        accumulation: Batches per optimiser update, at least 1; it starts afresh with each epoch.
        max_epochs: `max_train_epochs`.
        max_steps: `max_train_steps`; 1600 for the trainer when neither is given, so one of both must be.

    >>> schedule(20, processes=1, accumulation=1, max_epochs=2, max_steps=None)
    Schedule(steps_per_epoch=20, epochs=2, total_steps=40)
    >>> schedule(10, processes=1, accumulation=1, max_epochs=None, max_steps=25)
    Schedule(steps_per_epoch=10, epochs=3, total_steps=25)
    """
    if max_epochs is not None:
        # The trainer divides the batches by processes and accumulation before accelerate has shared them out.
        max_steps = max_epochs * math.ceil(batches / processes / accumulation)
    if max_steps is None:
        raise ValueError("either max_epochs or max_steps must be given")
    steps_per_epoch = _ceil_div(_ceil_div(batches, processes), accumulation)
    return Schedule(steps_per_epoch, _ceil_div(max_steps, steps_per_epoch), max_steps)


def _ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)
