"""`kohyatpl render`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult


def render(
    project: Project = Path(),
    config: Config = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the files go.", show_default=".kohyatpl/render in the project")
    ] = None,
    set_: Set = None,
) -> CommandResult:
    """Write the trainer's files and command, without running it."""
    from dataclasses import replace

    from loratpl.errors import Problem, ProjectError
    from loratpl.project import RunPaths, make_hidden_dir, open_project
    from loratpl.render import renderer
    from loratpl.render.prepare import Depth, prepare
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status

    prepared = prepare(open_project(project), config, assignments(set_), depth=Depth.PLAN)
    trainer = status(load_pin())
    paths = RunPaths((out or prepared.project.render_dir).resolve())
    rendered = renderer.render(prepared.settings, prepared.plan, trainer.paths, paths)
    try:
        if out is None:
            make_hidden_dir(prepared.project)
        renderer.write(rendered, prepared.settings, paths)
    except OSError as error:
        raise ProjectError(
            Problem(
                "project.write",
                f"{paths.run_dir} cannot be written: {error.strerror or error}.",
                str(paths.run_dir),
                "Name another folder with `--out`.",
            )
        ) from error
    warnings = tuple(replace(problem, severity="warning") for problem in trainer.problems())
    plan = prepared.plan
    summary = (
        f"{plan.total_steps} steps in {plan.epochs} epochs: {plan.train_images} views of training images and "
        f"{plan.reg_images} of regularisation images per epoch, {plan.batches_per_epoch} batches."
    )
    return CommandResult(
        "render",
        {**rendered.as_json(), "out": str(paths.run_dir)},
        (
            summary,
            f"Written to {paths.run_dir}:",
            *(f"  {path.name}" for path in (paths.train_toml_path, paths.dataset_toml_path, paths.command_path)),
            *_said_of_itself(rendered.filled_in),
        ),
        (*prepared.warnings, *warnings),
    )


def _said_of_itself(filled_in: Mapping[str, str]) -> Iterator[str]:
    if filled_in:
        yield "The LoRA will say of itself:"
    for name, text in filled_in.items():
        yield f"  {name.removeprefix('metadata_').replace('_', ' ')}: {text}"
