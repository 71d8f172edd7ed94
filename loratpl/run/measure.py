"""Measures a training with a short real one, of which nothing is left: no output, no record, no cache, no upload."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from loratpl.config.block import NEVER, Running
from loratpl.config.setting import DEFAULT, Setting
from loratpl.config.settings import Settings
from loratpl.errors import Problem, RunError, StoppedError
from loratpl.plan.pace.estimate import TimeEstimate, estimate_time
from loratpl.plan.pace.facts import Pace
from loratpl.plan.pace.text import describe, duration
from loratpl.project import ProjectPaths, locked
from loratpl.records import EventReader, Memory, RunRecord
from loratpl.render.prepare import Prepared
from loratpl.run.beginning import RunOptions
from loratpl.run.pace import pace_of
from loratpl.run.runner import start_run
from loratpl.run.watch import Watcher
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import TrainerStatus

STEPS = 20
_NAME = "measure"
# What would leave something behind, tell somebody, or begin elsewhere than at the start. Their length is not theirs
# either: `max_train_steps` says it.
_LEFT_OUT = frozenset((
    "max_train_epochs",
    "save_every_n_steps", "save_every_n_epochs", "save_n_epoch_ratio", "save_last_n_steps", "save_last_n_epochs",
    "save_last_n_steps_state", "save_last_n_epochs_state", "save_state", "save_state_on_train_end",
    "save_state_to_huggingface", "huggingface_repo_id", "huggingface_repo_type", "huggingface_path_in_repo",
    "huggingface_repo_visibility", "async_upload",
    "sample_prompts", "sample_at_first", "sample_every_n_steps", "sample_every_n_epochs",
    "resume", "resume_from_huggingface", "initial_epoch", "initial_step", "skip_until_initial_step",
    "log_with", "log_config", "log_prefix", "log_tracker_name", "log_tracker_config", "wandb_run_name",
    "console_log_file",
    "validate_every_n_steps",
    "cache_info",  # a file beside the pictures
))  # fmt: skip
# Written beside the pictures; in memory they are as fast.
_CACHES = ("cache_latents", "cache_text_encoder_outputs")
# As steps they belong to the whole length.
_OF_LENGTH = ("lr_warmup_steps", "lr_decay_steps")
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a short run of a plan showed.

    Attributes:
        steps: How many were done.
        pace: Of those of them that count.
        memory: At its peak.
        whole: How long the whole plan will take.
        warnings: What was found of the LoRA that came out, which is no more than a beginning.
    """

    steps: int
    pace: Pace
    memory: Memory
    whole: TimeEstimate
    warnings: tuple[Problem, ...] = ()

    @property
    def steps_per_s(self) -> float:
        """How many steps are done in a second."""
        return 1 / self.pace.step_s

    @property
    def start_s(self) -> float:
        """Until the first step began: imports, models, caches."""
        return self.pace.load_s + self.pace.caching_s

    def as_json(self) -> dict[str, Any]:
        """Returns the measurement as other programs read it."""
        return {
            "steps": self.steps,
            "steps_per_s": round(self.steps_per_s, 4),
            "step_s": round(self.pace.median_step_s, 4),
            "low_step_s": round(self.pace.low_step_s, 4),
            "high_step_s": round(self.pace.high_step_s, 4),
            "start_s": round(self.start_s, 1),
            **self.memory.model_dump(),
            "whole": self.whole.as_json(),
        }

    def lines(self) -> tuple[str, ...]:
        """Returns the measurement for a person."""
        pace = self.pace
        spread = f"{pace.low_step_s:.3g} to {pace.high_step_s:.3g} s"
        rate = f"{pace.median_step_s:.3g} s a step ({spread}), {self.steps_per_s:.3g} steps/s"
        return (
            f"{self.steps} steps measured: {rate}; the first began after {duration(self.start_s)}",
            *_memory_lines(self.memory),
            f"the whole training: {describe(self.whole)}",
        )


def measure(
    prepared: Prepared, trainer: TrainerStatus, pin: Pin, watcher: Watcher, *, steps: int = STEPS
) -> Measurement:
    """Returns what a short real run of a plan shows; its pace is kept with those of the other runs.

    Args:
        prepared: A project without errors.
        trainer: Must be ready.
        pin: What the trainer was installed from.
        watcher: Is told what happens.
        steps: How many, where the plan has so many.

    Raises:
        BusyError: Another process works on the project.
        ProjectError: The project cannot be written to.
        RunError: The training failed, as the whole one would.
        StoppedError: It was asked to stop.
    """
    with locked(prepared.project), _scratch(prepared.project) as scratch:
        short = shortened(prepared, scratch, steps)
        record, warnings = _train(short, trainer, pin, watcher)
        pace = _pace_of_run(short, record.run_id)
    whole = estimate_time(prepared.settings, prepared.plan, [pace], pace.facts.device)
    if whole is None:
        raise RuntimeError("a run of the same settings tells nothing about them")
    validation = ("validation",) if prepared.plan.validation_images else ()
    whole = replace(whole, is_measured=True, left_out=(*whole.left_out, *validation))
    return Measurement(record.last_step, pace, record.memory or Memory(), whole, warnings)


