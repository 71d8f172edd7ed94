"""`kohyatpl runs show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loratpl.ui.cli.runs import ProjectOption
from loratpl.ui.result import CommandResult

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's id, its name, or a part of it that no other has.", show_default="the last one"
    ),
]


def show(run: Run = "last", project: ProjectOption = Path()) -> CommandResult:
    """Show the whole record of a run, in words."""
    from loratpl.project import open_project
    from loratpl.report.ledger.detail import detail_of
    from loratpl.run.history import find_run
    from loratpl.ui.cli.parameters import quoted
    from loratpl.ui.run_record_text import show_lines

    paths = open_project(project)
    detail = detail_of(paths, find_run(paths, run))
    place = "" if project == Path() else f" --project {quoted(project)}"
    return CommandResult("runs show", detail.as_json(), show_lines(detail, place))
