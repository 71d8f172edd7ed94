"""`kohyatpl balance`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loratpl.ui.cli.parameters import Config, Project, quoted
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.balance import BalancedProject
    from loratpl.config.settings import Settings
    from loratpl.errors import Problem
    from loratpl.project import ProjectPaths
    from loratpl.ui.cli.balance_options import Wishes


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
    match: Annotated[
        list[str] | None,
        typer.Option("--match", metavar="CLASS=CONCEPT", help="Regularisation images of CLASS are for CONCEPT."),
    ] = None,
    max_repeats: Annotated[
        int | None,
        typer.Option("--max-repeats", metavar="N", help="The most repeats of a folder.", show_default="the config's"),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance", metavar="T", help="How far views may be off, as a share.", show_default="the config's, 0.05"
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be renamed, and rename nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Give back the names that the last balancing changed.")] = False,
) -> CommandResult:
    """Rename the folders so that each concept is seen equally."""
    from loratpl import journal
    from loratpl.balance.config_edit import rewrites
    from loratpl.errors import ProjectError
    from loratpl.project import locked, open_project
    from loratpl.ui.balance_text import recovery_problems
    from loratpl.ui.cli.balance_options import refuse_beside_undo, wishes
    from loratpl.ui.cli.recovery import telling

    paths = open_project(project)
    wanted = wishes(steps, weight or (), match or (), max_repeats, tolerance)
    if undo:
        refuse_beside_undo(config, wanted, dry_run=dry_run)
        with locked(paths):
            return _undo(paths)
    if dry_run:
        interrupted = journal.interrupted(paths.journal_path)
        if interrupted is not None:
            raise ProjectError(interrupted)
        judged, settings, config_path = _judged(paths, config, wanted)
        journal.refuse_obstacles(paths.journal_path, judged.renames, rewrites(judged.new_weights, config_path))
        return _result(paths, judged, settings, config_path, (), undo_hint=None)
    where = "" if project == Path() else f" {quoted(project)}"
    undo_hint = f"`kohyatpl balance{where} --undo` gives the old names back."
    with locked(paths):
        recovered = recovery_problems(paths, journal.recover(paths.journal_path))
        with telling(recovered):
            judged, settings, config_path = _judged(paths, config, wanted)
            edits = rewrites(judged.new_weights, config_path)
            # Before the renames: it opens pictures, under the names that they have now.
            result = _result(paths, judged, settings, config_path, recovered, undo_hint=undo_hint)
            journal.rename_all(paths.journal_path, judged.renames, edits)
    return result


def _judged(paths: ProjectPaths, config: Path | None, wanted: Wishes) -> tuple[BalancedProject, Settings, Path]:
    """Returns what the folders should be called, the settings, and the config's place.

    That takes neither a base model nor, in the end, a config.
    """
    from dataclasses import replace

    from loratpl.balance import balance_project
    from loratpl.config.reading import RawConfig
    from loratpl.config.settings import resolve
    from loratpl.errors import ProjectError, raise_errors
    from loratpl.render.prepare import config_path_of, load_settings

    try:
        config_path = config_path_of(paths, config)
        settings, problems = load_settings(paths, config_path)
    except ProjectError as error:
        if any(problem.code != "project.config.missing" for problem in error.problems):
            raise
        config_path = paths.config_path
        settings, problems = resolve(RawConfig(config_path, {}, {}), project_name=paths.root_dir.name)
    relevant = tuple(problem for problem in problems if problem.code != "config.model.missing")
    raise_errors(relevant)
    judged = balance_project(
        paths,
        settings.path("train_data_dir"),
        settings.path("reg_data_dir"),
        wanted.over(settings.block),
        steps=wanted.steps,
        weights=wanted.weights,
        matches=wanted.matches,
    )
    return replace(judged, warnings=(*relevant, *judged.warnings)), settings, config_path


def _undo(paths: ProjectPaths) -> CommandResult:
    from loratpl import journal
    from loratpl.ui.balance_text import kept_problems, recovery_problems, undone_lines
    from loratpl.ui.cli.recovery import telling

    recovery = journal.recover(paths.journal_path)
    recovered = recovery_problems(paths, recovery)
    if recovery is not None and recovery.is_done == recovery.is_undo:
        # A balancing that was rolled back, or an undoing that was whole: what was asked for is there.
        return CommandResult("balance", {"renamed": []}, (), recovered)
    with telling(recovered):
        undone = journal.undo(paths.journal_path)
    data = {"renamed": [{"folder": item.source.name, "new_folder": item.target.name} for item in undone.renames]}
    problems = (*recovered, *kept_problems(paths, undone.kept))
    return CommandResult("balance", data, undone_lines(paths, undone), problems)


def _result(
    paths: ProjectPaths,
    judged: BalancedProject,
    settings: Settings,
    config_path: Path,
    recovered: tuple[Problem, ...],
    *,
    undo_hint: str | None,
) -> CommandResult:
    """Returns the result; without `undo_hint` it is of a dry run."""
    from loratpl.plan.outlook import look_ahead
    from loratpl.ui.balance_text import balanced_lines

    outlook = look_ahead(judged.folders, settings)
    lines = balanced_lines(paths, judged, outlook, config_path, undo_hint)
    return CommandResult("balance", {**judged.as_json(), **outlook.as_json()}, lines, (*recovered, *judged.warnings))
