"""Which weights files and training states a training will write, and which of them it removes again.

The names are the trainer's (sd-scripts 48d368fa, `library/train_util.py`: `get_epoch_ckpt_name`,
`get_step_ckpt_name`, `get_last_ckpt_name` and those of the states); the last epoch is saved under the last name alone.
The rules of removal are `get_remove_epoch_no`, `get_remove_step_no` and those in `save_and_remove_state_…`: each
saving removes one file, the one whose number the rule gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from loratpl.config.settings import Settings
from loratpl.plan.planner import TrainingPlan


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One weights file.

    Attributes:
        path: Its path.
        step: After which it is written.
        removed_at: The step after which it is removed again, None where it stays.
    """

    path: Path
    step: int
    removed_at: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedState:
    """One training state to resume from, a folder; as `PlannedFile`."""

    path: Path
    step: int
    removed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is written or removed.

    Attributes:
        output: The weights file or the state.
        is_removal: Whether it is removed.
    """

    output: PlannedFile | PlannedState
    is_removal: bool = False


Output = TypeVar("Output", PlannedFile, PlannedState)
# A saving: its number in the name, of a step or an epoch, and the step after which it happens.
Saving = tuple[int, int]


def planned_files(settings: Settings, plan: TrainingPlan) -> tuple[PlannedFile, ...]:
    """Returns every weights file of the training in the order of writing; the last is the finished LoRA."""
    folder, name, suffix = settings.path("output_dir"), settings["output_name"], settings["save_model_as"]
    every_steps, every_epochs = settings["save_every_n_steps"] or 0, epochs_between(settings, plan) or 0
    by_step = [
        PlannedFile(folder / f"{name}-step{number:08d}.{suffix}", step)
        for number, step in _step_savings(every_steps, plan)
    ]
    by_epoch = [
        PlannedFile(folder / f"{name}-{number:06d}.{suffix}", step)
        for number, step in _epoch_savings(every_epochs, plan)
    ]
    files = [
        *_removed_by_step(by_step, _step_savings(every_steps, plan), settings["save_last_n_steps"], every_steps),
        *_removed_by_epoch(by_epoch, _epoch_savings(every_epochs, plan), settings["save_last_n_epochs"], every_epochs),
    ]
    files.sort(key=lambda file: file.step)
    return (*files, PlannedFile(folder / f"{name}.{suffix}", plan.total_steps))


def planned_states(settings: Settings, plan: TrainingPlan) -> tuple[PlannedState, ...]:
    """Returns every state that the trainer writes by itself, in the order of writing.

    `save_state_to_huggingface` writes none: it sends away those that are written.
    """
    folder, name = settings.path("output_dir"), settings["output_name"]
    states: list[PlannedState] = []
    if settings["save_state"]:
        every_steps, every_epochs = settings["save_every_n_steps"] or 0, epochs_between(settings, plan) or 0
        by_step = [
            PlannedState(folder / f"{name}-step{number:08d}-state", step)
            for number, step in _step_savings(every_steps, plan)
        ]
        by_epoch = [
            PlannedState(folder / f"{name}-{number:06d}-state", step)
            for number, step in _epoch_savings(every_epochs, plan)
        ]
        # The trainer takes a 0 of these for unset.
        last_steps = settings["save_last_n_steps_state"] or settings["save_last_n_steps"]
        last_epochs = settings["save_last_n_epochs_state"] or settings["save_last_n_epochs"]
        states += _removed_by_step(by_step, _step_savings(every_steps, plan), last_steps, every_steps)
        states += _removed_by_epoch(by_epoch, _epoch_savings(every_epochs, plan), last_epochs, every_epochs)
        states.sort(key=lambda state: state.step)
    if settings["save_state"] or settings["save_state_on_train_end"]:
        states.append(PlannedState(folder / f"{name}-state", plan.total_steps))
    return tuple(states)


def changes(files: Sequence[PlannedFile], states: Sequence[PlannedState]) -> Iterator[Change]:
    """Yields what is written and removed in its order: at each saving all is written before anything is removed."""
    outputs: tuple[PlannedFile | PlannedState, ...] = (*files, *states)
    at = {output.step for output in outputs} | {output.removed_at for output in outputs if output.removed_at}
    for step in sorted(at):
        yield from (Change(output) for output in outputs if output.step == step)
        yield from (Change(output, is_removal=True) for output in outputs if output.removed_at == step)


def epochs_between(settings: Settings, plan: TrainingPlan) -> int | None:
    """Returns after how many epochs each the trainer saves, None for never."""
    ratio = settings["save_n_epoch_ratio"]
    if ratio and ratio > 0:
        return plan.epochs // int(ratio) or 1
    every: int | None = settings["save_every_n_epochs"]
    return every


def _step_savings(every: int, plan: TrainingPlan) -> list[Saving]:
    return [(step, step) for step in range(every, plan.total_steps + 1, every)] if every else []


def _epoch_savings(every: int, plan: TrainingPlan) -> list[Saving]:
    return [(epoch, epoch * plan.steps_per_epoch) for epoch in range(every, plan.epochs, every)] if every else []


def _removed_by_step(
    outputs: Sequence[Output], savings: Sequence[Saving], last: int | None, every: int
) -> Iterator[Output]:
    """Yields the outputs of steps, each with the step at which it is removed.

    12 steps, saved every 2, the last 4 kept: 8, 10 and 12 remain.
    """
    removed: dict[int, int] = {}
    if last is not None:
        for number, step in savings:
            before = number - last - 1
            removed.setdefault(before - before % every, step)
    for output, (number, _) in zip(outputs, savings, strict=True):
        yield replace(output, removed_at=removed.get(number))


def _removed_by_epoch(
    outputs: Sequence[Output], savings: Sequence[Saving], last: int | None, every: int
) -> Iterator[Output]:
    """Yields the outputs of epochs, each with the step at which it is removed.

    6 epochs, saved at each, the last 2 kept: 4, 5 and the finished LoRA remain.
    """
    removed = {} if last is None else {number - every * last: step for number, step in savings}
    for output, (number, _) in zip(outputs, savings, strict=True):
        yield replace(output, removed_at=removed.get(number))
