"""Which weights files a training will write.

The names are the trainer's (sd-scripts 48d368fa, `library/train_util.py`: `get_epoch_ckpt_name`,
`get_step_ckpt_name`, `get_last_ckpt_name`); the last epoch is saved under the last name alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.plan.planner import TrainingPlan


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One weights file and the step after which it is written."""

    path: Path
    step: int


def planned_files(settings: Settings, plan: TrainingPlan) -> tuple[PlannedFile, ...]:
    """Returns every weights file of the training in the order of writing; the last is the finished LoRA."""
    folder, name = settings.path("output_dir"), settings["output_name"]
    suffix = settings["save_model_as"]
    files = []
    every_steps = settings["save_every_n_steps"]
    if every_steps:
        steps = range(every_steps, plan.total_steps + 1, every_steps)
        files += [PlannedFile(folder / f"{name}-step{step:08d}.{suffix}", step) for step in steps]
    every_epochs = _epochs_between(settings, plan)
    if every_epochs:
        epochs = range(every_epochs, plan.epochs, every_epochs)
        files += [
            PlannedFile(folder / f"{name}-{epoch:06d}.{suffix}", epoch * plan.steps_per_epoch) for epoch in epochs
        ]
    files.sort(key=lambda file: file.step)
    return (*files, PlannedFile(folder / f"{name}.{suffix}", plan.total_steps))


def _epochs_between(settings: Settings, plan: TrainingPlan) -> int | None:
    ratio = settings["save_n_epoch_ratio"]
    if ratio and ratio > 0:
        return plan.epochs // int(ratio) or 1
    every: int | None = settings["save_every_n_epochs"]
    return every
