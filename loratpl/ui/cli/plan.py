"""`kohyatpl plan`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.plan.planner import TrainingPlan


def plan(
    project: Project = Path(),
    config: Config = None,
    set_: Set = None,
    processes: Annotated[int | None, typer.Option("--processes", min=1, help="As if on so many GPUs.")] = None,
) -> CommandResult:
    """Say exactly what will be trained: images, buckets, steps, files."""
    from loratpl.errors import error_from
    from loratpl.plan.outputs import planned_files
    from loratpl.project import open_project
    from loratpl.render.prepare import judge

    opened = open_project(project)
    judged = judge(opened, config, assignments(set_), processes=processes)
    if judged.plan is None:
        raise error_from(judged.problems)
    files = planned_files(judged.settings, judged.plan)
    data = {
        **judged.plan.as_json(),
        "checkpoints": [{"path": opened.relative(file.path), "step": file.step} for file in files],
    }
    # A plan can be made without a base model or a GPU; what is missing for a run is said all the same.
    warnings = tuple(replace(problem, severity="warning") for problem in judged.problems)
    lines = (*_lines(judged.plan), f"{len(files)} files, the last is {opened.relative(files[-1].path)}")
    return CommandResult("plan", data, lines, warnings)


def _lines(plan: TrainingPlan) -> Iterator[str]:
    width = max(len(concept.folder) for concept in plan.concepts)
    for concept in plan.concepts:
        kind = "regularisation" if concept.is_reg else "training"
        views = concept.images * concept.repeats
        yield f"{concept.folder:<{width}}  {concept.images} images x {concept.repeats} = {views} views  {kind}"
    buckets = ", ".join(f"{bucket.width}x{bucket.height}: {bucket.images}" for bucket in plan.buckets)
    yield f"buckets (views per epoch)  {buckets}"
    yield (
        f"{plan.batches_per_epoch} batches and {plan.steps_per_epoch} steps per epoch, {plan.epochs} epochs: "
        f"{plan.total_steps} steps"
    )
