"""`kohyatpl run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loratpl.project import ProjectPaths


def run(
    context: typer.Context,
    project: Project = Path(),
    config: Config = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Ends the run's id.", show_default="the output's name")
    ] = None,
    set_: Set = None,
) -> CommandResult:
    """Train: plan, render, launch, watch, and prove what came out."""
    from dataclasses import replace

    from loratpl.project import open_project
    from loratpl.ui.cli.recovery import settle, telling

    paths = open_project(project)
    recovered = settle(paths)
    with telling(recovered):
        result = _train(context, paths, config, name, set_)
    return replace(result, problems=(*recovered, *result.problems))


def _train(
    context: typer.Context, paths: ProjectPaths, config: Path | None, name: str | None, set_: Sequence[str] | None
) -> CommandResult:
    from loratpl.errors import TrainerError
    from loratpl.render.prepare import prepare
    from loratpl.run.runner import start_run
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status
    from loratpl.ui.console import Looking, run_watcher, say

    output = context.obj
    with Looking("looking at pictures", is_silent=output.as_json or output.quiet) as progress:
        prepared = prepare(paths, config, assignments(set_), progress=progress)
    pin = load_pin()
    trainer = status(pin, ask_interpreter=False)
    if not trainer.is_ready:
        raise TrainerError(*trainer.problems())
    plan = prepared.plan
    if not (output.as_json or output.quiet):
        say(f"{plan.total_steps} steps in {plan.epochs} epochs, {plan.batches_per_epoch} batches each")
    with run_watcher(as_json=output.as_json, quiet=output.quiet) as watcher:
        result = start_run(prepared, trainer, pin, watcher, name=name)
    final = result.record.outputs[-1] if result.record.outputs else None
    lines = [
        f"Trained {result.record.last_step} steps as planned.",
        *(
            [f"  LoRA    {final.path}", f"  proven  {final.trained} of {final.trainable} layers changed, no NaN"]
            if final
            else []
        ),
        f"  record  {result.paths.run_dir}",
    ]
    return CommandResult("run", result.record.model_dump(), lines, (*prepared.warnings, *result.warnings))
