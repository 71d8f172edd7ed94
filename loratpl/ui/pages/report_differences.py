"""What differs between the runs of a report, in rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loratpl.ui.pages.report_settings import UNSET, setting_text
from loratpl.ui.plan_words import counted, shown
from loratpl.ui.runs_diff_text import HEADINGS

if TYPE_CHECKING:
    from loratpl.report.ledger.comparing import Planned, RunComparison
    from loratpl.report.story.story import ConceptStory, RunStory
    from loratpl.run.comparison import Difference
    from loratpl.ui.pages.report_places import Places

_HASH_CHARS = 12


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """Something that is not the same in all runs.

    Attributes:
        key: Its name.
        values: One for each run.
        note: Why it changes nothing of what is trained, "" where it may.
    """

    key: str
    values: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class DifferingGroup:
    """Differences of one kind."""

    heading: str
    rows: tuple[DifferingRow, ...]


def of_two(found: RunComparison, places: Places) -> tuple[DifferingGroup, ...]:
    """Returns what differs between two runs."""
    groups = [
        DifferingGroup(
            heading,
            tuple(
                DifferingRow(shown(one.key), _pair(one, places), one.reason)
                for one in found.comparison.differences
                if one.what == what
            ),
        )
        for what, heading in HEADINGS.items()
    ]
    planned = tuple(DifferingRow(one.key, _pair(one, places)) for one in found.plan)
    return tuple(group for group in (*groups, DifferingGroup("Plan and course", planned)) if group.rows)


def of_several(stories: Sequence[RunStory], differing: Sequence[str], places: Places) -> tuple[DifferingGroup, ...]:
    """Returns what differs between more runs than two.

    Args:
        stories: Of the runs.
        differing: The settings that are not the same in all, the most important first.
        places: What must not be named.
    """
    from loratpl.report.ledger.listing import setting_of
    from loratpl.run.harmless import reason_of

    summaries = [story.detail.summary for story in stories]

    def row(key: str) -> DifferingRow:
        values = tuple(setting_text(key, setting_of(one, key), places) for one in summaries)
        return DifferingRow(shown(key), values, reason_of(key) or "")

    groups = (
        DifferingGroup("Settings", tuple(map(row, differing))),
        DifferingGroup("Dataset", tuple(_differing(_concepts(stories)))),
        DifferingGroup("Made with", tuple(_differing(_made_with(stories, places)))),
    )
    return tuple(group for group in groups if group.rows)


def _pair(one: Difference | Planned, places: Places) -> tuple[str, str]:
    return setting_text(one.key, one.before, places), setting_text(one.key, one.now, places)


def _concepts(stories: Sequence[RunStory]) -> Iterator[DifferingRow]:
    by_name = [{(one.is_reg, one.folder): one for one in story.concepts} for story in stories]
    for is_reg, folder in dict.fromkeys(key for concepts in by_name for key in concepts):
        values = tuple(_concept(concepts.get((is_reg, folder))) for concepts in by_name)
        yield DifferingRow(f"{'reg_dir' if is_reg else 'image_dir'}/{shown(folder)}", values)


def _concept(concept: ConceptStory | None) -> str:
    if concept is None:
        return UNSET
    content = "not hashed" if concept.content_sha256 is None else concept.content_sha256[:_HASH_CHARS]
    return f"{counted(concept.images, 'image')} ({content})"


def _made_with(stories: Sequence[RunStory], places: Places) -> Iterator[DifferingRow]:
    records = [story.detail.record for story in stories]
    hashes = [(record.model_sha256 or "not hashed")[:_HASH_CHARS] for record in records]
    yield DifferingRow("Base model's SHA-256", tuple(hashes))
    yield DifferingRow("sd-scripts", tuple(record.pin[:_HASH_CHARS] for record in records))
    yield DifferingRow("kohyatpl", tuple(record.kohyatpl for record in records))
    yield DifferingRow("Python", tuple(record.python for record in records))
    for name in dict.fromkeys(name for record in records for name in (*record.packages, *record.system)):
        found = ({**record.packages, **record.system}.get(name) for record in records)
        yield DifferingRow(shown(name), tuple(UNSET if value is None else shown(places.text(value)) for value in found))


def _differing(rows: Iterator[DifferingRow]) -> Iterator[DifferingRow]:
    return (row for row in rows if len(set(row.values)) > 1)
