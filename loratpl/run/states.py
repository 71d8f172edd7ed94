"""Training states on disk: which is the newest of a run, and whether every byte of it is still there.

A state is a folder `state/step00000014` with what accelerate wrote and, written last, `position.json`: where in the
training it was saved, with size and SHA-256 of every other file. A folder without it, or one that ends with
`.partial`, was never finished and is no state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loratpl.errors import Problem
from loratpl.project import RunPaths
from loratpl.weights import sha256_of

STATE_SCHEMA = 1
POSITION_NAME = "position.json"
_FOLDER = re.compile(r"step(\d{1,18})")
_FIX = "Go on from another run with `kohyatpl run --from RUN`, or train from the beginning with `kohyatpl run`."


class _StateFile(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    size_bytes: int = Field(ge=0)
    sha256: str


class _Position(BaseModel):
    """What position.json holds; keys that only the trainer's process reads are passed over."""

    model_config = ConfigDict(frozen=True, strict=True)

    step: int = Field(ge=0)
    epoch: int = Field(ge=1)
    batches: int = Field(ge=0)
    max_train_steps: int = Field(ge=1)
    batches_per_epoch: int = Field(ge=1)
    gradient_accumulation_steps: int = Field(ge=1)
    processes: int = Field(ge=1)
    workers: int = Field(ge=0)
    persistent_workers: bool
    is_exact: bool
    inexact_because: str | None
    files: dict[str, _StateFile] = Field(min_length=1)


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    number: int = Field(alias="schema", ge=1)


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A state to resume from; where its position cannot be read there is a fault, and the numbers mean nothing.

    Attributes:
        paths: Of the run that saved it.
        folder: Where it is.
        step: After which it was saved.
        epoch: The one in progress, from 1.
        batches: How many of that epoch have been trained.
        max_train_steps: Of the training that saved it.
        batches_per_epoch: Over all processes.
        accumulation: Batches to a step.
        processes: How many trained side by side.
        workers: That loaded pictures.
        persistent_workers: Whether they lived on from epoch to epoch.
        is_exact: Whether what is trained from here is what would have been trained without a stop.
        inexact_because: Why it is not.
        files: Size in bytes and SHA-256 of each file.
        fault: Why its position cannot be used.
    """

    paths: RunPaths
    folder: Path
    step: int
    epoch: int = 1
    batches: int = 0
    max_train_steps: int = 0
    batches_per_epoch: int = 0
    accumulation: int = 1
    processes: int = 1
    workers: int = 0
    persistent_workers: bool = False
    is_exact: bool = False
    inexact_because: str | None = None
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict, repr=False)
    fault: Problem | None = None

    @property
    def name(self) -> str:
        """The state as problems name it: relative to its project."""
        return self.folder.relative_to(self.paths.run_dir.parent.parent).as_posix()


def states_of(paths: RunPaths) -> tuple[TrainingState, ...]:
    """Returns every finished state of a run, the newest first; mostly there is one."""
    found = []
    try:
        folders = list(paths.state_dir.iterdir())
    except OSError:
        return ()
    for folder in folders:
        matched = _FOLDER.fullmatch(folder.name)
        if matched is not None:
            state = _read(paths, folder, int(matched[1]))
            if state is not None:
                found.append(state)
    return tuple(sorted(found, key=lambda state: state.step, reverse=True))


def newest_state(paths: RunPaths) -> TrainingState | None:
    """Returns the newest state of a run, None where it saved none; `state_problem` says whether it can be used."""
    return next(iter(states_of(paths)), None)


def whole_state(paths: RunPaths) -> tuple[TrainingState | None, tuple[Problem, ...]]:
    """Returns the newest state of which nothing is damaged, and what is wrong with those that are newer.

    There are two when a run was killed between the writing of a state and the removal of the one before.
    """
    problems: list[Problem] = []
    for state in states_of(paths):
        problem = state_problem(state)
        if problem is None:
            return state, tuple(problems)
        problems.append(problem)
    return None, tuple(problems)


def state_problem(state: TrainingState) -> Problem | None:
    """Returns what keeps a run from going on from a state, None where every byte is as it was written.

    Sizes come first: a cut file is told without reading the others.
    """
    if state.fault is not None:
        return state.fault
    for check in (_size_fault, _content_fault):
        for name, (size_bytes, sha256) in state.files.items():
            try:
                fault = check(state.folder / name, size_bytes, sha256)
            except FileNotFoundError:
                fault = "is missing"
            except OSError as error:
                fault = f"cannot be read ({error.strerror or error})"
            if fault:
                return _damaged(state, name, fault)
    return None


def _size_fault(path: Path, size_bytes: int, _sha256: str) -> str:
    found = path.stat().st_size
    return "" if found == size_bytes else f"has {found} bytes, and {size_bytes} were written"


def _content_fault(path: Path, _size_bytes: int, sha256: str) -> str:
    return "" if sha256_of(path) == sha256 else "is not what was written: its SHA-256 is another"


def _read(paths: RunPaths, folder: Path, number: int) -> TrainingState | None:
    bare = TrainingState(paths, folder, number)
    try:
        text = (folder / POSITION_NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return _with_fault(bare, _damaged(bare, POSITION_NAME, f"cannot be read ({error.strerror or error})"))
    try:
        schema = _Schema.model_validate_json(text).number
        if schema > STATE_SCHEMA:
            return _with_fault(bare, _newer(bare, schema))
        position = _Position.model_validate_json(text)
    except ValidationError as error:
        return _with_fault(bare, _damaged(bare, POSITION_NAME, f"is not what kohyatpl writes: {_first(error)}"))
    outside = next((name for name in position.files if not _is_inside(name)), None)
    if outside is not None:
        return _with_fault(bare, _damaged(bare, POSITION_NAME, f"names a file outside the state: {outside}"))
    return TrainingState(
        paths,
        folder,
        position.step,
        position.epoch,
        position.batches,
        position.max_train_steps,
        position.batches_per_epoch,
        position.gradient_accumulation_steps,
        position.processes,
        position.workers,
        position.persistent_workers,
        position.is_exact,
        position.inexact_because,
        {name: (file.size_bytes, file.sha256) for name, file in position.files.items()},
    )


def _first(error: ValidationError) -> str:
    finding = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in finding["loc"])
    return f"{place}: {finding['msg']}" if place else finding["msg"]


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and "\\" not in name and not path.is_absolute() and ".." not in path.parts


def _with_fault(state: TrainingState, fault: Problem) -> TrainingState:
    return TrainingState(state.paths, state.folder, state.step, fault=fault)


def _damaged(state: TrainingState, name: str, what: str) -> Problem:
    message = f"The training state {state.name} cannot be resumed from: {name} {what}."
    return Problem("run.state.damaged", message, f"{state.name}/{name}", _FIX)


def _newer(state: TrainingState, schema: int) -> Problem:
    return Problem(
        "run.state.newer",
        f"The training state {state.name} was saved by a newer version of kohyatpl (format {schema}; this one reads "
        f"{STATE_SCHEMA}).",
        f"{state.name}/{POSITION_NAME}",
        "Update kohyatpl: `python -m pip install --upgrade kohyatpl`.",
    )
