"""What a mending did, file by file: one line of JSON for each thing, written to the disk before that thing is done.

A set of renames has a journal of its own (loratpl/journal), which holds two sets and the few characters that change in
a text. Here thousands of files get new content that no journal can hold, run after run, and each run can be undone: so
a line says where the new content waits and where the old one is kept, and lines are only ever added. A last line that
was cut off in the middle was not yet acted upon.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, InstanceOf

from loratpl.errors import Problem, ProjectError
from loratpl.journal.file import sync_folders, write_in_place
from loratpl.project import ProjectPaths

LOG_VERSION = 1
_SUFFIX = ".jsonl"
# An instance and no more: pydantic's own `str` refuses names that are no Unicode.
_Text = InstanceOf[str]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(_Part):
    """What became of one file.

    Attributes:
        source: Its name before, None where it was made.
        target: Its name after, None where it was taken out.
        partial: The name under which its new content waits; None where the content stays.
        kept: Where what it was is kept, below the originals of the run; None where nothing is lost.
        before: What it was, as `state_of` gives it; None where that does not matter or it was not there.
        after: What it is then.
        is_cache: The trainer makes it anew by itself.
    """

    source: _Text | None
    target: _Text | None
    partial: _Text | None = None
    kept: _Text | None = None
    before: _Text | None = None
    after: _Text | None = None
    is_cache: bool = False


class Done(_Part):
    """One action.

    Attributes:
        folder: Relative to the project where it lies in it.
        text: What was said of it.
        changes: In the order in which they are done.
    """

    folder: _Text
    text: _Text
    changes: list[Change]


class Header(_Part):
    """The first line.

    Attributes:
        version: Of the log's form.
        token: What the names of files that wait contain.
        folders: Those that are worked in, and their numbers on the disk: so one is found again that was renamed.
    """

    version: int = LOG_VERSION
    token: str
    folders: dict[_Text, int]


@dataclass(slots=True)
class FixRun:
    """One run of a mending, as its log tells it.

    Attributes:
        path: The log.
        originals_dir: What was there before.
        header: The first line.
        actions: Everything that was begun.
        placed: How many of these are done for certain.
        is_finished: Whether the run came to its end.
        is_undoing: Whether it is being undone.
    """

    path: Path
    originals_dir: Path
    header: Header
    actions: list[Done] = field(default_factory=list)
    placed: int = 0
    is_finished: bool = False
    is_undoing: bool = False

    @property
    def name(self) -> str:
        """The run's name: its number."""
        return self.path.stem

    @property
    def is_settled(self) -> bool:
        """Whether nothing was interrupted."""
        return self.is_finished and not self.is_undoing

    def add(self, lines: Iterable[dict[str, Any]]) -> None:
        """Adds lines to the log; they are on the disk when this returns, or none of them counts.

        Raises:
            OSError: They cannot be written.
        """
        content = b"".join(json.dumps(line, default=dict).encode("ascii") + b"\n" for line in lines)
        size = self.path.stat().st_size
        with self.path.open("ab") as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.close()
                os.truncate(self.path, size)
                raise

    def write(self) -> None:
        """Replaces the log by one of what is known of the run now."""
        lines: list[dict[str, Any]] = [{"header": self.header}, *({"action": action} for action in self.actions)]
        lines.append({"placed": self.placed})
        if self.is_finished:
            lines.append({"finished": True})
        content = b"".join(json.dumps(line, default=dict).encode("ascii") + b"\n" for line in lines)
        write_in_place(self.path, content, self.path.with_name(f"{self.path.name}.partial"))


def start_run(project: ProjectPaths, header: Header) -> FixRun:
    """Returns a new run, whose log is on the disk.

    Raises:
        OSError: It cannot be written.
    """
    project.fixes_dir.mkdir(parents=True, exist_ok=True)
    number = max((int(path.stem) for path in _logs(project)), default=0) + 1
    taken = {path.name for path in project.originals_dir.glob("*")} if project.originals_dir.is_dir() else set()
    while f"{number:04d}" in taken:  # left there by an undoing that could not put everything back
        number += 1
    run = FixRun(project.fixes_dir / f"{number:04d}{_SUFFIX}", project.originals_dir / f"{number:04d}", header)
    run.originals_dir.mkdir(parents=True)
    sync_folders(map(str, (project.hidden_dir, project.originals_dir)))
    run.write()
    return run


def read_runs(project: ProjectPaths) -> list[FixRun]:
    """Returns the runs that can be undone, the newest last.

    Raises:
        ProjectError: A log is damaged, or of a newer version of kohyatpl.
    """
    return [_read(project, path) for path in _logs(project)]


def _logs(project: ProjectPaths) -> list[Path]:
    if not project.fixes_dir.is_dir():
        return []
    found = [path for path in project.fixes_dir.iterdir() if path.suffix == _SUFFIX and path.stem.isdecimal()]
    return sorted(found, key=lambda path: int(path.stem))


def _read(project: ProjectPaths, path: Path) -> FixRun:
    try:
        content = path.read_bytes()
        *lines, _ = content.split(b"\n")  # what stands after the last line end was cut off
        first = json.loads(lines[0])["header"]
        if first["version"] > LOG_VERSION:
            raise ProjectError(
                Problem(
                    "project.fix.newer",
                    f"{path} was written by a newer version of kohyatpl.",
                    project.relative(path),
                    "Update kohyatpl: `python -m pip install --upgrade kohyatpl`.",
                )
            )
        run = FixRun(path, project.originals_dir / path.stem, Header.model_validate(first))
        for line in lines[1:]:
            _note(run, json.loads(line))
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ProjectError(
            Problem(
                "project.fix.damaged",
                f"{path} cannot be read as the log of a mending: {error}.",
                project.relative(path),
                f"The originals are in {project.relative(project.originals_dir / path.stem)}: put them back by hand, "
                "then delete the log.",
            )
        ) from error
    return run


def _note(run: FixRun, line: dict[str, Any]) -> None:
    if "action" in line:
        run.actions.append(Done.model_validate(line["action"]))
    run.placed = line.get("placed", run.placed)
    run.is_finished = line.get("finished", run.is_finished)
    run.is_undoing = line.get("undoing", run.is_undoing)
