"""`kohyatpl report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loratpl.ui.cli.runs import ProjectOption
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loratpl.project import ProjectPaths
    from loratpl.report.ledger.comparing import RunComparison
    from loratpl.run.history import KnownRun

PAGE_NAME = "report.html"

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RUN]...", help="Runs by id, name, or a part of it.", show_default="the last one"),
]


def report(
    runs: Runs = None,
    project: ProjectOption = Path(),
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Where the page goes.", show_default="log/RUN/report.html"),
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write the model card of a run as Markdown, with sample pictures.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where the card goes.", show_default="beside the LoRA")
    ] = None,
) -> CommandResult:
    """Write a page of one or several runs: curves, samples, settings, provenance."""
    from loratpl.project import open_project

    if card or out is not None:
        from loratpl.ui.cli.report_card import refuse_contradictions, write_card_of

        refuse_contradictions(card=card, html=html, runs=runs or ())
        return write_card_of(open_project(project), runs or (), out)

    from loratpl.report.story.as_json import story_json
    from loratpl.report.story.reading import story_of
    from loratpl.ui.pages.files import refuse_foreign
    from loratpl.ui.pages.report_content import report_page
    from loratpl.ui.pages.report_page import OPTION, write_report_page
    from loratpl.ui.report_text import report_lines

    paths = open_project(project)
    found = found_runs(paths, runs or ())
    page_path = html or default_page(paths, found)
    refuse_foreign(page_path, OPTION)
    stories = [story_of(paths, run) for run in found]
    write_report_page(page_path, report_page(stories, _compared(paths, found)))
    data = {"page": str(page_path.resolve()), "card": None, "runs": [story_json(story) for story in stories]}
    return CommandResult("report", data, report_lines(stories, page_path))


def found_runs(project: ProjectPaths, names: Sequence[str]) -> list[KnownRun]:
    """Returns the runs that are meant, each once, in the order of their naming; the last one where none is named.

    Raises:
        UsageError: A name means no run, or several.
        ProjectError: The log folder cannot be read.
    """
    from loratpl.run.history import LAST, find_run

    by_id = {run.run_id: run for run in (find_run(project, name) for name in names or (LAST,))}
    return list(by_id.values())


def default_page(project: ProjectPaths, runs: Sequence[KnownRun]) -> Path:
    """Returns where the page of these runs goes: beside the record of one, beside the folders of several."""
    folder = runs[0].paths.run_dir if len(runs) == 1 else project.log_dir
    return folder / PAGE_NAME


def _compared(project: ProjectPaths, runs: Sequence[KnownRun]) -> RunComparison | None:
    from loratpl.errors import ProjectError
    from loratpl.report.ledger.comparing import compare_runs

    if len(runs) != 2:
        return None
    try:
        return compare_runs(project, *runs)
    except ProjectError:  # a config is missing: the page compares what the records hold
        return None
