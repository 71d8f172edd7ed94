"""Twenty short trainings that differ in what a plan depends on, each with its folders and its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl.config.settings import Settings
from loratpl.plan.planner import TrainingPlan
from loratpl.project import ProjectPaths, RunPaths
from loratpl.render.prepare import judge
from loratpl.render.renderer import RenderedRun, render, write
from loratpl.selfcheck import draw_pictures, tiny_config
from loratpl.trainer.paths import TrainerPaths
from tests.trainer.conftest import ONE_THREAD_BLOCK


@dataclass(frozen=True)
class Training:
    """What is trained.

    Attributes:
        name: Says what is special about it.
        settings: Of the trainer.
        block: What stands under `kohyatpl`.
        folders: Pictures in each folder of image_dir.
        reg: The same of reg_dir.
        processes: More than one go through accelerate's launcher.
    """

    name: str
    settings: Mapping[str, Any]
    block: Mapping[str, Any] = field(default_factory=dict)
    folders: Mapping[str, int] = field(default_factory=lambda: {"2_ohwx cat": 2, "1_zwx dog": 3})
    reg: Mapping[str, int] = field(default_factory=dict)
    processes: int = 1


@dataclass(frozen=True)
class PlannedTraining:
    """A training, ready to start."""

    training: Training
    settings: Settings
    plan: TrainingPlan
    rendered: RenderedRun
    paths: RunPaths


# The smallest pictures that the U-Net can halve as often as it does: a step takes a tenth of a second.
_SMALL = {"resolution": "64,64", "min_bucket_reso": 64, "max_bucket_reso": 256, "network_train_unet_only": True}
_TWO_SIZES = {"datasets": [{"resolution": "64,64", "train_batch_size": 2}, {"resolution": "64,128"}]}
_OWN_BATCH = {"concepts": {"zwx dog": {"train_batch_size": 2, "flip_aug": True}}}

TRAININGS = (
    Training("one batch a step", {"max_train_epochs": 2}),
    Training("batches of two", {"max_train_epochs": 3, "train_batch_size": 2, "save_every_n_epochs": 2}),
    Training(
        "accumulation that does not come out even",
        {"max_train_epochs": 2, "gradient_accumulation_steps": 3, "save_every_n_epochs": 1},
    ),
    Training(
        "regularisation and a last epoch cut short",
        {"max_train_steps": 9, "train_batch_size": 3, "gradient_accumulation_steps": 2, "save_every_n_epochs": 1},
        reg={"1_cat": 2, "3_dog": 1},
    ),
    Training("more regularisation than is used", {"max_train_steps": 7, "train_batch_size": 4}, reg={"9_cat": 3}),
    Training("files by steps", {"max_train_steps": 10, "save_every_n_steps": 3}),
    Training(
        "files by steps, the last ones kept",
        {"max_train_steps": 11, "save_every_n_steps": 2, "save_last_n_steps": 4},
    ),
    Training(
        "files by epochs, the last ones kept",
        {"max_train_epochs": 5, "save_every_n_epochs": 1, "save_last_n_epochs": 2},
    ),
    Training("a share of epochs", {"max_train_epochs": 7, "save_n_epoch_ratio": 3, "train_batch_size": 4}),
    Training(
        "a share of epochs, the last one kept",
        {"max_train_epochs": 7, "save_n_epoch_ratio": 3, "save_last_n_epochs": 1, "train_batch_size": 4},
    ),
    Training(
        "files by steps and epochs, with states",
        {
            "max_train_steps": 8, "save_every_n_steps": 3, "save_every_n_epochs": 1, "save_state": True,
            "train_batch_size": 3,
        },
    ),
    Training(
        "states by epochs, fewer kept than files",
        {
            "max_train_epochs": 4, "save_every_n_epochs": 1, "save_last_n_epochs": 3, "save_last_n_epochs_state": 1,
            "save_state": True, "train_batch_size": 3,
        },
    ),
    Training(
        "states by steps, fewer kept than files",
        {
            "max_train_steps": 9, "save_every_n_steps": 2, "save_last_n_steps": 5, "save_last_n_steps_state": 2,
            "save_state": True,
        },
    ),
    Training(
        "a state at the end alone",
        {"max_train_steps": 3, "save_state_on_train_end": True, "save_every_n_epochs": 1},
    ),
    Training("several datasets", {"max_train_epochs": 2, "save_every_n_epochs": 1}, _TWO_SIZES, reg={"2_cat": 2}),
    Training(
        "several datasets with a validation",
        {"max_train_steps": 6, "validation_split": 0.4, "validation_seed": 3, "save_every_n_epochs": 1},
        _TWO_SIZES,
    ),
    Training(
        "a concept with a batch size of its own, and a validation",
        {"max_train_epochs": 2, "validation_split": 0.25, "validation_seed": 1, "save_every_n_epochs": 1},
        _OWN_BATCH,
        folders={"1_ohwx cat": 5, "2_zwx dog": 4},
        reg={"1_dog": 2, "1_cat": 1},
    ),
    Training(
        "an epoch's end that is a step's file",
        {"max_train_epochs": 2, "save_every_n_steps": 7, "save_every_n_epochs": 1},
    ),
    Training(
        "two processes that share uneven batches",
        {"max_train_epochs": 2, "train_batch_size": 2, "save_every_n_epochs": 1, "gradient_accumulation_steps": 2},
        folders={"2_ohwx cat": 5, "1_zwx dog": 3},
        processes=2,
    ),
    Training(
        "two processes, a last epoch cut short, files and states by steps",
        {"max_train_steps": 5, "save_every_n_steps": 2, "save_last_n_steps": 2, "save_state": True},
        reg={"1_cat": 2},
        processes=2,
    ),
)  # fmt: skip


def planned(training: Training, folder: Path, model: Mapping[str, Any], trainer: TrainerPaths) -> PlannedTraining:
    """Returns a training with its project in `folder`, planned and rendered as the product does it."""
    project = ProjectPaths(folder)
    for parent, folders in ((project.image_dir, training.folders), (project.reg_dir, training.reg)):
        for number, (name, pictures) in enumerate(folders.items()):
            (parent / name).mkdir(parents=True)
            draw_pictures(parent / name, pictures, first_number=10 * number)
    launch = {**ONE_THREAD_BLOCK["launch"], "processes": training.processes}
    config = {**tiny_config(dict(model)), "max_train_steps": None, "mixed_precision": "no", "output_name": "lora"}
    config |= {**_SMALL, **training.settings, "kohyatpl": {**training.block, "launch": launch}}
    project.config_path.write_text(json.dumps(config), encoding="utf-8")
    judged = judge(project, gpu_count=lambda: None, packages=lambda: None)
    errors = [problem for problem in judged.problems if problem.severity == "error"]
    assert judged.plan is not None, errors
    assert not errors
    paths = RunPaths(project.log_dir / "run")
    rendered = render(judged.settings, judged.plan, trainer, paths)
    write(rendered, judged.settings, paths)
    return PlannedTraining(training, judged.settings, judged.plan, rendered, paths)
