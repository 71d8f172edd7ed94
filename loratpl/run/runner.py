"""One run from beginning to end: locked, recorded, launched, watched, stopped well, proven."""

from __future__ import annotations

from dataclasses import dataclass

from loratpl.errors import Problem
from loratpl.plan.outputs import planned_files
from loratpl.project import RunPaths, locked
from loratpl.records import RunRecord
from loratpl.render.prepare import Prepared
from loratpl.render.renderer import render, write
from loratpl.run.beginning import RunOptions, first_record, new_run_dir, refuse_overwriting, unwritable
from loratpl.run.live import LiveRun
from loratpl.run.samples import keep_prompts
from loratpl.run.watch import Watcher
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import TrainerStatus


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that ended as planned."""

    record: RunRecord
    paths: RunPaths
    warnings: tuple[Problem, ...]


def start_run(
    prepared: Prepared, trainer: TrainerStatus, pin: Pin, watcher: Watcher, options: RunOptions | None = None
) -> RunResult:
    """Returns the run once the LoRA has been trained as planned and proven.

    Args:
        prepared: A project without errors.
        trainer: Must be ready.
        pin: What the trainer was installed from.
        watcher: Is told what happens.
        options: How it was asked for.

    Raises:
        BusyError: Another process works on the project.
        ProjectError: An output exists already, or the project cannot be written to.
        RunError: The training failed, or what came out is not what was planned.
        StoppedError: It was asked to stop.
    """
    options = options or RunOptions()
    with locked(prepared.project) as lock:
        planned = planned_files(prepared.settings, prepared.plan)
        refuse_overwriting(prepared.project, planned, options)
        paths = new_run_dir(prepared.project, options.name or prepared.settings["output_name"])
        go_on_from = options.resumption.state_dir if options.resumption else None
        try:
            rendered = render(prepared.settings, prepared.plan, trainer.paths, paths, go_on_from)
            planned[-1].path.parent.mkdir(parents=True, exist_ok=True)
            write(rendered, prepared.settings, paths)
            keep_prompts(prepared.settings, prepared.plan, paths)
        except OSError as error:
            raise unwritable(error) from error
        record = first_record(prepared, trainer, pin, rendered, paths, options)
        run = LiveRun(prepared, trainer, rendered, planned, paths, record, watcher, options, lock)
        record, warnings = run.to_the_end()
        return RunResult(record, paths, warnings)
