"""run.json, the record of one run, and events.jsonl, what happened in it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from loratpl.errors import Problem, ProjectError

RECORD_SCHEMA = 2  # 1 had neither states while training, nor what a run goes on from; it is read as it is
RunState = Literal["running", "finished", "stopped", "failed", "lost"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConceptRecord(_Part):
    """One folder as it was trained; `content_sha256` is over the names and bytes of its pictures and captions."""

    folder: str
    images: int
    repeats: int
    is_reg: bool
    content_sha256: str | None = None


class Output(_Part):
    """One file that came out, with what was checked of it."""

    path: str
    size_bytes: int
    sha256: str
    ss_steps: int | None
    tensors: int
    trained: int
    trainable: int


class Failure(_Part):
    """Why a run did not end as planned."""

    cause: str
    fix: str = ""


class Memory(_Part):
    """The most memory that the trainer's first process held; None for what could not be told.

    `gpu_peak_bytes` is what torch had given to tensors, `gpu_reserved_bytes` what it had taken from the GPU for that.
    """

    process_peak_bytes: int | None = None
    gpu_peak_bytes: int | None = None
    gpu_reserved_bytes: int | None = None


class GitState(_Part):
    """What git says of the project's folder: the commit, and whether files differ from it."""

    commit: str
    is_dirty: bool
    branch: str | None = None


class RecordedDifference(_Part):
    """What was not as in the run that this one goes on from or repeats."""

    what: str
    key: str
    before: str | None = None
    now: str | None = None


class RecordedProblem(_Part):
    """What was found while the run was live; `step` is the last one done by then."""

    code: str
    severity: Literal["error", "warning"]
    where: str
    message: str
    fix: str = ""
    step: int = 0


class RunRecord(_Part):
    """Everything worth knowing of a run; replaced atomically whenever it changes.

    Times are UTC in ISO 8601; `model_sha256` is of the file, or over names and bytes of a Diffusers folder's files.

    Attributes:
        parent: The run whose state this one goes on from.
        start_step: The step of that state; 0 for a training that begins.
        repeats: The run whose settings are used again.
        differences: What differs from the run before all the same.
        problems: What was found while it ran.
        state_dir: The newest state to resume from.
        overrides: Settings that were given on the command line; no secrets.
        sources: Where each option of the run's config.json came from, and its family, as `config show` says it; {} of
            an older version.
        config_file: The config where another than the project's own was named.
    """

    schema_version: int = RECORD_SCHEMA
    run_id: str
    state: RunState
    kohyatpl: str
    pin: str
    python: str
    packages: dict[str, str]
    argv: list[str]
    env: dict[str, str]
    model: str
    model_sha256: str | None = None
    seed: int
    plan: dict[str, Any]
    concepts: list[ConceptRecord]
    started_at: str
    ended_at: str | None = None
    returncode: int | None = None
    last_step: int = 0
    outputs: list[Output] = []
    state_dir: str | None = None
    parent: str | None = None
    start_step: int = 0
    repeats: str | None = None
    differences: list[RecordedDifference] = []
    problems: list[RecordedProblem] = []
    overrides: dict[str, Any] = {}
    sources: dict[str, str] = {}
    config_file: str | None = None
    project_dir: str | None = None
    git: GitState | None = None
    system: dict[str, str] = {}
    failure: Failure | None = None
    memory: Memory | None = None


def write_record(path: Path, record: RunRecord) -> None:
    """Replaces the record at `path`: a reader sees the old one or the new one, never a part.

    Raises:
        OSError: It cannot be written; names the record.
    """
    partial = path.with_suffix(".json.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            current = record.model_copy(update={"schema_version": RECORD_SCHEMA})
            file.write(current.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_record(path: Path) -> RunRecord:
    """Returns the record at `path`.

    Raises:
        ProjectError: It is missing, damaged, or of a newer version of kohyatpl.
    """
    try:
        data = json.loads(path.read_bytes())
        version = data["schema_version"]
        if version > RECORD_SCHEMA:
            raise ProjectError(
                Problem(
                    "project.record.newer",
                    f"{path} was written by a newer version of kohyatpl (format {version}; this one reads "
                    f"{RECORD_SCHEMA}).",
                    str(path),
                    "Update kohyatpl: `python -m pip install --upgrade kohyatpl`.",
                )
            )
        return RunRecord.model_validate(data)
    except (OSError, ValueError, TypeError, KeyError, ValidationError) as error:
        raise ProjectError(
            Problem("project.record.damaged", f"{path} cannot be read as the record of a run: {error}.", str(path))
        ) from error


def append_event(path: Path, event: dict[str, Any]) -> None:
    """Appends one event; it is lost when the disk is full, which must not end a training."""
    line = (json.dumps(event, ensure_ascii=False) + "\n").encode()
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        file.write(line)


class EventReader:
    """Reads what has been added to an events file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Yields the events whose lines are whole by now; a line that is no JSON is passed over."""
        try:
            # Asked fifty times a second: opening a file costs ten times as much as asking for its size.
            if self._path.stat().st_size == self._position:
                return
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._position:  # removed, and begun anew
                    self._position = 0
                file.seek(self._position)
                data = file.read()
        except OSError:
            return
        whole = data.rfind(b"\n") + 1
        self._position += whole
        for line in data[:whole].splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    yield event
