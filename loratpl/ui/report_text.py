"""What `report` says to a person once the page is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.ui.disk_text import in_bytes
from loratpl.ui.plan_words import counted
from loratpl.ui.runs_text import state_text, terminal_of_stdout, wrapped

if TYPE_CHECKING:
    from loratpl.report.story.story import RunStory


def report_lines(stories: Sequence[RunStory], page: Path) -> list[str]:
    """Returns the lines of `report`.

    Args:
        stories: Of the runs.
        page: What was written.
    """
    terminal, _ = terminal_of_stdout()
    lines = [line for story in stories for line in wrapped(_line(story), terminal, "", "  ")]
    for story in stories:
        for sentence in story.unknown:
            lines += wrapped(sentence, terminal, "  ", "  ")
    place = page.resolve()
    # A path is for being clicked on, or pasted: it is never broken into lines.
    return [*lines, f"The page is {place} ({in_bytes(place.stat().st_size)})"]


def _line(story: RunStory) -> str:
    return f"{story.detail.record.run_id}: {state_text(story.detail.summary)}, {', '.join(_parts(story))}"


def _parts(story: RunStory) -> Iterator[str]:
    yield counted(len(story.numbers.steps), "step")
    yield counted(len(story.checkpoints), "LoRA")
    if story.samples:
        yield counted(len(story.samples), "sample")
    if story.problems:
        yield counted(len(story.problems), "problem")
