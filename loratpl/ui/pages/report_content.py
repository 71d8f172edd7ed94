"""What the report of runs says: put together of what was read, no file is read here but the trainer's command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl import __version__
from loratpl.report.ledger.settings import differing_settings
from loratpl.run.again import project_dir_then
from loratpl.ui.pages.report_dataset import PageDataset, datasets_of
from loratpl.ui.pages.report_differences import DifferingGroup, of_several, of_two
from loratpl.ui.pages.report_heads import RunHead, head_of, labels_of
from loratpl.ui.pages.report_numbers import (
    NumberTables,
    PageCheckpoint,
    around,
    checkpoints_of,
    data_of,
    is_validation,
    tables_of,
)
from loratpl.ui.pages.report_places import Places
from loratpl.ui.pages.report_provenance import Provenance, provenance_of
from loratpl.ui.pages.report_samples import SampleGrid, grid_of
from loratpl.ui.pages.report_settings import SettingGroup, setting_groups
from loratpl.ui.plan_words import counted

if TYPE_CHECKING:
    from loratpl.report.ledger.comparing import RunComparison
    from loratpl.report.story.story import RunStory

MAX_CONCEPT_PICTURES = 200
# The names of more runs are no title.
MAX_NAMED_RUNS = 4


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that the page draws; the script knows by its key what belongs into it."""

    key: str
    heading: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportPage:
    """All that the report of one or several runs says.

    Attributes:
        title: Of the page.
        made: When, and by what.
        heads: The runs in a few words.
        differences: Between them; () for one run.
        not_compared: What of two runs could not be compared, in whole sentences.
        datasets: What they were trained on.
        charts: Those that there are numbers for.
        tables: The numbers of each run to be read.
        samples: What they drew.
        checkpoints: What they wrote.
        around: Over how many steps before and after a checkpoint its loss is taken.
        settings: In groups.
        provenance: Of each run.
        data: All numbers, as JSON for an element of HTML.
    """

    title: str
    made: str
    heads: tuple[RunHead, ...]
    differences: tuple[DifferingGroup, ...]
    not_compared: tuple[str, ...]
    datasets: tuple[PageDataset, ...]
    charts: tuple[Chart, ...]
    tables: tuple[NumberTables, ...]
    samples: SampleGrid
    checkpoints: tuple[PageCheckpoint, ...]
    around: int
    settings: tuple[SettingGroup, ...]
    provenance: tuple[Provenance, ...]
    data: str

    @property
    def concept_pictures(self) -> tuple[Path, ...]:
        """Those that are shown, in the order of the datasets and their concepts."""
        found = (path for dataset in self.datasets for concept in dataset.concepts for path in concept.pictures)
        return tuple(dict.fromkeys(found))[:MAX_CONCEPT_PICTURES]


def report_page(
    stories: Sequence[RunStory], compared: RunComparison | None = None, made_at: datetime | None = None
) -> ReportPage:
    """Returns what the report of runs says.

    Args:
        stories: Of the runs, at least one, in the order of the page.
        compared: Two runs side by side, where there are two.
        made_at: When; now unless given.
    """
    projects = [Path(story.detail.project.root_dir) for story in stories]
    then = [str(folder) for story in stories if (folder := project_dir_then(story.detail.record)) is not None]
    places = Places([*projects, *(folder.resolve() for folder in projects), *then])
    labels = labels_of(stories)
    heads = tuple(
        head_of(story, label, index, places) for index, (story, label) in enumerate(zip(stories, labels, strict=True))
    )
    meanings = [story.detail.summary.meaning for story in stories]
    differing = differing_settings([meaning for meaning in meanings if meaning is not None])
    made = made_at or datetime.now().astimezone()
    return ReportPage(
        ", ".join(labels) if len(labels) <= MAX_NAMED_RUNS else counted(len(labels), "run"),
        f"{made:%Y-%m-%d %H:%M}, kohyatpl {__version__}",
        heads,
        _differences(stories, compared, differing, places),
        ()
        if compared is None
        else tuple(f"It is not known {places.text(one)}." for one in compared.comparison.unknown),
        datasets_of(stories, labels),
        charts_of(stories),
        tuple(tables_of(story) for story in stories),
        grid_of(stories, places),
        checkpoints_of(stories),
        around(stories),
        setting_groups(stories, differing, places),
        tuple(provenance_of(story, label, places) for story, label in zip(stories, labels, strict=True)),
        data_of(stories, heads),
    )


def charts_of(stories: Sequence[RunStory]) -> tuple[Chart, ...]:
    """Returns the charts that there are numbers for."""
    names = {one.name for story in stories for one in story.series}
    has_steps = any(story.numbers.steps for story in stories)
    found = [
        (has_steps, Chart("loss", "Loss")),
        (any(is_validation(name) for name in names), Chart("validation", "Validation loss")),
        (any(story.numbers.steps and story.numbers.rates for story in stories), Chart("rates", "Learning rate")),
        (any(not is_validation(name) for name in names), Chart("others", "Other numbers that the trainer told")),
        (
            any(one is not None for story in stories for one in story.numbers.seconds),
            Chart("seconds", "Time of a step", "Saving and drawing samples are not counted in."),
        ),
        (
            any(story.memory for story in stories),
            Chart("memory", "Memory", "Of the trainer's first process, about every ten seconds."),
        ),
    ]
    return tuple(chart for is_there, chart in found if is_there)


def _differences(
    stories: Sequence[RunStory], compared: RunComparison | None, differing: Sequence[str], places: Places
) -> tuple[DifferingGroup, ...]:
    if len(stories) == 1:
        return ()
    return of_several(stories, differing, places) if compared is None else of_two(compared, places)
