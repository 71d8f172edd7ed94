"""`kohyatpl check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.errors import Problem
    from loratpl.plan.planner import TrainingPlan
    from loratpl.project import ProjectPaths
    from loratpl.render.prepare import Judged


class Machine(str, Enum):
    """The kinds of machine that can be judged for."""

    CPU = "cpu"
    CUDA = "cuda"


def check(
    context: typer.Context,
    project: Project = Path(),
    config: Config = None,
    set_: Set = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Decode no picture: for very large sets.")] = False,
    for_: Annotated[
        Machine | None,
        typer.Option("--for", help="Judge for another machine than this one.", show_default="this machine"),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what takes no judgement; originals are kept.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --fix: say what would be done.")] = False,
    undo_fix: Annotated[bool, typer.Option("--undo-fix", help="Put back what the last --fix replaced.")] = False,
    background: Annotated[
        str, typer.Option("--background", metavar="COLOUR", help="With --fix: what is put behind transparent pictures.")
    ] = "white",
) -> CommandResult:
    """Say all that is wrong with config, pictures and machine."""
    from loratpl.project import open_project
    from loratpl.ui.cli import check_fix

    _refuse_contradictions(fix=fix, dry_run=dry_run, undo_fix=undo_fix)
    paths, overrides = open_project(project), assignments(set_)
    if undo_fix:
        return check_fix.undo(paths)
    if fix and dry_run:
        return check_fix.rehearse(context, paths, config, overrides, background)
    mended = check_fix.mend(context, paths, config, overrides, background) if fix else None
    judged = _judged(context, paths, config, overrides, for_, is_quick=quick)
    problems = (*(mended.problems if mended else ()), *judged.problems, *_missing_trainer())
    if strict:
        problems = tuple(replace(problem, severity="error") for problem in problems)
    result = _result(judged.plan, problems)
    if mended is None:
        return result
    return replace(result, data={**result.data, **mended.data}, lines=(*mended.lines, *result.lines))


def _refuse_contradictions(*, fix: bool, dry_run: bool, undo_fix: bool) -> None:
    from loratpl.errors import Problem, UsageError

    if undo_fix and fix:
        message = "`--undo-fix` puts back what `--fix` replaced; one of the two."
        raise UsageError(Problem("usage.fix", message, "--undo-fix", "Take one of them out."))
    if dry_run and not fix:
        message = "`--dry-run` says what `--fix` would do, and there is no `--fix`."
        raise UsageError(Problem("usage.fix", message, "--dry-run", "Write `kohyatpl check --fix --dry-run`."))


def _judged(
    context: typer.Context,
    paths: ProjectPaths,
    config: Path | None,
    overrides: Sequence[tuple[str, Any]],
    for_: Machine | None,
    *,
    is_quick: bool,
) -> Judged:
    from loratpl.config.machine import WITH_GPU, WITHOUT_GPU, known_gpu_count
    from loratpl.render.prepare import Depth, judge
    from loratpl.ui.console import Looking

    # A machine with CUDA is taken to have as many GPUs as the config asks for.
    gpu_counts = {None: known_gpu_count, Machine.CPU: lambda: 0, Machine.CUDA: lambda: None}
    machines = {None: None, Machine.CPU: WITHOUT_GPU, Machine.CUDA: WITH_GPU}
    output = context.obj
    with Looking("looking at pictures", is_silent=output.quiet or output.as_json) as progress:
        return judge(
            paths,
            config,
            overrides,
            depth=Depth.QUICK if is_quick else Depth.FULL,
            gpu_count=gpu_counts[for_],
            machine=machines[for_],
            is_this_machine=for_ is None,
            progress=progress,
        )


def _missing_trainer() -> Iterator[Problem]:
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status

    for problem in status(load_pin(), ask_interpreter=False).problems():
        yield replace(problem, severity="warning")


def _result(plan: TrainingPlan | None, problems: tuple[Problem, ...]) -> CommandResult:
    from loratpl.errors import exit_code_of

    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    data = {"errors": errors, "warnings": warnings}
    if problems:
        summary = f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}"
    else:
        summary = f"nothing is wrong{f': {_training(plan)}' if plan else ''}"
    return CommandResult("check", data, (summary,), problems, exit_code_of(problems))


def _training(plan: TrainingPlan) -> str:
    """Returns in one line what will be trained."""
    training = [concept for concept in plan.concepts if not concept.is_reg]
    images = sum(concept.images for concept in training)
    reg = sum(concept.images for concept in plan.concepts if concept.is_reg)
    beside = f" and {_counted(reg, 'regularisation image')}" if reg else ""
    length = f"{_counted(plan.total_steps, 'step')} in {_counted(plan.epochs, 'epoch')}"
    return f"{_counted(images, 'image')} of {_counted(len(training), 'concept')}{beside}, {length}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
