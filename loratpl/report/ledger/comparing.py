"""Two recorded runs side by side: what went in, what was planned, and how the loss went."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.records import ConceptRecord, RunRecord
from loratpl.report.ledger.events import Curve, curve_of
from loratpl.report.ledger.listing import RunSummary, live_run, summary_of
from loratpl.report.ledger.settings import script_of
from loratpl.run.again import recorded_settings
from loratpl.run.comparison import Comparison, Difference, Side, differences_between, recorded_side
from loratpl.run.history import KnownRun, runs_of

SPARKS = 40
_PLAN = (
    "total_steps", "epochs", "steps_per_epoch", "batches_per_epoch", "train_images", "reg_images", "validation_images",
    "gradient_accumulation_steps", "processes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planned:
    """A figure of the plan, or of what became of it, that is not the same in both."""

    key: str
    before: str | None
    now: str | None

    def as_json(self) -> dict[str, Any]:
        """Returns it as `runs diff --json` has it."""
        return {"key": self.key, "before": self.before, "now": self.now}


@dataclass(frozen=True, slots=True)
class Curves:
    """The losses of two runs; None where a figure has nothing to be taken from.

    Attributes:
        steps: How many each of them told.
        shared_steps: How many both told, with a number.
        first_step, last_step: Of these.
        mean_difference: Of the second's loss less the first's, over these.
        mean_distance: The same without its sign: 0 for runs that are one and the same.
        average_losses: The trainer's moving average at the end of each.
        sparks: The loss of each over the steps of both, averaged over equal stretches; NaN where there is none.
    """

    steps: tuple[int, int]
    shared_steps: int
    first_step: int | None
    last_step: int | None
    mean_difference: float | None
    mean_distance: float | None
    average_losses: tuple[float | None, float | None]
    sparks: tuple[tuple[float, ...], tuple[float, ...]]

    def as_json(self) -> dict[str, Any]:
        """Returns it as `runs diff --json` has it."""
        return {
            "steps": list(self.steps),
            "shared_steps": self.shared_steps,
            "first_step": self.first_step,
            "last_step": self.last_step,
            "mean_difference": self.mean_difference,
            "mean_distance": self.mean_distance,
            "average_losses": list(self.average_losses),
            "sparks": [[None if math.isnan(value) else value for value in spark] for spark in self.sparks],
        }


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs side by side.

    Attributes:
        runs: The first and the second.
        comparison: What went in; what is not known of it.
        plan: What was planned, and what became of it.
        curves: How the loss went.
    """

    runs: tuple[RunSummary, RunSummary]
    comparison: Comparison
    plan: tuple[Planned, ...]
    curves: Curves

    def as_json(self) -> dict[str, Any]:
        """Returns the data of `runs diff --json`."""
        return {
            "runs": [run.run.run_id for run in self.runs],
            "differences": [
                {
                    "what": one.what, "key": one.key, "before": one.before, "now": one.now, "matters": one.matters,
                    "reason": one.reason,
                }
                for one in self.comparison.differences
            ],
            "unknown": list(self.comparison.unknown),
            "plan": [one.as_json() for one in self.plan],
            "curves": self.curves.as_json(),
        }  # fmt: skip


def compare_runs(project: ProjectPaths, first: KnownRun, second: KnownRun) -> RunComparison:
    """Returns two runs side by side; nothing is written.

    Raises:
        ProjectError: A record or a run's config cannot be read.
    """
    records = first.whole_record(), second.whole_record()
    sides = _side(project, first, records[0]), _side(project, second, records[1])
    found = differences_between(*sides, _named)
    differences = (*found.differences, *_places(*records))
    live = live_run(project, runs_of(project)) if first.may_be_running or second.may_be_running else None
    live_id = live.run_id if live else None
    summaries = (
        summary_of(project, first, is_live=first.run_id == live_id),
        summary_of(project, second, is_live=second.run_id == live_id),
    )
    return RunComparison(
        summaries,
        Comparison(differences, found.unknown),
        tuple(_planned(*records)),
        curves_of(curve_of(project, first), curve_of(project, second)),
    )


