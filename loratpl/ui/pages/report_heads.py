"""What the report says of a run first: how it went, what it made, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loratpl.run.harmless import reason_of
from loratpl.ui.disk_text import in_bytes
from loratpl.ui.pages.report_colours import Look, look_of
from loratpl.ui.plan_words import counted, number, shown
from loratpl.ui.run_panel import duration
from loratpl.ui.runs_text import local_time, loss_text

if TYPE_CHECKING:
    from loratpl.records import RunRecord
    from loratpl.report.ledger.detail import Relation
    from loratpl.report.story.story import RunStory
    from loratpl.ui.pages.report_places import Places

# Of more changes the table of differences, or `runs diff`, tells.
MAX_CHANGED = 8
WHEN = "%Y-%m-%d %H:%M:%S"
_LOST = "kohyatpl was killed, or its machine went down"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that stands out, and what it counts."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class PageProblem:
    """Something that went wrong; `heading` is in a few words, "" where the message says all."""

    severity: str
    heading: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class RunHead:
    """A run in a few words.

    Attributes:
        label: What it is called on this page.
        run_id: Its id.
        look: Of its lines.
        state: One word.
        outcome: How it stands, as a sentence.
        figures: Its most important numbers, the first of all first.
        facts: What else is to be known first, each with its name.
        row: Its cells in a table of several runs, as `ROW_HEADS` names them.
        problems: What went wrong, the cause of a failure first.
    """

    label: str
    run_id: str
    look: Look
    state: str
    outcome: str
    figures: tuple[Figure, ...]
    facts: tuple[tuple[str, str], ...]
    row: tuple[str, ...]
    problems: tuple[PageProblem, ...]


ROW_HEADS = ("State", "Steps", "Average loss", "Last loss", "Began", "Took", "LoRAs")


def labels_of(stories: Sequence[RunStory]) -> tuple[str, ...]:
    """Returns what each run is called: its name where no other has it, else its id."""
    names = Counter(story.detail.summary.run.name for story in stories)
    runs = [story.detail.summary.run for story in stories]
    return tuple(shown(run.name if names[run.name] == 1 else run.run_id) for run in runs)


def head_of(story: RunStory, label: str, index: int, places: Places) -> RunHead:
    """Returns a run in a few words.

    Args:
        story: The run's.
        label: What it is called on this page.
        index: Its place on the page, from 0.
        places: What must not be named.
    """
    summary = story.detail.summary
    return RunHead(
        label,
        shown(summary.run.run_id),
        look_of(index),
        summary.state,
        outcome_of(story),
        tuple(_figures(story)),
        tuple((name, shown(places.text(text))) for name, text in _facts(story)),
        _row(story),
        tuple(_problems(story, places)),
    )


def outcome_of(story: RunStory) -> str:
    """Returns how a run stands, as a sentence without its full stop."""
    summary = story.detail.summary
    last, total = summary.last_step or 0, summary.total_steps
    after = f"after step {number(last)}" + ("" if total is None else f" of {number(total)}")
    if summary.state == "finished":
        return f"Finished: all {counted(last, 'step')} were trained" if last == total else f"Finished {after}"
    if summary.state == "running":
        return f"Being trained, {after}: this page shows it as it was when it was written"
    if summary.state == "lost":
        return f"Lost {after}: {_LOST}"
    return f"{summary.state.capitalize()} {after}"


def related(relation: Relation) -> str:
    """Returns another run as this page names it."""
    return relation.run_id if relation.is_there else f"{relation.run_id} (not there any more)"


def _figures(story: RunStory) -> Iterator[Figure]:
    summary = story.detail.summary
    total = "?" if summary.total_steps is None else number(summary.total_steps)
    yield Figure(number(summary.last_step or 0), f"of {total} steps")
    is_live = summary.state == "running"
    yield Figure(loss_text(summary.average_loss), "average loss now" if is_live else "average loss at the end")
    yield Figure(loss_text(summary.loss), "loss of the last step")
    yield Figure(_took(story), "since it began" if is_live else "from beginning to end")
    yield Figure(*_weights(story))


def _took(story: RunStory) -> str:
    seconds = story.detail.summary.duration_s
    return "-" if seconds is None else duration(seconds)


def _weights(story: RunStory) -> tuple[str, str]:
    made, there = len(story.checkpoints), sum(one.is_there for one in story.checkpoints)
    if there == made:
        return number(made), "LoRA file" if made == 1 else "LoRA files"
    return number(there), f"of {counted(made, 'LoRA file')} still there"


def _facts(story: RunStory) -> Iterator[tuple[str, str]]:
    detail, record = story.detail, story.detail.record
    yield "Began", local_time(record.started_at, WHEN)
    if record.ended_at is not None:
        yield "Ended", local_time(record.ended_at, WHEN)
    for relation in detail.parents[:1]:
        yield "Goes on from", f"{related(relation)}, after step {number(relation.step or 0)}"
    if detail.repeats is not None:
        changed = _changed(record)
        yield "Repeats", related(detail.repeats) + (f" with {changed}" if changed else "")
    family = next((str(row.value) for row in story.settings if row.key == "family"), "")
    if family:
        yield "Family", family
    yield "Base model", record.model
    last = [one for one in story.checkpoints if one.is_last]
    for one in last:
        size = "" if one.size_bytes is None else f", {in_bytes(one.size_bytes)}"
        proven = ", proven" if one.sha256 else ""
        gone = "" if one.is_there else ", not there any more"
        yield "LoRA", f"{one.path.name}{size}{proven}{gone}"


def _changed(record: RunRecord) -> str:
    """Returns what was not as in the run before and makes another training, "" for nothing."""
    differing = [one for one in record.differences if one.what != "environment" and reason_of(one.key) is None]
    named = [f"{one.key} {one.now or 'unset'} ({one.before or 'unset'} before)" for one in differing[:MAX_CHANGED]]
    more = len(differing) - len(named)
    return ", ".join(named) + (f" and {number(more)} more" if more else "")


def _row(story: RunStory) -> tuple[str, ...]:
    summary = story.detail.summary
    total = "?" if summary.total_steps is None else number(summary.total_steps)
    value, name = _weights(story)
    return (
        summary.state,
        f"{number(summary.last_step or 0)} of {total}",
        loss_text(summary.average_loss),
        loss_text(summary.loss),
        local_time(story.detail.record.started_at),
        _took(story),
        value if name.startswith("LoRA") else f"{value} of {number(len(story.checkpoints))} there",
    )


def _problems(story: RunStory, places: Places) -> Iterator[PageProblem]:
    def told(text: str) -> str:
        return shown(places.text(" ".join(text.split())))

    detail, record = story.detail, story.detail.record
    if record.failure is not None:
        verb = "stopped" if detail.summary.state == "stopped" else "failed"
        yield PageProblem("error", f"Why it {verb}", told(record.failure.cause), told(record.failure.fix))
    elif detail.summary.state == "lost":
        fix = "`kohyatpl run --resume` goes on with the last state that was saved." if detail.can_be_resumed else ""
        yield PageProblem("error", "Why it ended", f"{_LOST.capitalize()}: nothing more was told.", fix)
    for problem in story.problems:
        yield PageProblem(
            problem.severity, f"After step {number(problem.step)}", told(problem.message), told(problem.fix)
        )
    if record.parent is not None and (changed := _changed(record)):
        text = f"What was trained is not what {record.parent} trained: {changed}."
        yield PageProblem("warning", "Accepted when it began", told(text), "")