@contextlib.contextmanager
def _scratch(project: ProjectPaths) -> Iterator[ProjectPaths]:
    """Gives an empty place laid out as a project is, and removes it with all that is in it."""
    folder = project.measure_dir
    shutil.rmtree(folder, ignore_errors=True)  # of a measuring that was killed
    try:
        yield ProjectPaths(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def shortened(prepared: Prepared, scratch: ProjectPaths, steps: int) -> Prepared:
    """Returns the same training, but of so many steps and with everything that it writes in `scratch`."""
    plan = prepared.plan
    done = min(steps, plan.total_steps)
    epochs = -(-done // plan.steps_per_epoch)
    options = _options(prepared.settings, scratch, done, plan.total_steps, epochs)
    block = prepared.settings.block.model_copy(update={"run": Running(save_state_every=NEVER)})
    settings = replace(prepared.settings, options=MappingProxyType(options), block=block)
    return replace(prepared, project=scratch, settings=settings, plan=replace(plan, total_steps=done, epochs=epochs))


def _options(settings: Settings, scratch: ProjectPaths, steps: int, total: int, epochs: int) -> dict[str, Setting]:
    changes: dict[str, Any] = {
        "max_train_steps": steps,
        "output_dir": str(scratch.output_dir),
        "output_name": _NAME,
        "logging_dir": str(scratch.log_dir),
    }
    if settings["validation_split"]:
        changes["validate_every_n_epochs"] = epochs + 1  # not in this run
    for name in _CACHES:
        if settings[f"{name}_to_disk"]:
            changes |= {name: True, f"{name}_to_disk": False}
    for name in _OF_LENGTH:
        if isinstance(settings[name], int):
            changes[name] = settings[name] * steps // total
    kept = {name: setting for name, setting in settings.options.items() if name not in _LEFT_OUT}
    return kept | {
        name: replace(kept[name], value=value) if name in kept else Setting(value, DEFAULT, name)
        for name, value in changes.items()
    }


def _train(
    short: Prepared, trainer: TrainerStatus, pin: Pin, watcher: Watcher
) -> tuple[RunRecord, tuple[Problem, ...]]:
    try:
        result = start_run(short, trainer, pin, watcher, RunOptions(name=_NAME, with_fingerprints=False))
    except StoppedError as error:
        raise _stopped(error) from error
    except RunError as error:
        record = RunRecord.model_validate(error.data)
        if record.last_step != short.plan.total_steps or record.returncode != 0:
            raise _failed(error) from error
        # All steps were done: that nothing can be said for the LoRA yet does not make the measurement worse.
        return record, tuple(replace(problem, where="", severity="warning") for problem in error.problems)
    return result.record, result.warnings


def _stopped(error: StoppedError) -> StoppedError:
    step = error.data.get("last_step", 0)
    message = f"The measuring was stopped after step {step}; nothing of it is left."
    return StoppedError(error.stop_code - 128, Problem("run.stopped", message))


def _failed(error: RunError) -> RunError:
    fix = "`kohyatpl run` would fail in the same way; it keeps the trainer's whole log."
    return RunError(*(replace(problem, where="", fix=fix) for problem in error.problems))


def _pace_of_run(short: Prepared, run_id: str) -> Pace:
    events = EventReader(short.project.run(run_id).events_path).new()
    pace = pace_of(short.settings, short.plan, events, min_steps=1)
    if pace is None:
        raise RunError(
            Problem(
                "run.measure",
                "The short run told the time of no step: the machine's clock was put back, or the disk is full.",
                fix="Measure again.",
            )
        )
    return pace


def _memory_lines(memory: Memory) -> Iterator[str]:
    if memory.gpu_peak_bytes is not None:
        reserved = "" if memory.gpu_reserved_bytes is None else f", {memory.gpu_reserved_bytes / _GIB:.1f} GiB reserved"
        yield f"GPU memory at its peak: {memory.gpu_peak_bytes / _GIB:.1f} GiB{reserved}"
    if memory.process_peak_bytes is not None:
        yield f"memory of the trainer at its peak: {memory.process_peak_bytes / _GIB:.1f} GiB"
