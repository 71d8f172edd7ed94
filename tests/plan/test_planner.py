"""What exactly a run will be, against examples that the trainer itself was run with."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from loratpl.dataset.scan import Dataset
from loratpl.errors import ConfigError, ProjectError, exit_code_of
from loratpl.plan.planner import Bucket, PlannedConcept, TrainingPlan, make_plan
from loratpl.plan.preconditions import parse_resolution
from tests.given import refusal, settings_of
from tests.plan.made import concept, dataset, squares

SQUARE = (512, 512)
WIDE = (768, 512)  # goes to the bucket of 640 × 384


def _plan(folder: Path, pictures: Dataset, values: dict[str, Any] | None = None) -> TrainingPlan:
    return make_plan(pictures, settings_of(folder, values))


def test_regularisation_images_are_counted_as_they_are_and_used_as_often_as_needed(tmp_path: Path) -> None:
    pictures = dataset(concept(2, *[SQUARE] * 5), concept(1, SQUARE, WIDE, is_reg=True, name="cat"))
    plan = _plan(tmp_path, pictures, {"max_train_epochs": 2})
    assert (plan.train_images, plan.reg_images) == (10, 2)
    assert plan.batches_per_epoch == 20
    assert (plan.steps_per_epoch, plan.epochs, plan.total_steps) == (20, 2, 40)
    assert plan.buckets == (Bucket(512, 512, 15), Bucket(640, 384, 5))
    assert plan.concepts == (PlannedConcept("2_ohwx cat", 5, 2, False), PlannedConcept("1_cat", 2, 1, True))


def test_regularisation_images_beyond_the_training_images_are_not_used(tmp_path: Path) -> None:
    pictures = dataset(concept(1, SQUARE, SQUARE), concept(1, SQUARE, WIDE, WIDE, is_reg=True, name="cat"))
    plan = _plan(tmp_path, pictures)
    assert plan.reg_images == 3
    assert plan.buckets == (Bucket(512, 512, 3), Bucket(640, 384, 1))


def test_each_bucket_ends_with_a_short_batch(tmp_path: Path) -> None:
    plan = _plan(tmp_path, dataset(concept(3, SQUARE, SQUARE, SQUARE, WIDE)), {"train_batch_size": 4})
    assert plan.buckets == (Bucket(512, 512, 9), Bucket(640, 384, 3))
    assert plan.batches_per_epoch == 4


@pytest.mark.parametrize(
    ("values", "processes", "steps_per_epoch", "epochs", "total_steps"),
    [
        ({"max_train_steps": 25}, 1, 10, 3, 25),
        ({"max_train_epochs": 3}, 1, 10, 3, 30),
        ({"max_train_epochs": 3, "max_train_steps": 5}, 1, 10, 3, 30),
        ({"max_train_steps": 5, "gradient_accumulation_steps": 3}, 1, 4, 2, 5),
        ({"max_train_steps": 7}, 4, 3, 3, 7),
        ({"max_train_epochs": 5, "gradient_accumulation_steps": 2}, 4, 2, 5, 10),
        ({}, 1, 10, 10, 100),
    ],
)
def test_steps_and_epochs_of_ten_batches(
    tmp_path: Path, values: dict[str, Any], processes: int, steps_per_epoch: int, epochs: int, total_steps: int
) -> None:
    plan = _plan(tmp_path, squares(10), {**values, "kohyatpl": {"launch": {"processes": processes}}})
    assert plan.batches_per_epoch == 10
    assert plan.processes == processes
    assert (plan.steps_per_epoch, plan.epochs, plan.total_steps) == (steps_per_epoch, epochs, total_steps)


@pytest.mark.parametrize(
    ("images", "share", "trained"), [(5, 0.1, 5), (3, 0.5, 2), (6, 0.25, 5), (10, 0.3, 7), (4, 0.0, 4), (1, 0.9, 1)]
)
def test_what_is_validated_is_not_trained(tmp_path: Path, images: int, share: float, trained: int) -> None:
    plan = _plan(tmp_path, squares(images, repeats=2), {"validation_split": share, "validation_seed": 7})
    assert plan.train_images == 2 * trained
    assert plan.batches_per_epoch == 2 * trained
    assert plan.concepts[0].images == images


def test_the_pictures_left_for_training_are_those_that_the_trainer_draws(tmp_path: Path) -> None:
    sizes = [SQUARE, WIDE] * 5
    plan = _plan(tmp_path, dataset(concept(1, *sizes)), {"validation_split": 0.5, "validation_seed": 3})
    random.seed(3)
    drawn = list(sizes)
    random.shuffle(drawn)
    counts = [drawn[:5].count(SQUARE), drawn[:5].count(WIDE)]
    assert plan.buckets == (Bucket(512, 512, counts[0]), Bucket(640, 384, counts[1]))


def test_regularisation_images_are_never_validated(tmp_path: Path) -> None:
    pictures = dataset(concept(1, *[SQUARE] * 4), concept(1, *[SQUARE] * 2, is_reg=True, name="cat"))
    plan = _plan(tmp_path, pictures, {"validation_split": 0.5, "validation_seed": 7})
    assert (plan.train_images, plan.reg_images, plan.batches_per_epoch) == (2, 2, 4)


@pytest.mark.parametrize(("text", "expected"), [("512", (512, 512)), ("512,768", (512, 768)), ("512, 768", (512, 768))])
def test_a_resolution_is_one_side_or_two(tmp_path: Path, text: str, expected: tuple[int, int]) -> None:
    assert parse_resolution(text) == expected
    values = {"resolution": text, "enable_bucket": False}
    plan = _plan(tmp_path, squares(1), values)
    assert plan.resolution == expected
    assert plan.buckets == (Bucket(*expected, 1),)


@pytest.mark.parametrize("text", ["big", "512,512,512", "512x512", ",", "512.0", "512;768"])
def test_what_is_no_resolution_is_a_config_error(tmp_path: Path, text: str) -> None:
    with pytest.raises((ConfigError, ProjectError)) as caught:
        _plan(tmp_path, squares(1), {"resolution": text})
    problem = refusal(caught.value, ConfigError, "config.value", repr(text), "config.json line 3")
    assert '"512,768"' in problem.fix


@pytest.mark.parametrize(
    "name",
    [
        "max_train_epochs",
        "max_train_steps",
        "train_batch_size",
        "gradient_accumulation_steps",
        "save_every_n_epochs",
        "save_every_n_steps",
    ],
)
@pytest.mark.parametrize("count", [0, -1])
def test_a_count_of_nothing_is_a_config_error(tmp_path: Path, name: str, count: int) -> None:
    with pytest.raises((ConfigError, ProjectError)) as caught:
        _plan(tmp_path, squares(1), {name: count})
    problem = refusal(caught.value, ConfigError, "config.value", f"config.json line 3: {name}", f"{count} is too few")
    assert f"`{name}`" in problem.fix


def test_all_impossible_counts_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises((ConfigError, ProjectError)) as caught:
        _plan(tmp_path, squares(1), {"train_batch_size": 0, "max_train_epochs": 0, "resolution": "big"})
    named = "\n".join(problem.message for problem in caught.value.problems)
    assert all(name in named for name in ("train_batch_size", "max_train_epochs", "resolution"))


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5])
def test_a_validation_share_that_is_none_is_a_config_error(tmp_path: Path, share: float) -> None:
    with pytest.raises((ConfigError, ProjectError)) as caught:
        _plan(tmp_path, squares(4), {"validation_split": share, "validation_seed": 1})
    refusal(caught.value, ConfigError, "config.value", f"validation_split is {share}", "between 0 and 1")


def test_a_validation_share_needs_a_seed(tmp_path: Path) -> None:
    with pytest.raises((ConfigError, ProjectError)) as caught:
        _plan(tmp_path, squares(4), {"validation_split": 0.5})
    refusal(caught.value, ConfigError, "config.value", "validation_seed", "same picture")


@pytest.mark.parametrize(
    ("values", "size", "named"),
    [
        ({"bucket_reso_steps": 32}, SQUARE, "bucket_reso_steps 32 must be a multiple of 64"),
        ({"resolution": "128"}, SQUARE, "min_bucket_reso 256"),
        ({"resolution": "2048"}, SQUARE, "max_bucket_reso 1024"),
        ({"bucket_no_upscale": True}, (60, 512), "60x512"),
    ],
)
def test_buckets_that_cannot_be_made_are_a_problem_of_the_plan(
    tmp_path: Path, values: dict[str, Any], size: tuple[int, int], named: str
) -> None:
    with pytest.raises(ProjectError) as caught:
        _plan(tmp_path, dataset(concept(1, size)), values)
    refusal(caught.value, ProjectError, "plan.buckets", named, "`resolution`")
    assert caught.value.exit_code == exit_code_of(caught.value.problems)


def test_a_plan_as_other_programs_read_it(tmp_path: Path) -> None:
    pictures = dataset(concept(2, SQUARE, WIDE), concept(1, SQUARE, is_reg=True, name="cat"))
    assert _plan(tmp_path, pictures, {"max_train_epochs": 1}).as_json() == {
        "train_images": 4,
        "reg_images": 1,
        "batches_per_epoch": 8,
        "steps_per_epoch": 8,
        "epochs": 1,
        "total_steps": 8,
        "processes": 1,
        "buckets": [{"width": 512, "height": 512, "images": 6}, {"width": 640, "height": 384, "images": 2}],
        "concepts": [
            {"folder": "2_ohwx cat", "images": 2, "repeats": 2, "is_reg": False},
            {"folder": "1_cat", "images": 1, "repeats": 1, "is_reg": True},
        ],
    }
