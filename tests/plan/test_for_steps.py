"""Proposals of epochs and repeats for a number of steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.plan.for_steps import Proposal, proposals
from loratpl.plan.planner import make_plan
from tests.given import settings_of
from tests.plan.made import concept, dataset, squares

SQUARE = (512, 512)


def _found(folder: Path, target: int, values: dict[str, Any], **counts: int) -> list[Proposal]:
    return list(proposals(squares(10, **counts), settings_of(folder, values), target))


def test_epochs_alone_are_enough_where_the_steps_of_an_epoch_go_into_it(tmp_path: Path) -> None:
    (only,) = _found(tmp_path, 2000, {"max_train_epochs": 3}, repeats=10)
    assert (only.epochs, only.steps_per_epoch, only.total_steps, only.changes_repeats) == (20, 100, 2000, False)
    assert only.repeats == {"10_ohwx cat": 10}


def test_repeats_come_nearer_where_epochs_do_not(tmp_path: Path) -> None:
    epochs, repeats = _found(tmp_path, 2000, {"max_train_epochs": 10}, repeats=33)
    assert (epochs.epochs, epochs.total_steps, epochs.changes_repeats) == (6, 1980, False)
    assert (repeats.epochs, repeats.total_steps, repeats.repeats) == (10, 2000, {"33_ohwx cat": 20})


def test_proportions_are_kept_and_regularisation_is_counted(tmp_path: Path) -> None:
    pictures = dataset(
        concept(4, *[SQUARE] * 5, name="a cat"),
        concept(2, *[SQUARE] * 10, name="b dog"),
        concept(1, *[SQUARE] * 3, is_reg=True, name="cat"),
    )
    found = proposals(pictures, settings_of(tmp_path, {"max_train_epochs": 10, "train_batch_size": 2}), 1000)
    assert [(item.epochs, item.total_steps) for item in found] == [(25, 1000)]
    closer = proposals(pictures, settings_of(tmp_path, {"max_train_epochs": 10, "train_batch_size": 2}), 1010)
    for item in closer:
        assert item.repeats["4_a cat"] == 2 * item.repeats["2_b dog"]


@given(
    repeats=st.integers(1, 40),
    batch=st.integers(1, 6),
    accumulation=st.integers(1, 4),
    processes=st.integers(1, 4),
    target=st.integers(1, 20_000),
)
def test_each_is_what_the_plan_then_says_and_is_nearer_than_the_one_before(
    tmp_path_factory: pytest.TempPathFactory, repeats: int, batch: int, accumulation: int, processes: int, target: int
) -> None:
    values = {"train_batch_size": batch, "gradient_accumulation_steps": accumulation, "max_train_epochs": 4}
    pictures = dataset(concept(repeats, *[SQUARE] * 7, (768, 512)))
    folder = tmp_path_factory.mktemp("law")
    found = proposals(pictures, settings_of(folder, values), target, processes)
    distances = [abs(item.total_steps - target) for item in found]
    assert distances == sorted(distances, reverse=True)
    assert not found[0].changes_repeats
    for item in found:
        (count,) = item.repeats.values()
        changed = dataset(concept(count, *[SQUARE] * 7, (768, 512)))
        plan = make_plan(changed, settings_of(folder, {**values, "max_train_epochs": item.epochs}), processes)
        assert (plan.total_steps, plan.steps_per_epoch) == (item.total_steps, item.steps_per_epoch)
        assert plan.total_steps == plan.epochs * plan.steps_per_epoch  # no epoch is cut short
