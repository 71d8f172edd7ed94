"""Gathers the story of a run: its events are read once, from the first of the runs that it goes on from to its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from loratpl.project import ProjectPaths
from loratpl.records import RecordedProblem
from loratpl.report.ledger.detail import RunDetail, detail_of
from loratpl.report.ledger.event_lines import RunPart, event_in, lines_of, parts_of
from loratpl.report.story.concepts import concepts_of
from loratpl.report.story.files import Files
from loratpl.report.story.numbers import Numbers
from loratpl.report.story.prompts import prompts_of
from loratpl.report.story.settings import setting_rows
from loratpl.report.story.story import RunStory
from loratpl.run.again import project_dir_then
from loratpl.run.history import KnownRun


def story_of(project: ProjectPaths, run: KnownRun) -> RunStory:
    """Returns everything that a report tells of a run; nothing is written.

    Raises:
        ProjectError: Its record, or the log folder, cannot be read.
    """
    detail = detail_of(project, run)
    meaning = detail.summary.meaning
    options = meaning.options if meaning is not None else {}
    gathered = _Gathered(detail, Files(project))
    for part in parts_of(project, run):
        gathered.read(part, options if part.until is None else None)
    unknown = [*_unknown_parents(detail), *gathered.unknown]
    samples = gathered.files.samples()
    prompts = prompts_of(project, gathered.files.drawn_by(), unknown)
    record = detail.record
    return RunStory(
        detail,
        gathered.numbers.of_steps(),
        gathered.numbers.epochs(),
        gathered.numbers.series(),
        gathered.numbers.memory(),
        gathered.files.checkpoints(
            tuple(zip(detail.summary.outputs, record.outputs, strict=True)), detail.summary.last_step or 0
        ),
        prompts,
        samples,
        concepts_of(project, record.concepts, options, project_dir_then(record)),
        setting_rows(meaning, record, unknown),
        tuple(unknown),
        tuple(record.problems) or tuple(gathered.problems),
    )


@dataclass
class _Gathered:
    """What the events of a training tell, and what they leave out."""

    detail: RunDetail
    files: Files
    numbers: Numbers = field(default_factory=Numbers)
    problems: list[RecordedProblem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def read(self, part: RunPart, options: Mapping[str, Any] | None) -> None:
        """Takes in the events of a run; those that come after must be read after."""
        damaged, is_own = 0, part.until is None
        unplaced = self.files.unplaced
        self.numbers.begin(part)
        self.files.begin(part, options)
        for line in lines_of(part.run.paths.events_path):
            event = event_in(line)
            if event is None:
                damaged += bool(line.strip()) and not self._is_being_written(part, line)
                continue
            self.numbers.take(event)
            self.files.take(event)
            if is_own and event.get("event") == "problem":
                self._take_problem(event)
        self.numbers.end()
        self.unknown += self._left_out(part, damaged, self.files.unplaced - unplaced)

    def _is_being_written(self, part: RunPart, line: bytes) -> bool:
        is_live = self.detail.summary.state == "running"
        return is_live and part.until is None and not line.endswith(b"\n")

    def _take_problem(self, event: Mapping[str, Any]) -> None:
        values = {name: value for name, value in event.items() if name in RecordedProblem.model_fields}
        try:
            self.problems.append(RecordedProblem.model_validate(values))
        except ValidationError:
            self.unknown.append("A problem was found while the run was live, and what it was cannot be read.")

    def _left_out(self, part: RunPart, damaged: int, unplaced: int) -> Iterator[str]:
        run_id, path = part.run.run_id, part.run.paths.events_path
        if not path.is_file():
            yield f"What {run_id} told while it ran is not known: its {path.name} is gone."
            return
        if damaged:
            lines = _counted(damaged, "line")
            yield f"{lines} of the {path.name} of {run_id} cannot be read: what stood there is missing."
        record = part.run.record
        end = part.until
        if end is None:
            end = max(self.numbers.last_step, record.last_step if record is not None else 0)
        missing = end - part.after - self.numbers.told
        if missing > 0:
            yield f"Of {_counted(missing, 'step')} of {run_id} nothing is known: its {path.name} does not have them."
        if unplaced:
            yield (
                f"{_counted(unplaced, 'sample picture')} of {run_id} cannot be placed: neither events nor names "
                "tell of which prompts they are."
            )
        if self.numbers.is_cut and part.until is None:
            yield "More numbers were told than can be shown, and some were left out."


def _unknown_parents(detail: RunDetail) -> Iterator[str]:
    for parent in detail.parents:
        if not parent.is_there:
            yield (
                f"{parent.run_id}, which this training goes on from after step {parent.step}, is gone: what came "
                "before is not known."
            )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
