"""The numbers of runs: all of them for the charts of a report, and some of them for its tables."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loratpl.ui.disk_text import in_bytes
from loratpl.ui.pages.report_samples import evenly
from loratpl.ui.plan_words import number, shown
from loratpl.ui.runs_text import loss_text

if TYPE_CHECKING:
    from loratpl.report.story.story import CheckpointMade, RunStory, StepNumbers
    from loratpl.ui.pages.report_heads import RunHead

MAX_TABLE_STEPS = 50
MAX_EPOCHS = 200
# A checkpoint's loss is the mean over so many steps before and after it: one step's tells next to nothing.
MOST_AROUND = 50
_HASH_CHARS = 12
# Seconds come from clocks that count milliseconds; what is behind that is the noise of subtracting.
_SECONDS_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under heads; the first column names the row."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PageCheckpoint:
    """A weights file that a run wrote.

    Attributes:
        run: Its place on the page, from 0.
        step: After which.
        epoch: That was done then, or was going on; "-" where the record does not say how long one is.
        loss: The mean of the steps around.
        name, size: Of the file; "" for a size that is not known.
        is_there, is_last: As they say.
        sha256: The beginning of it, "" where nothing was proven.
    """

    run: int
    step: int
    epoch: str
    loss: str
    name: str
    size: str
    is_there: bool
    is_last: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class NumberTables:
    """The numbers of one run to be read; `every` is the distance of its steps, and 1 means that all are there."""

    epochs: Table
    steps: Table
    every: int


def around(stories: Sequence[RunStory]) -> int:
    """Returns over how many steps before and after a checkpoint its loss is taken."""
    longest = max((len(story.numbers.steps) for story in stories), default=0)
    return max(2, min(MOST_AROUND, longest // 40))


def checkpoints_of(stories: Sequence[RunStory]) -> tuple[PageCheckpoint, ...]:
    """Returns every weights file of the runs, by run and step."""
    width = around(stories)
    return tuple(
        _checkpoint(run, story, made, width) for run, story in enumerate(stories) for made in story.checkpoints
    )


def tables_of(story: RunStory) -> NumberTables:
    """Returns the numbers of a run to be read without a chart."""
    numbers = story.numbers
    names = tuple(numbers.rates)
    count = len(numbers.steps)
    every = max(1, -(-count // MAX_TABLE_STEPS))
    places = [place for place in range(count) if numbers.steps[place] % every == 0 or place in (0, count - 1)]
    steps = Table(
        ("Step", "Loss", "Average loss", *(f"Learning rate {shown(name)}" for name in names), "Seconds"),
        tuple(_step_row(numbers, place) for place in places),
    )
    return NumberTables(_epochs(story), steps, every)


def data_of(stories: Sequence[RunStory], heads: Sequence[RunHead]) -> str:
    """Returns all numbers as JSON that may stand in an element of HTML: no character of it ends one, or begins one.

    The numbers are those of events.jsonl to the last digit; None is null.
    """
    runs = [_run_data(story, head) for story, head in zip(stories, heads, strict=True)]
    text = json.dumps({"runs": runs}, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _run_data(story: RunStory, head: RunHead) -> dict[str, Any]:
    numbers = story.numbers
    return {
        "label": head.label,
        "run_id": head.run_id,
        "colour": head.look.colour,
        "dash": head.look.dash,
        "began": next((time for time in numbers.times if time is not None), None),
        "steps": numbers.steps,
        "times": numbers.times,
        "losses": numbers.losses,
        "averages": numbers.average_losses,
        "rates": {shown(name): values for name, values in numbers.rates.items()},
        "seconds": [None if one is None else round(one, _SECONDS_DIGITS) for one in numbers.seconds],
        "epochs": [[one.epoch, one.step, one.average_loss] for one in story.epochs],
        "series": [
            {
                "name": shown(one.name),
                "isValidation": is_validation(one.name),
                "steps": one.steps,
                "values": one.values,
            }
            for one in story.series
        ],
        "memory": [[one.time, one.step, one.process_bytes, one.gpu_bytes] for one in story.memory],
        "checkpoints": [[one.step, shown(one.path.name)] for one in story.checkpoints],
        "samples": sorted({one.step for one in story.samples}),
    }


def is_validation(name: str) -> bool:
    """Returns whether a series is a loss of the validation, and not how far that is from the training's.

    >>> is_validation("loss/validation/step_average"), is_validation("loss/validation/epoch_divergence")
    (True, False)
    """
    return "validation" in name and "loss" in name and "divergence" not in name


def _step_row(numbers: StepNumbers, place: int) -> tuple[str, ...]:
    seconds = numbers.seconds[place]
    return (
        number(numbers.steps[place]),
        loss_text(numbers.losses[place]),
        loss_text(numbers.average_losses[place]),
        *(rate_text(values[place]) for values in numbers.rates.values()),
        "-" if seconds is None else f"{seconds:.3f}",
    )


def rate_text(value: float | None) -> str:
    """Returns a learning rate to four digits.

    >>> rate_text(0.0001), rate_text(1.0), rate_text(0.000012345), rate_text(None)
    ('0.0001', '1', '1.234e-05', '-')
    """
    return "-" if value is None else f"{value:.4g}"


def _epochs(story: RunStory) -> Table:
    numbers = story.numbers
    names = tuple(numbers.rates)
    # Validation is told at the end of an epoch, or every few steps: the last value up to then is that of the epoch.
    series = [one for one in story.series if "epoch" in one.name or "average" in one.name]
    rows = []
    for index in evenly(len(story.epochs), MAX_EPOCHS):
        epoch = story.epochs[index]
        place = bisect_right(numbers.steps, epoch.step) - 1
        begin = story.epochs[index - 1].step if index else 0
        rows.append((
            number(epoch.epoch),
            number(epoch.step),
            loss_text(epoch.average_loss),
            *(loss_text(_last_between(one.steps, one.values, begin, epoch.step)) for one in series),
            *(rate_text(numbers.rates[name][place] if place >= 0 else None) for name in names),
        ))  # fmt: skip
    heads = (
        "Epoch",
        "Last step",
        "Mean loss",
        *(shown(one.name) for one in series),
        *(f"Learning rate {shown(name)}" for name in names),
    )
    return Table(heads, tuple(rows))


def _last_between(steps: Sequence[int], values: Sequence[float | None], after: int, until: int) -> float | None:
    place = bisect_right(steps, until) - 1
    return values[place] if place >= 0 and steps[place] > after else None


def _checkpoint(run: int, story: RunStory, made: CheckpointMade, width: int) -> PageCheckpoint:
    return PageCheckpoint(
        run,
        made.step,
        _epoch_at(story, made.step),
        loss_text(_mean_around(story.numbers, made.step, width)),
        shown(made.path.name),
        "" if made.size_bytes is None else in_bytes(made.size_bytes),
        made.is_there,
        made.is_last,
        (made.sha256 or "")[:_HASH_CHARS],
    )


def _epoch_at(story: RunStory, step: int) -> str:
    """Returns the epoch that a step is in, as the trainer counts them."""
    steps = story.detail.record.plan.get("steps_per_epoch")
    if not isinstance(steps, int) or steps <= 0:
        return "-"
    return number(max(1, -(-step // steps)))


def _mean_around(numbers: StepNumbers, step: int, width: int) -> float | None:
    first, last = bisect_left(numbers.steps, step - width), bisect_right(numbers.steps, step + width)
    losses = [loss for loss in numbers.losses[first:last] if loss is not None]
    return sum(losses) / len(losses) if losses else None
