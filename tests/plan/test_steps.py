"""The arithmetic of batches and steps against a training that is walked through one batch after the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.plan.steps import Schedule, batches_per_epoch, regularisation_views, schedule

_REPEATS = st.lists(st.integers(1, 12), max_size=12)


def _walked(train_views: int, folder_repeats: Sequence[int]) -> list[int]:
    """The views of each regularisation image, as a walk from image to image that goes on until there are enough."""
    views = [0] * len(folder_repeats)
    for image in itertools.cycle(range(len(views))):
        if sum(views) >= train_views:
            break
        views[image] += 1 if views[image] else folder_repeats[image]
    return views


@pytest.mark.parametrize(
    ("train_views", "folder_repeats", "expected"),
    [
        (10, [1, 1], [5, 5]),
        (10, [1, 1, 1], [4, 3, 3]),
        (10, [3, 1], [6, 4]),
        (3, [2, 2, 2], [2, 2, 0]),
        (4, [2, 2, 2], [2, 2, 0]),
        (5, [100], [100]),
        (1, [1, 1], [1, 0]),
        (0, [1, 1], [0, 0]),
        (10, [], []),
    ],
)
def test_regularisation_images_are_evened_out(train_views: int, folder_repeats: list[int], expected: list[int]) -> None:
    assert regularisation_views(train_views, folder_repeats) == expected


@settings(deadline=None)
@given(train_views=st.integers(0, 200), folder_repeats=_REPEATS.filter(bool))
def test_regularisation_views_are_those_of_the_walk(train_views: int, folder_repeats: list[int]) -> None:
    assert regularisation_views(train_views, folder_repeats) == _walked(train_views, folder_repeats)


@settings(deadline=None)
@given(train_views=st.integers(1, 200), folder_repeats=_REPEATS.filter(bool))
def test_there_are_enough_regularisation_views_and_not_a_folder_too_many(
    train_views: int, folder_repeats: list[int]
) -> None:
    views = regularisation_views(train_views, folder_repeats)
    assert train_views <= sum(views) < train_views + max(folder_repeats)
    if sum(folder_repeats) <= train_views:
        assert sum(views) == train_views


@settings(deadline=None)
@given(views=st.lists(st.integers(1, 50), max_size=8), batch_size=st.integers(1, 9))
def test_each_bucket_is_cut_into_batches_by_itself(views: list[int], batch_size: int) -> None:
    walked = sum(len(range(0, count, batch_size)) for count in views)
    assert batches_per_epoch(views, batch_size) == walked


def _trained(batches: int, processes: int, accumulation: int, max_steps: int) -> Schedule:
    """The schedule of a training that is walked through; accelerate gives every process the same number of batches."""
    batches_each = len(range(0, batches, processes))
    steps, epochs, steps_per_epoch = 0, 0, 0
    while steps < max_steps:
        epochs += 1
        for batch in range(1, batches_each + 1):
            is_update = batch % accumulation == 0 or batch == batches_each
            if is_update and steps < max_steps:
                steps += 1
        if epochs == 1:
            steps_per_epoch = sum(1 for b in range(1, batches_each + 1) if b % accumulation == 0 or b == batches_each)
    return Schedule(steps_per_epoch, epochs, steps)


_COMBINATIONS = {"batches": st.integers(1, 40), "processes": st.integers(1, 4), "accumulation": st.integers(1, 5)}


@settings(deadline=None)
@given(**_COMBINATIONS, max_steps=st.integers(1, 100))
def test_a_number_of_steps_is_trained_exactly(batches: int, processes: int, accumulation: int, max_steps: int) -> None:
    planned = schedule(batches, processes=processes, accumulation=accumulation, max_epochs=None, max_steps=max_steps)
    assert planned == _trained(batches, processes, accumulation, max_steps)
    assert planned.total_steps == max_steps


@settings(deadline=None)
@given(**_COMBINATIONS, max_epochs=st.integers(1, 10))
def test_a_number_of_epochs_is_trained_exactly(
    batches: int, processes: int, accumulation: int, max_epochs: int
) -> None:
    planned = schedule(batches, processes=processes, accumulation=accumulation, max_epochs=max_epochs, max_steps=None)
    assert planned == _trained(batches, processes, accumulation, planned.total_steps)
    assert planned.epochs == max_epochs


@pytest.mark.parametrize(
    ("batches", "processes", "accumulation", "max_epochs", "max_steps", "expected"),
    [
        (20, 1, 1, 2, None, Schedule(20, 2, 40)),
        (10, 1, 1, None, 25, Schedule(10, 3, 25)),
        (10, 1, 3, 1, None, Schedule(4, 1, 4)),
        (10, 1, 3, None, 5, Schedule(4, 2, 5)),
        (10, 4, 1, 1, None, Schedule(3, 1, 3)),
        (10, 4, 2, 5, None, Schedule(2, 5, 10)),
        (1, 4, 8, 3, None, Schedule(1, 3, 3)),
    ],
)
def test_worked_examples(
    batches: int, processes: int, accumulation: int, max_epochs: int | None, max_steps: int | None, expected: Schedule
) -> None:
    planned = schedule(
        batches, processes=processes, accumulation=accumulation, max_epochs=max_epochs, max_steps=max_steps
    )
    assert planned == expected


def test_epochs_win_over_steps() -> None:
    assert schedule(10, processes=1, accumulation=1, max_epochs=2, max_steps=5) == Schedule(10, 2, 20)


def test_a_training_without_end_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="max_epochs or max_steps"):
        schedule(10, processes=1, accumulation=1, max_epochs=None, max_steps=None)
