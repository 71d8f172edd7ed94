"""`kohyatpl runs list`, which `kohyatpl runs` alone is as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from loratpl.ui.cli.runs import ProjectOption
from loratpl.ui.result import CommandResult

DEFAULT_COMMAND = "list"
_COMMON = ("--json", "--quiet", "--debug")


class RunsGroup(TyperGroup):
    """The group of `runs`: without the name of a command it lists the runs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the command's name where it was left out."""
        first = next((word for word in args if word not in _COMMON), None)
        if first is None or (first.startswith("-") and first != "--help"):
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)


def list_(
    project: ProjectOption = Path(),
    last: Annotated[
        int | None,
        typer.Option("--last", metavar="N", min=1, help="The newest N runs alone.", show_default="all"),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also every setting in which the runs differ.")] = False,
) -> CommandResult:
    """Show every run: when, how far, what loss, what came out, and the settings that differ."""
    from loratpl.project import open_project
    from loratpl.report.ledger.listing import list_runs
    from loratpl.ui.runs_text import list_lines

    paths = open_project(project)
    listing = list_runs(paths)
    problems = tuple(
        replace(run.problem, where=paths.relative(run.run.paths.record_path), severity="warning")
        for run in listing.runs
        if run.problem is not None
    )
    data = listing.as_json()
    if last is not None:
        data = {**data, "runs": data["runs"][:last]}
    lines = list_lines(listing, last, with_settings=all_) if listing.runs else [_nothing(paths.root_dir)]
    return CommandResult("runs list", data, lines, problems)


def _nothing(root_dir: Path) -> str:
    return f"Nothing has been trained in {root_dir.resolve().name} yet."
