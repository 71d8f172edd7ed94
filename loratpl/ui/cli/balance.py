"""`kohyatpl balance`."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loratpl.ui.cli.parameters import Config, Project
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loratpl.balance import BalancedProject
    from loratpl.errors import Problem
    from loratpl.journal import Recovery, Rename
    from loratpl.project import ProjectPaths


def balance(
    project: Project = Path(),
    config: Config = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", help="Views of each concept per epoch.", show_default="the config's, or the fewest"
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", metavar="CONCEPT=W", help="Show a concept W times as often; repeat it for more."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be renamed, and rename nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Give back the names that the last balancing changed.")] = False,
) -> CommandResult:
    """Rename the folders so that each concept is seen equally per epoch."""
    from loratpl import journal
    from loratpl.errors import ProjectError
    from loratpl.project import locked, open_project

    paths = open_project(project)
    if undo:
        _refuse_beside_undo(config, steps, weight, dry_run)
        with locked(paths):
            return _undo(paths)
    weights = _parsed(weight or ())
    _check_steps(steps)
    where = "" if project == Path() else f' "{project}"'
    undo_hint = f"`kohyatpl balance{where} --undo` gives the old names back."
    if dry_run:
        interrupted = journal.interrupted(paths.journal_path)
        if interrupted is not None:
            raise ProjectError(interrupted)
        return _result(paths, _judged(paths, config, steps, weights), (), undo_hint=None)
    with locked(paths):
        recovered = _recovered(journal.recover(paths.journal_path))
        with _telling(recovered):
            judged = _judged(paths, config, steps, weights)
            journal.rename_all(paths.journal_path, judged.renames)
    return _result(paths, judged, recovered, undo_hint=undo_hint)


def _judged(
    paths: ProjectPaths, config: Path | None, steps: int | None, weights: Mapping[str, float]
) -> BalancedProject:
    """Returns what the folders should be called; that takes neither a base model nor, in the end, a config."""
    from dataclasses import replace

    from loratpl.balance import balance_project
    from loratpl.config.block import Block
    from loratpl.errors import ProjectError, raise_errors
    from loratpl.render.prepare import load_settings

    try:
        settings, problems = load_settings(paths, config)
    except ProjectError as error:
        if any(problem.code != "project.config.missing" for problem in error.problems):
            raise
        return balance_project(paths, paths.image_dir, paths.reg_dir, Block(), steps=steps, weights=weights)
    relevant = tuple(problem for problem in problems if problem.code != "config.model.missing")
    raise_errors(relevant)
    folders = settings.path("train_data_dir"), settings.path("reg_data_dir")
    judged = balance_project(paths, *folders, settings.block, steps=steps, weights=weights)
    return replace(judged, warnings=(*relevant, *judged.warnings))


def _undo(paths: ProjectPaths) -> CommandResult:
    from loratpl import journal

    recovery = journal.recover(paths.journal_path)
    recovered = _recovered(recovery)
    if recovery is not None and recovery.is_done == recovery.is_undo:
        # A balancing that was rolled back, or an undoing that was whole: what was asked for is there.
        return CommandResult("balance", {"renamed": []}, (), recovered)
    with _telling(recovered):
        renames = journal.undo(paths.journal_path)
    data = {"renamed": [{"folder": item.source.name, "new_folder": item.target.name} for item in renames]}
    lines = (f"{_folders(len(renames))} got the old name back:", *_rename_lines(paths, renames))
    return CommandResult("balance", data, lines, recovered)


def _recovered(recovery: Recovery | None) -> tuple[Problem, ...]:
    """Returns what must be said of a rename that was interrupted."""
    from loratpl.errors import Problem

    if recovery is None:
        return ()
    what = "The undoing of a balancing" if recovery.is_undo else "An earlier balancing"
    became = (
        "every rename had been done, so the names stay" if recovery.is_done else "the names from before it are back"
    )
    message = f"{what} had been interrupted ({_folders(len(recovery.renames))}); {became}."
    return (Problem("project.rename.recovered", message, severity="warning"),)


@contextlib.contextmanager
def _telling(problems: tuple[Problem, ...]) -> Iterator[None]:
    """Adds to an error what was done before it."""
    from loratpl.errors import KohyatplError

    try:
        yield
    except KohyatplError as error:
        error.problems = (*problems, *error.problems)
        raise


def _result(
    paths: ProjectPaths, judged: BalancedProject, recovered: tuple[Problem, ...], *, undo_hint: str | None
) -> CommandResult:
    """Returns the result; without `undo_hint` it is of a dry run."""
    lines = [*_table(paths, judged), "", f"Target: {judged.target} views of each concept per epoch, {judged.reason}."]
    if any(item.is_reg for item in judged.folders):
        lines.append(
            "Regularisation images follow: the trainer itself repeats or drops them until they are as many as these."
        )
    renames = judged.renames
    if not renames:
        lines.append("Every folder has the right name.")
    else:
        lines.append(f"{_folders(len(renames))} {'renamed' if undo_hint else 'would be renamed'}:")
        lines += _rename_lines(paths, renames)
        lines += [undo_hint] if undo_hint else []
    return CommandResult("balance", judged.as_json(), lines, (*recovered, *judged.warnings))


def _table(paths: ProjectPaths, judged: BalancedProject) -> list[str]:
    is_weighted = any(item.weight != 1 for item in judged.folders)
    rows = [("concept", "images", *(("weight",) if is_weighted else ()), "repeats", "views per epoch")]
    rows += [
        (
            paths.relative(item.folder),
            str(item.images),
            *((f"{item.weight:g}",) if is_weighted else ()),
            str(item.repeats) if item.repeats == item.repeats_before else f"{item.repeats_before} → {item.repeats}",
            str(item.views_per_epoch),
        )
        for item in judged.folders
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            (row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)))
        )
        for row in rows
    ]


def _rename_lines(paths: ProjectPaths, renames: Iterable[Rename]) -> list[str]:
    return [f"  {paths.relative(item.source)} → {item.target.name}" for item in renames]


def _folders(count: int) -> str:
    return f"{count} folder{'' if count == 1 else 's'}"


def _refuse_beside_undo(config: Path | None, steps: int | None, weight: Sequence[str] | None, dry_run: bool) -> None:
    from loratpl.errors import Problem, UsageError

    if config is not None or steps is not None or weight or dry_run:
        message = (
            "`--undo` gives back the names from before the last balancing; no other option of `balance` goes with it."
        )
        raise UsageError(Problem("usage.undo", message, "--undo", "Leave the others out."))


def _check_steps(steps: int | None) -> None:
    from loratpl.config.block import MAX_STEPS
    from loratpl.errors import Problem, UsageError

    if steps is not None and not 1 <= steps <= MAX_STEPS:
        message = f"`--steps {steps}`: a concept cannot have that many views per epoch."
        raise UsageError(Problem("usage.steps", message, "--steps", f"Choose a number from 1 to {MAX_STEPS}."))


def _parsed(texts: Iterable[str]) -> dict[str, float]:
    """Returns the weights of the `--weight` options; a concept's name may hold "=" itself."""
    from loratpl.config.block import MAX_WEIGHT, MIN_WEIGHT
    from loratpl.errors import Problem, UsageError

    weights = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not name or not MIN_WEIGHT <= value <= MAX_WEIGHT:
            message = (
                f"`--weight {text}` names no concept and its weight, a number from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}."
            )
            raise UsageError(Problem("usage.weight", message, "--weight", 'Write it as `--weight "ohwx cat=2"`.'))
        weights[name] = value
    return weights
