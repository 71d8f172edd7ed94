"""`kohyatpl check`."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult


class Machine(str, Enum):
    """The kinds of machine that can be judged for."""

    CPU = "cpu"
    CUDA = "cuda"


def check(
    project: Project = Path(),
    config: Config = None,
    set_: Set = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
    for_: Annotated[
        Machine | None,
        typer.Option("--for", help="Judge for another machine than this one.", show_default="this machine"),
    ] = None,
) -> CommandResult:
    """Say all that is wrong with config, pictures and machine."""
    from loratpl.config.machine import WITH_GPU, WITHOUT_GPU, known_gpu_count
    from loratpl.errors import exit_code_of
    from loratpl.project import open_project
    from loratpl.render.prepare import judge
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status

    # A machine with CUDA is taken to have as many GPUs as the config asks for.
    gpu_counts = {None: known_gpu_count, Machine.CPU: lambda: 0, Machine.CUDA: lambda: None}
    machines = {None: None, Machine.CPU: WITHOUT_GPU, Machine.CUDA: WITH_GPU}
    judged = judge(
        open_project(project),
        config,
        assignments(set_),
        gpu_count=gpu_counts[for_],
        machine=machines[for_],
        is_this_machine=for_ is None,
    )
    missing = status(load_pin(), ask_interpreter=False).problems()
    problems = (*judged.problems, *(replace(problem, severity="warning") for problem in missing))
    if strict:
        problems = tuple(replace(problem, severity="error") for problem in problems)
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    summary = f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}" if problems else "nothing is wrong"
    data = {"errors": errors, "warnings": warnings}
    return CommandResult("check", data, (summary,), problems, exit_code_of(problems))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
