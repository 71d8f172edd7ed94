"""The pictures that runs drew, as a grid of prompts and steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loratpl.ui.plan_words import number, shown

if TYPE_CHECKING:
    from loratpl.report.story.story import RunStory, SamplePicture, SamplePrompt
    from loratpl.ui.pages.report_places import Places

# Pictures on a page, and their longest side then: a page stays below some 15 MB.
SIDES_PX = ((150, 512), (400, 320), (1000, 192))
MAX_PICTURES, _ = SIDES_PX[-1]


@dataclass(frozen=True, slots=True)
class PromptRow:
    """What one run drew of a prompt; None for each step of the grid at which it drew nothing.

    Attributes:
        run: Its place on the page, from 0.
        pictures: One for each step.
    """

    run: int
    pictures: tuple[SamplePicture | None, ...]


@dataclass(frozen=True, slots=True)
class PagePrompt:
    """A prompt with what was drawn of it.

    Attributes:
        name: What it is called here: its text, or its number where that is not known.
        is_known: Whether `name` is its text.
        negative: What was not wanted, "" for nothing.
        details: What else was said, each with its name.
        rows: Of the runs that drew it.
    """

    name: str
    is_known: bool
    negative: str
    details: tuple[tuple[str, str], ...]
    rows: tuple[PromptRow, ...]


@dataclass(frozen=True, slots=True)
class SampleGrid:
    """The samples of all runs.

    Attributes:
        steps: The columns.
        prompts: The rows, in the order of the prompts' numbers.
        drawn: How many pictures the runs told of.
        longest_px: Of a picture here.
    """

    steps: tuple[int, ...]
    prompts: tuple[PagePrompt, ...]
    drawn: int
    longest_px: int

    @property
    def pictures(self) -> tuple[SamplePicture, ...]:
        """Those that are shown, in the order of the grid."""
        return tuple(one for prompt in self.prompts for row in prompt.rows for one in row.pictures if one is not None)

    @property
    def step_names(self) -> tuple[str, ...]:
        """The columns as they are called."""
        return tuple("Before step 1" if step == 0 else f"Step {number(step)}" for step in self.steps)

    @property
    def left_out(self) -> int:
        """How many are not shown."""
        return self.drawn - len(self.pictures)


# What a prompt is, whatever its number is: runs are compared by that.
_Asked = tuple[str, str, tuple[tuple[str, str], ...]]


def grid_of(stories: Sequence[RunStory], places: Places) -> SampleGrid:
    """Returns the samples of the runs; of more than a page can hold the steps are thinned out evenly."""
    drawn = [_by_place(story) for story in stories]
    total = sum(len(pictures) for pictures in drawn)
    steps = _chosen(drawn)
    rows: dict[_Asked | int, list[PromptRow]] = {}
    prompts: dict[_Asked | int, SamplePrompt | None] = {}
    numbers: dict[_Asked | int, int] = {}
    for run, (story, pictures) in enumerate(zip(stories, drawn, strict=True)):
        known = {prompt.index: prompt for prompt in story.prompts}
        for index in sorted({prompt for prompt, _ in pictures}):
            prompt = known.get(index)
            asked: _Asked | int = index if prompt is None or not prompt.text else _asked(prompt)
            row = PromptRow(run, tuple(pictures.get((index, step)) for step in steps))
            rows.setdefault(asked, []).append(row)
            prompts.setdefault(asked, prompt)
            numbers.setdefault(asked, index)
    found = tuple(
        _prompt(prompts[asked], numbers[asked], rows[asked], places)
        for asked in sorted(rows, key=lambda asked: numbers[asked])
    )
    shown_here = sum(one is not None for prompt in found for row in prompt.rows for one in row.pictures)
    longest = next((side for most, side in SIDES_PX if shown_here <= most), SIDES_PX[-1][1])
    return SampleGrid(steps, found, total, longest)


def evenly(count: int, most: int) -> Iterator[int]:
    """Yields at most so many places of a row, the first and the last among them.

    >>> list(evenly(10, 4)), list(evenly(3, 4)), list(evenly(9, 1))
    ([0, 3, 6, 9], [0, 1, 2], [8])
    """
    if count <= most:
        yield from range(count)
    elif most == 1:
        yield count - 1
    else:
        yield from (round(place * (count - 1) / (most - 1)) for place in range(most))


def _by_place(story: RunStory) -> dict[tuple[int, int], SamplePicture]:
    """Returns the pictures by prompt and step; of two of one place the later one counts."""
    return {(one.prompt, one.step): one for one in story.samples}


def _chosen(drawn: Sequence[dict[tuple[int, int], SamplePicture]]) -> tuple[int, ...]:
    steps = sorted({step for pictures in drawn for _, step in pictures})
    total = sum(len(pictures) for pictures in drawn)
    if total <= MAX_PICTURES:
        return tuple(steps)
    most = max(1, MAX_PICTURES * len(steps) // total)
    return tuple(steps[place] for place in evenly(len(steps), most))


def _asked(prompt: SamplePrompt) -> _Asked:
    return prompt.text, prompt.negative, prompt.details


def _prompt(prompt: SamplePrompt | None, index: int, rows: Sequence[PromptRow], places: Places) -> PagePrompt:
    if prompt is None or not prompt.text:
        return PagePrompt(f"Prompt {index + 1}", False, "", (), tuple(rows))
    details = tuple((shown(name), shown(places.text(value))) for name, value in prompt.details)
    return PagePrompt(shown(prompt.text), True, shown(prompt.negative), details, tuple(rows))