def curves_of(first: Curve, second: Curve) -> Curves:
    """Returns two curves side by side."""
    count, total, distance = 0, 0.0, 0.0
    first_step = last_step = None
    index = 0
    for step, loss in zip(first.steps, first.losses, strict=True):
        while index < len(second.steps) and second.steps[index] < step:
            index += 1
        if index == len(second.steps):
            break
        difference = second.losses[index] - loss if second.steps[index] == step else math.nan
        if not math.isnan(difference):
            count, total, distance = count + 1, total + difference, distance + abs(difference)
            first_step, last_step = step if first_step is None else first_step, step
    ends = [(curve.steps[0], curve.steps[-1]) for curve in (first, second) if curve.steps]
    start, end = (min(one[0] for one in ends), max(one[1] for one in ends)) if ends else (0, 0)
    return Curves(
        (len(first.steps), len(second.steps)),
        count,
        first_step,
        last_step,
        total / count if count else None,
        distance / count if count else None,
        (first.average_loss, second.average_loss),
        (_sparks(first, start, end), _sparks(second, start, end)),
    )


def _side(project: ProjectPaths, run: KnownRun, record: RunRecord) -> Side:
    values = recorded_settings(project, run.paths, record).values
    unhashed = f"{run.run_id} ended before it was hashed"
    return recorded_side(record, values, script_of(values, record), unhashed)


def _named(concept: ConceptRecord) -> str:
    return f"{'reg_dir' if concept.is_reg else 'image_dir'}/{concept.folder}"


def _places(first: RunRecord, second: RunRecord) -> Iterator[Difference]:
    """What was around them: the machine, and the project's own commit."""
    reason = "the same arithmetic on another machine differs by rounding"
    for name in sorted(first.system.keys() | second.system.keys()):
        before, now = first.system.get(name), second.system.get(name)
        if before != now:
            yield Difference("environment", name, before, now, matters=False, reason=reason)
    commits = _commit(first), _commit(second)
    if commits[0] != commits[1]:
        reason = "pictures and settings are compared by themselves"
        yield Difference("environment", "the project's git commit", commits[0], commits[1], False, reason)


def _commit(record: RunRecord) -> str | None:
    return None if record.git is None else record.git.commit[:12] + " and changes" * record.git.is_dirty


def _planned(first: RunRecord, second: RunRecord) -> Iterator[Planned]:
    for key in _PLAN:
        before, now = first.plan.get(key), second.plan.get(key)
        if before != now:
            yield Planned(key, _text(before), _text(now))
    buckets = _buckets(first.plan.get("buckets")), _buckets(second.plan.get("buckets"))
    if buckets[0] != buckets[1]:
        yield Planned("buckets", *buckets)
    for key in ("state", "last_step", "start_step"):
        before, now = getattr(first, key), getattr(second, key)
        if before != now:
            yield Planned(key, _text(before), _text(now))


def _buckets(found: Any) -> str | None:
    """Returns buckets as "512x512: 20, …", in the order of their sizes."""
    if not isinstance(found, list):
        return None
    rows = [[one.get(name) for name in ("width", "height", "images")] for one in found if isinstance(one, dict)]
    sizes = sorted(row for row in rows if all(isinstance(value, int) for value in row))
    return ", ".join(f"{width}x{height}: {images}" for width, height, images in sizes)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _sparks(curve: Curve, start: int, end: int) -> tuple[float, ...]:
    """Returns the mean loss over each of equal stretches from `start` to `end`, both counted in."""
    width = min(SPARKS, end - start + 1) if curve.steps else 0
    sums: list[float] = [0.0] * width
    counts = [0] * width
    for step, loss in zip(curve.steps, curve.losses, strict=True):
        if not math.isnan(loss):
            place = (step - start) * width // (end - start + 1)
            sums[place] += loss
            counts[place] += 1
    return tuple(_mean(one, count) for one, count in zip(sums, counts, strict=True))


def _mean(total: float, count: int) -> float:
    return total / count if count else math.nan
