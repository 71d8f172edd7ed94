"""Which checkpoints are taken away again, against the trainer's rule carried out step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from loratpl.config.settings import Setting, Settings
from loratpl.plan.outputs import planned_files
from loratpl.plan.planner import make_plan
from tests.given import settings_of
from tests.plan.made import squares


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a training that keeps everything."""
    return settings_of(tmp_path_factory.mktemp("base"), {"output_name": "x", "max_train_steps": 100})


def _changed(base: Settings, **values: Any) -> Settings:
    return base.with_options({name: Setting(value, "test", name) for name, value in values.items()})


def _by_the_trainer(settings: Settings, steps: int, steps_per_epoch: int) -> dict[str, int]:
    """Returns the step at which each file goes, when the training is followed step by step.

    Of steps, the newest file goes that is more than `save_last_n_steps` old; of epochs, the one that was written
    `save_last_n_epochs` files ago. What is not there is not removed.
    """
    every_steps, every_epochs = settings["save_every_n_steps"], settings["save_every_n_epochs"]
    last_steps, last_epochs = settings["save_last_n_steps"], settings["save_last_n_epochs"]
    written: set[str] = set()
    removed: dict[str, int] = {}
    for step in range(1, steps + 1):
        old = set()
        if every_steps and step % every_steps == 0:
            written.add(f"x-step{step:08d}")
            if last_steps is not None:
                older = list(range(every_steps, step - last_steps, every_steps))
                old |= {f"x-step{number:08d}" for number in older[-1:]}
        epoch = step // steps_per_epoch
        is_end_of_epoch = step % steps_per_epoch == 0 and epoch * steps_per_epoch < steps
        if every_epochs and is_end_of_epoch and epoch % every_epochs == 0:
            written.add(f"x-{epoch:06d}")
            if last_epochs is not None:
                old.add(f"x-{epoch - every_epochs * last_epochs:06d}")
        for name in old & written:
            written.remove(name)
            removed[name] = step
    return removed


_EVERY = st.one_of(st.none(), st.integers(1, 30))
_LAST = st.one_of(st.none(), st.integers(0, 60))


@given_settings(deadline=None)
@given(steps=st.integers(1, 120), every_steps=_EVERY, last_steps=_LAST, every_epochs=_EVERY, last_epochs=_LAST)
def test_files_go_when_the_trainer_removes_them(
    base: Settings,
    steps: int,
    every_steps: int | None,
    last_steps: int | None,
    every_epochs: int | None,
    last_epochs: int | None,
) -> None:
    settings = _changed(
        base,
        max_train_steps=steps,
        save_every_n_steps=every_steps,
        save_last_n_steps=last_steps,
        save_every_n_epochs=every_epochs,
        save_last_n_epochs=last_epochs,
    )
    plan = make_plan(squares(10), settings)
    found = {file.path: file.removed_at for file in planned_files(settings, plan) if file.removed_at is not None}
    expected = _by_the_trainer(settings, steps, plan.steps_per_epoch)
    assert {path.stem: step for path, step in found.items()} == expected


def test_the_lora_itself_stays_whatever_it_is_called(tmp_path: Path) -> None:
    values = {
        "output_name": "x-step00000010",
        "max_train_steps": 10,
        "save_every_n_steps": 5,
        "save_last_n_steps": 0,
        "save_every_n_epochs": False,
    }
    settings = settings_of(tmp_path, values)
    plan = make_plan(squares(10), settings)
    found = {file.path: file.removed_at for file in planned_files(settings, plan) if file.removed_at is not None}
    assert {path.name: step for path, step in found.items()} == {"x-step00000010-step00000005.safetensors": 10}
