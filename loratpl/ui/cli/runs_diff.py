"""`kohyatpl runs diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loratpl.ui.cli.runs import ProjectOption
from loratpl.ui.result import CommandResult


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A run's id, its name, or a part of it.")],
    second: Annotated[
        str, typer.Argument(metavar="B", help="The run to compare it with.", show_default="the last one")
    ] = "last",
    project: ProjectOption = Path(),
) -> CommandResult:
    """Compare two runs: settings, dataset, environment, plan, curves."""
    from loratpl.project import open_project
    from loratpl.report.ledger.comparing import compare_runs
    from loratpl.run.history import find_run
    from loratpl.ui.runs_diff_text import diff_lines

    paths = open_project(project)
    found = compare_runs(paths, find_run(paths, first), find_run(paths, second))
    return CommandResult("runs diff", found.as_json(), diff_lines(found))
