"""What exactly a run will be, against examples that the trainer itself was run with."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.dataset.latent_caches import FoundCache
from loratpl.dataset.scan import Concept, Dataset, Picture
from loratpl.errors import ConfigError, ProjectError, exit_code_of
from loratpl.plan.buckets import Size
from loratpl.plan.planner import Bucket, PlannedConcept, TrainingPlan, make_plan
from loratpl.plan.preconditions import parse_resolution
from loratpl.plan.steps import schedule
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
    assert plan.concepts == (PlannedConcept("2_ohwx cat", 5, 2, False, 10), PlannedConcept("1_cat", 2, 1, True, 10))


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
    assert plan.datasets[0].rules.resolution == expected
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
    buckets = [{"width": 512, "height": 512, "images": 6}, {"width": 640, "height": 384, "images": 2}]
    assert _plan(tmp_path, pictures, {"max_train_epochs": 1}).as_json() == {
        "train_images": 4,
        "reg_images": 1,
        "validation_images": 0,
        "batches_per_epoch": 8,
        "steps_per_epoch": 8,
        "epochs": 1,
        "total_steps": 8,
        "processes": 1,
        "gradient_accumulation_steps": 1,
        "buckets": buckets,
        "concepts": [
            {"folder": "2_ohwx cat", "images": 2, "repeats": 2, "is_reg": False, "views": 4},
            {"folder": "1_cat", "images": 1, "repeats": 1, "is_reg": True, "views": 4},
        ],
        "datasets": [
            {
                "resolution": [512, 512],
                "batch_size": 1,
                "train_images": 4,
                "reg_images": 1,
                "validation_images": 0,
                "batches_per_epoch": 8,
                "concepts": ["2_ohwx cat", "1_cat"],
                "buckets": buckets,
            }
        ],
    }


# --- laws -------------------------------------------------------------------------------------------------------------

_SIZES = st.lists(st.tuples(st.integers(64, 2000), st.integers(64, 2000)), min_size=1, max_size=12)
_FOLDERS = st.lists(st.tuples(st.integers(1, 4), _SIZES, st.booleans()), min_size=1, max_size=4)


def _made(folders: list[tuple[int, list[Size], bool]]) -> Dataset:
    """Returns a dataset of these folders, the first of them for training."""
    concepts = [
        concept(repeats, *sizes, is_reg=is_reg and number > 0, name=f"c{number} cat")
        for number, (repeats, sizes, is_reg) in enumerate(folders)
    ]
    return dataset(*sorted(concepts, key=lambda item: item.is_reg))


@given(folders=_FOLDERS, batch=st.integers(1, 5))
def test_the_views_of_all_buckets_are_those_of_all_concepts(
    tmp_path_factory: pytest.TempPathFactory, folders: list[tuple[int, list[Size], bool]], batch: int
) -> None:
    plan = make_plan(_made(folders), settings_of(tmp_path_factory.mktemp("law"), {"train_batch_size": batch}))
    views = [view for one in plan.datasets for view in one.views()]
    assert sum(bucket.images for bucket in plan.buckets) == sum(item.views for item in plan.concepts)
    assert sum(view.views for view in views) == sum(bucket.images for bucket in plan.buckets)
    counted: Counter[Size] = Counter()
    for view in views:
        counted[view.placement.bucket] += view.views
    assert plan.buckets == tuple(Bucket(*size, count) for size, count in sorted(counted.items()))
    assert sum(item.views for item in plan.concepts if not item.is_reg) == plan.train_images
    if plan.reg_images:
        assert sum(item.views for item in plan.concepts if item.is_reg) >= plan.train_images
    assert plan.batches_per_epoch == sum(-(-bucket.images // batch) for bucket in plan.buckets)


@given(folders=_FOLDERS, batch=st.integers(1, 5), size=st.tuples(st.integers(64, 2000), st.integers(64, 2000)))
def test_one_more_picture_is_never_fewer_batches(
    tmp_path_factory: pytest.TempPathFactory, folders: list[tuple[int, list[Size], bool]], batch: int, size: Size
) -> None:
    settings = settings_of(tmp_path_factory.mktemp("law"), {"train_batch_size": batch})
    training = [folder for folder in folders if not folder[2]] or [(1, [SQUARE], False)]
    more = [(training[0][0], [*training[0][1], size], False), *training[1:]]
    fewer_batches = make_plan(_made(training), settings).batches_per_epoch
    assert make_plan(_made(more), settings).batches_per_epoch >= fewer_batches


@given(
    batches=st.integers(1, 60), processes=st.integers(1, 6), accumulation=st.integers(1, 6), epochs=st.integers(1, 5)
)
def test_processes_and_accumulation_share_out_the_batches(
    batches: int, processes: int, accumulation: int, epochs: int
) -> None:
    length = schedule(batches, processes=processes, accumulation=accumulation, max_epochs=epochs, max_steps=None)
    shared = schedule(batches, processes=processes * accumulation, accumulation=1, max_epochs=epochs, max_steps=None)
    assert length == shared  # rounding up twice is rounding up once
    assert length.epochs == epochs
    assert length.steps_per_epoch * processes * accumulation >= batches
    assert (length.steps_per_epoch - 1) * processes * accumulation < batches


# --- several datasets -------------------------------------------------------------------------------------------------


def test_every_picture_is_trained_in_each_of_the_datasets(tmp_path: Path) -> None:
    block = {"datasets": [{"resolution": "512", "train_batch_size": 2}, {"resolution": "768"}]}
    pictures = dataset(concept(3, SQUARE, WIDE), concept(1, SQUARE, is_reg=True, name="cat"))
    plan = _plan(tmp_path, pictures, {"kohyatpl": block})
    small, large = plan.datasets
    assert (small.rules.resolution, large.rules.resolution) == ((512, 512), (768, 768))
    assert (small.batch_size, large.batch_size) == (2, 1)
    assert (small.train_images, large.train_images, plan.train_images) == (6, 6, 12)
    assert (small.reg_images, large.reg_images, plan.reg_images) == (1, 1, 2)
    assert (small.batches_per_epoch, large.batches_per_epoch) == (5 + 2, 12)
    assert plan.batches_per_epoch == 19
    assert plan.concepts[0].views == 12


def test_a_concept_with_a_resolution_of_its_own_is_in_a_dataset_of_its_own(tmp_path: Path) -> None:
    pictures = dataset(
        concept(1, SQUARE, name="ohwx cat"),
        concept(2, SQUARE, name="sks dog"),
        concept(1, SQUARE, is_reg=True, name="cat"),
        concept(1, SQUARE, is_reg=True, name="dog"),
        concept(1, SQUARE, is_reg=True, name="nobody"),
    )
    block = {"concepts": {"sks dog": {"resolution": "768", "flip_aug": True}}}
    plan = _plan(tmp_path, pictures, {"kohyatpl": block, "resolution": "512"})
    cats, dogs = plan.datasets
    names = [[subset.concept.folder.name for subset in one.spec.subsets] for one in plan.datasets]
    assert names == [["1_ohwx cat", "1_cat", "1_nobody"], ["2_sks dog", "1_dog", "1_nobody"]]
    assert (cats.rules.resolution, dogs.rules.resolution) == ((512, 512), (768, 768))
    assert [subset.settings["flip_aug"] for subset in dogs.spec.subsets] == [True, None, None]


def test_options_of_its_own_make_one_dataset_of_two(tmp_path: Path) -> None:
    pictures = dataset(concept(1, SQUARE, name="a cat"), concept(1, SQUARE, name="b cat"))
    block = {
        "datasets": [{"resolution": "512"}, {"resolution": "640"}],
        "concepts": {"a cat": {"resolution": "768"}, "1_a cat": {"resolution": "1024"}},
    }
    plan = _plan(tmp_path, pictures, {"kohyatpl": block})
    assert [one.rules.resolution[0] for one in plan.datasets] == [1024, 512, 640]  # the folder's whole name wins
    assert [item.views for item in plan.concepts] == [1, 2]


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"datasets": [{}, {"train_batch_size": 0}]}, "kohyatpl.datasets[1].train_batch_size"),
        ({"concepts": {"ohwx cat": {"train_batch_size": 0}}}, "kohyatpl.concepts.ohwx cat.train_batch_size"),
    ],
)
def test_what_one_dataset_cannot_have_is_named_with_its_place(
    tmp_path: Path, block: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        _plan(tmp_path, squares(1), {"kohyatpl": block})
    refusal(caught.value, ConfigError, "config.value", named, "0 is too few")


def test_a_resolution_that_one_dataset_cannot_have_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _plan(tmp_path, squares(1), {"kohyatpl": {"datasets": [{"resolution": "big"}]}})
    refusal(caught.value, ConfigError, "config.value", "kohyatpl.datasets[0].resolution", "'big'")


# --- latent caches ----------------------------------------------------------------------------------------------------


def test_the_size_in_a_cache_name_wins_over_the_picture(tmp_path: Path) -> None:
    picture = Picture(tmp_path / "1.png", *SQUARE, cache=FoundCache(tmp_path / "1_0768x0512_sd.npz", WIDE))
    cached = Concept(tmp_path / "1_a", 1, "a", is_reg=False, pictures=(picture,))
    assert _plan(tmp_path, dataset(cached)).buckets == (Bucket(640, 384, 1),)
