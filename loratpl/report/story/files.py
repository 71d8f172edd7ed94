"""The checkpoints and sample pictures that a training told of: each where it lies now, whoever of its runs made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.records import Output
from loratpl.report.ledger.event_lines import RunPart, number, whole
from loratpl.report.ledger.outputs import OutputFile, has_size, place_of
from loratpl.report.ledger.settings import read_values
from loratpl.report.story.story import CheckpointMade, Number, SamplePicture
from loratpl.run.again import project_dir_then, re_anchored
from loratpl.run.samples import SampleNames


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    step: int
    time: Number
    path: Path
    size_bytes: int | None
    is_last: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """A run whose events are read, with what says how its files are called."""

    part: RunPart
    moved_from: PurePath | None
    options: Mapping[str, Any]
    names: SampleNames | None

    @property
    def output_name(self) -> str | None:
        name = self.options.get("output_name")
        return name if isinstance(name, str) else None


@dataclass
class Files:
    """Gathers the files of a training, run by run and event by event.

    Attributes:
        project: The runs'.
        unplaced: How many pictures nobody can say the prompt of.
        parts_with_samples: The runs that drew those that count, the first one first, with their settings.
    """

    project: ProjectPaths
    unplaced: int = 0
    _now: _Part | None = None
    _checkpoints: dict[str, _Checkpoint] = field(default_factory=dict)
    _samples: dict[tuple[int, int], tuple[SamplePicture, _Part]] = field(default_factory=dict)

    def begin(self, part: RunPart, options: Mapping[str, Any] | None = None) -> None:
        """Is told that the events of a run follow; its settings are read unless they are given."""
        record = part.run.record
        moved_from = None if record is None else project_dir_then(record)
        options = (read_values(part.run.paths) or {}) if options is None else options
        names = None if record is None else _names(options, record.plan)
        self._now = _Part(part, moved_from, options, names)

    def take(self, event: Mapping[str, Any]) -> None:
        """Adds one event of the present run."""
        kind, path, now = event.get("event"), event.get("path"), self._now
        if kind not in ("checkpoint", "sample") or not isinstance(path, str) or now is None:
            return
        place = Path(self._anchored(path, now.moved_from))
        step, time = whole(event.get("step")), number(event.get("time"))
        if kind == "sample":
            self._take_sample(event, place, step, time, now)
        elif step is not None and now.part.holds(step):
            size = whole(event.get("size_bytes"))
            is_last = place.stem == now.output_name
            self._checkpoints[place_of(place)] = _Checkpoint(step, time, place, size, is_last)

    def _take_sample(self, event: Mapping[str, Any], path: Path, step: int | None, time: Number, now: _Part) -> None:
        prompt = whole(event.get("prompt"))
        if prompt is None or step is None:  # of an older version, which took the last step told
            found = now.names.place_of(path.name) if now.names is not None else None
            if found is None:
                self.unplaced += 1
                return
            step, prompt = found
        if now.part.holds(step):
            self._samples[step, prompt] = SamplePicture(step, prompt, time, path, path.is_file()), now

    def _anchored(self, path: str, moved_from: PurePath | None) -> str:
        if moved_from is None:
            return path
        anchored: str = re_anchored(path, moved_from, self.project.root_dir.resolve())
        return anchored

    # --- what was gathered

    def samples(self) -> tuple[SamplePicture, ...]:
        """Returns the pictures by step and prompt."""
        return tuple(self._samples[key][0] for key in sorted(self._samples))

    def drawn_by(self) -> tuple[tuple[RunPart, Mapping[str, Any], frozenset[int]], ...]:
        """Returns the runs that drew the pictures, the last one first, with their settings and the prompts' indices."""
        found: dict[int, tuple[_Part, set[int]]] = {}
        for (_, prompt), (_, part) in self._samples.items():
            found.setdefault(id(part), (part, set()))[1].add(prompt)
        parts = sorted(found.values(), key=lambda one: one[0].part.after, reverse=True)
        return tuple((one.part, one.options, frozenset(prompts)) for one, prompts in parts)

    def checkpoints(self, proven: Sequence[tuple[OutputFile, Output]], last_step: int) -> tuple[CheckpointMade, ...]:
        """Returns the weights files in the order in which they were written.

        Args:
            proven: Those of the record: where they lie now, and what was recorded.
            last_step: Of the record, for one of these whose step nobody told.
        """
        left = {place_of(now.path): (now, then) for now, then in proven}
        found = []
        for place, told in self._checkpoints.items():
            output = left.pop(place, None)
            found.append(_made(told, None if output is None else output[0]))
        for index, (now, then) in enumerate(left.values()):
            is_last = not any(one.is_last for one in found) and index == len(left) - 1
            step = last_step if then.ss_steps is None else then.ss_steps
            made = CheckpointMade(step, None, now.path, now.size_bytes, now.is_there, is_last, now.sha256)
            found.append(made)
        return tuple(sorted(found, key=lambda one: (one.step, one.is_last)))


def _names(options: Mapping[str, Any], plan: Mapping[str, Any]) -> SampleNames | None:
    name, per_epoch, total = options.get("output_name"), whole(plan.get("steps_per_epoch")), plan.get("total_steps")
    if not isinstance(name, str) or per_epoch is None or not isinstance(total, int):
        return None
    return SampleNames(name, per_epoch, total)


def _made(told: _Checkpoint, output: OutputFile | None) -> CheckpointMade:
    size = told.size_bytes if output is None else output.size_bytes
    is_there = told.path.is_file() if size is None else has_size(told.path, size)
    sha256 = None if output is None else output.sha256
    return CheckpointMade(told.step, told.time, told.path, size, is_there, told.is_last, sha256)
