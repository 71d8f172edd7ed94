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

RECORD_SCHEMA = 1
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


class RunRecord(_Part):
    """Everything worth knowing of a run; replaced atomically whenever it changes.

    Times are UTC in ISO 8601; `model_sha256` is of the file, or over names and bytes of a Diffusers folder's files.
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
            file.write(record.model_dump_json(indent=1) + "\n")
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
            with self._path.open("rb") as file:
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
