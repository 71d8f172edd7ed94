"""Compares what the story of each run tells with what the trainer itself wrote for TensorBoard, number by number.

`python -m tests.benchmarks.tensorboard_equality PROJECT [RUN …]` needs the installed trainer, whose own TensorBoard
reads the files; without RUN all runs of the project are compared. A row for each tag: how many points the trainer
wrote, how many of them the story has with the same value, how many differ, and how many it lacks; then how many the
story has of this run that the trainer's files do not. TensorBoard keeps numbers as float32: ours are rounded to that.
"""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loratpl.project import ProjectPaths
from loratpl.report.story.reading import story_of
from loratpl.report.story.story import Number, RunStory
from loratpl.run.history import find_run, runs_of
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status

Points = dict[int, Number]
# Of a step that is told more than once, as within an accumulation, the first number is the step's.
_SCALARS = """
import json, sys
from pathlib import Path
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator
found = {}
for folder in sorted({path.parent for path in Path(sys.argv[1]).rglob("events.out*")}):
    events = EventAccumulator(str(folder), size_guidance={SCALARS: 0}, purge_orphaned_data=False).Reload()
    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            found.setdefault(tag, []).append((event.step, repr(event.value)))
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Row:
    """How the numbers of a tag compare."""

    tag: str
    points: int
    equal: int
    differing: int
    missing: int
    more: int

    @property
    def is_equal(self) -> bool:
        """Whether both have the same steps with the same values."""
        return self.differing == self.missing == self.more == 0


def as_float32(value: float) -> float:
    """Returns the number that TensorBoard keeps of one."""
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return rounded


def of_tensorboard(python_path: Path, tensorboard_dir: Path) -> dict[str, Points]:
    """Returns the trainer's numbers by tag and step; those that are not finite are None, as in events.jsonl."""
    done = subprocess.run([python_path, "-c", _SCALARS, tensorboard_dir], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Points] = {}
    for tag, points in json.loads(done.stdout).items():
        for step, text in points:
            value = float(text)
            found.setdefault(tag, {}).setdefault(step, value if math.isfinite(value) else None)
    return found


def of_story(story: RunStory) -> dict[str, Points]:
    """Returns the story's numbers by the trainer's tags and steps, those of this run alone."""
    numbers, after = story.numbers, story.detail.record.start_step
    columns = {
        "loss/current": numbers.losses,
        "loss/average": numbers.average_losses,
        **{f"lr/{name}": values for name, values in numbers.rates.items()},
    }
    found = {
        tag: {step: value for step, value in zip(numbers.steps, values, strict=True) if step > after}
        for tag, values in columns.items()
    }
    # The trainer counts epochs where these are told, the story stands them at the last step of each.
    epoch_at = {epoch.step: epoch.epoch for epoch in story.epochs}
    found["loss/epoch_average"] = {one.epoch: one.average_loss for one in story.epochs if one.step > after}
    for series in story.series:
        points = {step: value for step, value in zip(series.steps, series.values, strict=True) if step > after}
        is_of_epochs = "/epoch_" in series.name
        found[series.name] = {epoch_at.get(step, -1): v for step, v in points.items()} if is_of_epochs else points
    return {tag: points for tag, points in found.items() if points}


def compared(theirs: Mapping[str, Points], ours: Mapping[str, Points], after: int) -> Iterator[Row]:
    """Yields a row for each tag that either of them has.

    Args:
        theirs: Of TensorBoard's files.
        ours: Of the story.
        after: The step that the run went on from: what is told within an accumulation before its first step is none.
    """
    for tag in sorted(theirs.keys() | ours.keys()):
        is_of_steps = "epoch_" not in tag
        wrote = {step: value for step, value in theirs.get(tag, {}).items() if not is_of_steps or step > after}
        told = ours.get(tag, {})
        shared = wrote.keys() & told.keys()
        equal = sum(_are_equal(wrote[step], told[step]) for step in shared)
        yield Row(tag, len(wrote), equal, len(shared) - equal, len(wrote) - len(shared), len(told) - len(shared))


def _are_equal(theirs: Number, ours: Number) -> bool:
    return theirs is None if ours is None else theirs == as_float32(ours)


def main(project: ProjectPaths, names: list[str]) -> int:
    """Prints a table for each run; returns 1 where something differs."""
    python_path = status(load_pin()).paths.python_path
    runs = [find_run(project, name) for name in names] or list(runs_of(project))
    is_equal = True
    for run in reversed(runs):
        story = story_of(project, run)
        after = story.detail.record.start_step
        theirs = of_tensorboard(python_path, run.paths.tensorboard_dir)
        print(f"{run.run_id}: {story.detail.summary.state}, steps {after + 1} to {story.detail.summary.last_step}\n")
        print("| tag | points | equal | differing | missing | more |")
        print("|---|---|---|---|---|---|")
        for row in compared(theirs, of_story(story), after):
            is_equal &= row.is_equal
            print(f"| {row.tag} | {row.points} | {row.equal} | {row.differing} | {row.missing} | {row.more} |")
        print(flush=True)
    return 0 if is_equal else 1


if __name__ == "__main__":
    sys.exit(main(ProjectPaths(Path(sys.argv[1]).resolve()), sys.argv[2:]))
