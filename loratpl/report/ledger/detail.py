"""One run in full: its record, where it comes from and what came of it, and what is left of it on the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.errors import Problem
from loratpl.project import ProjectPaths
from loratpl.records import RunRecord
from loratpl.report.ledger.listing import RunSummary, live_run, summary_of
from loratpl.run.history import KnownRun, lineage, runs_of
from loratpl.run.states import TrainingState, states_of


@dataclass(frozen=True, slots=True)
class Relation:
    """Another run that this one has to do with.

    Attributes:
        run_id: The other one's.
        is_there: Whether it is still in the log folder.
        step: Where one goes on from the other: the step.
    """

    run_id: str
    is_there: bool
    step: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns it as `runs show --json` has it."""
        return {"run_id": self.run_id, "is_there": self.is_there, "step": self.step}


@dataclass(frozen=True, slots=True)
class LeftState:
    """A training state that a run left.

    Attributes:
        state: The state.
        size_bytes: Of all its files, as they are.
        fault: What its position or the sizes of its files show to be wrong; "" where nothing is.
    """

    state: TrainingState
    size_bytes: int
    fault: str

    def as_json(self) -> dict[str, Any]:
        """Returns it as `runs show --json` has it."""
        return {
            "state_dir": str(self.state.folder),
            "step": self.state.step,
            "epoch": self.state.epoch,
            "size_bytes": self.size_bytes,
            "is_exact": self.state.is_exact,
            "inexact_because": self.state.inexact_because,
            "fault": self.fault or None,
        }


@dataclass(frozen=True, slots=True)
class RunDetail:
    """One run in full.

    Attributes:
        project: The run's.
        summary: In a few words.
        record: Its record.
        parents: The runs that it goes on from, the nearest first; each with the step after which the next one began.
        children: The runs that went on from it.
        repeats: The run whose settings it used again.
        repeated_by: Runs that used its settings again.
        states: What it left to go on from, the newest first.
        size_bytes: Of its folder.
        commands: What can be done with it, each with what that does.
    """

    project: ProjectPaths
    summary: RunSummary
    record: RunRecord
    parents: tuple[Relation, ...]
    children: tuple[Relation, ...]
    repeats: Relation | None
    repeated_by: tuple[Relation, ...]
    states: tuple[LeftState, ...]
    size_bytes: int

    @property
    def can_be_resumed(self) -> bool:
        """Whether a state is there, of this run or one before it, and something is left to train."""
        if self.summary.state in ("finished", "running"):
            return False
        usable = any(not state.fault for state in self.states)
        return usable or (not self.states and any(parent.is_there for parent in self.parents))

    def as_json(self) -> dict[str, Any]:
        """Returns the data of `runs show --json`: the record, and what is known beside it."""
        return {
            **self.record.model_dump(),
            "now": {
                "state": self.summary.state,
                "is_settled": self.summary.is_settled,
                "last_step": self.summary.last_step,
                "loss": self.summary.loss,
                "average_loss": self.summary.average_loss,
                "duration_s": self.summary.duration_s,
                "size_bytes": self.size_bytes,
                "can_be_resumed": self.can_be_resumed,
                "outputs": [
                    {"path": str(one.path), "size_bytes": one.size_bytes, "is_there": one.is_there}
                    for one in self.summary.outputs
                ],
                "states": [state.as_json() for state in self.states],
            },
            "lineage": {
                "parents": [one.as_json() for one in self.parents],
                "children": [one.as_json() for one in self.children],
                "repeats": self.repeats.as_json() if self.repeats else None,
                "repeated_by": [one.as_json() for one in self.repeated_by],
            },
        }


def detail_of(project: ProjectPaths, run: KnownRun) -> RunDetail:
    """Returns a run in full; nothing is written.

    Raises:
        ProjectError: Its record, or the log folder, cannot be read.
    """
    record = run.whole_record()
    others = runs_of(project)
    is_live = run.may_be_running and (live := live_run(project, others)) is not None and live.run_id == run.run_id
    known = {one.run_id for one in others}
    children, repeated_by = [], []
    for other in others:
        theirs = other.record
        if theirs is not None and theirs.parent == run.run_id:
            children.append(Relation(other.run_id, True, theirs.start_step))
        if theirs is not None and theirs.repeats == run.run_id:
            repeated_by.append(Relation(other.run_id, True))
    return RunDetail(
        project,
        summary_of(project, run, is_live=is_live),
        record,
        tuple(_parents(project, run)),
        tuple(children),
        Relation(record.repeats, record.repeats in known) if record.repeats else None,
        tuple(repeated_by),
        tuple(_left(state) for state in states_of(run.paths)),
        size_of_tree(run.paths.run_dir),
    )


def size_of_tree(path: Path) -> int:
    """Returns the bytes of all files in and below a folder, or of a file; links are not followed."""
    try:
        status = path.lstat()
    except OSError:
        return 0
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size
    total, folders = 0, [str(path)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def _parents(project: ProjectPaths, run: KnownRun) -> Iterator[Relation]:
    """A parent that was removed ends what is known."""
    chain = list(lineage(project, run))
    for one, before in zip(chain, [*chain[1:], None], strict=True):
        record = one.record
        if record is not None and record.parent is not None:
            is_there = before is not None
            yield Relation(record.parent, is_there, record.start_step)


def _left(state: TrainingState) -> LeftState:
    fault: Problem | None = state.fault
    text = "" if fault is None else fault.message
    for name, (size_bytes, _) in state.files.items():
        try:
            found: int | None = (state.folder / name).stat().st_size
        except OSError:
            found = None
        if found != size_bytes and not text:
            text = (
                f"{name} is missing." if found is None else f"{name} has {found} bytes, and {size_bytes} were written."
            )
    return LeftState(state, size_of_tree(state.folder), text)
