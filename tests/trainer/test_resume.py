"""The real trainer, stopped and gone on with, against the same training that was never stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.trainer.conftest import RealTrainer
from tests.trainer.resumed_trainings import Case, Trained, Trainings, greatest_difference

Wholes = Callable[[Case], Trained]
BROKEN = 76
# Twenty-three steps in three epochs of ten batches: pictures read and flipped, captions shuffled, as the steps go.
PLAIN = Case("plain", {"flip_aug": True, "save_every_n_steps": 6}, steps=23)
CASES_WITH_STOPS = [
    # An epoch's middle, its end, and a place that is gone on from for the second time.
    (PLAIN, (4, 10, 17)),
    # Four steps in an epoch of ten batches, the last of a single one.
    (Case("accumulation", {"gradient_accumulation_steps": 3, "save_every_n_steps": 2}, steps=10), (2, 4, 7)),
    (Case("workers", {"max_data_loader_n_workers": 2, "caption_dropout_rate": 0.3}, steps=15), (4, 12)),
    (
        Case(
            "persistent",
            {"max_data_loader_n_workers": 2, "persistent_data_loader_workers": True, "caption_dropout_rate": 0.3},
            steps=25,
        ),
        (12, 22),
    ),
    # A schedule-free optimiser swaps the weights for each look at them; validation borrows the random numbers.
    (
        Case(
            "schedule-free",
            {
                "optimizer_type": "AdamWScheduleFree",
                "lr_scheduler": "constant",
                "validation_split": 0.3,
                "validate_every_n_steps": 4,
                "max_validation_steps": 1,
                "cache_latents": True,
            },
            steps=10,
        ),
        (3, 7),
    ),
]


@pytest.fixture(scope="module")
def trainings(real_trainer: RealTrainer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainings]:
    with Trainings(real_trainer.status, real_trainer.model, tmp_path_factory.mktemp("trainings")) as made:
        yield made


@pytest.fixture(scope="module")
def wholes(trainings: Trainings) -> Wholes:
    """The trainings that are never stopped, each of them done once."""
    done: dict[str, Trained] = {}

    def whole(case: Case) -> Trained:
        if case.name not in done:
            done[case.name] = trainings.train(case)
        return done[case.name]

    return whole


def assert_same(parted: Trained, whole: Trained) -> None:
    assert (parted.returncode, whole.returncode) == (0, 0), parted.stderr[-2000:]
    assert parted.losses == whole.losses
    assert parted.epochs == whole.epochs
    assert parted.files == whole.files
    for name in whole.files:
        assert greatest_difference(parted.output_dir / name, whole.output_dir / name) == 0.0, name


@pytest.mark.usefixtures("real_trainer")
@pytest.mark.parametrize(("case", "stops"), CASES_WITH_STOPS, ids=[case.name for case, _ in CASES_WITH_STOPS])
def test_a_training_that_was_stopped_is_the_same_training(
    trainings: Trainings, wholes: Wholes, case: Case, stops: tuple[int, ...]
) -> None:
    whole = wholes(case)
    parted = trainings.train(case, stops=stops)
    assert_same(parted, whole)
    assert whole.files["lora.safetensors"][0] == str(case.steps)
    told = parted.events("state")
    assert len(told) == len(stops)
    assert [event["error"] for event in told] == [None] * len(stops)


@pytest.mark.usefixtures("real_trainer")
def test_a_picture_that_is_gone_for_a_while_costs_nothing(trainings: Trainings, wholes: Wholes) -> None:
    aside = trainings.pictures_dir.with_name("aside")

    def take_pictures_away(_run_dir: Path, step: int) -> None:
        if step == 6:
            trainings.pictures_dir.rename(aside)

    parted = trainings.train(PLAIN, at_step=take_pictures_away)
    aside.rename(trainings.pictures_dir)
    assert parted.returncode == 1
    (lost,) = parted.events("data_lost")
    assert "FileNotFoundError" in lost["error"]
    assert lost["step"] == parted.losses[-1][0]
    assert lost["state_dir"] == str(parted.state_dir)
    assert_same(trainings.train(PLAIN, after=parted), wholes(PLAIN))


@pytest.mark.usefixtures("real_trainer")
def test_a_training_that_breaks_keeps_the_state_of_before(trainings: Trainings) -> None:
    case = Case("broken", {"learning_rate": 1e30, "lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 100})
    broken = trainings.train(case, entry_options=("--save-state-every-s", "0"))
    assert broken.returncode == BROKEN, broken.stderr[-2000:]
    (told,) = broken.events("broken")
    assert told["value"] in {"nan", "inf", "-inf"}
    good = [event for event in broken.events("state") if event["error"] is None]
    assert told["state_dir"] == (good[-1]["state_dir"] if good else None)
    assert not (broken.output_dir / "lora.safetensors").exists()
    shutil.rmtree(broken.output_dir, ignore_errors=True)
