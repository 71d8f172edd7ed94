"""The runs of a project: which there are, which is meant, and which can be gone on with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from loratpl.config.options import nearest
from loratpl.errors import Problem, ProjectError, UsageError
from loratpl.project import ProjectPaths, RunPaths, is_busy
from loratpl.records import RunRecord, read_record
from loratpl.run.states import TrainingState, newest_state

LAST = "last"
MAX_NAMED = 5

_ID = re.compile(r"(\d{8}-\d{6})-(.*)", re.DOTALL)
_STARTED = re.compile(rb'"started_at"\s*:\s*"([^"]{10,40})"')
_RUNNING = re.compile(rb'"state"\s*:\s*"running"')
_NUMBER = re.compile(r"(\d+)")


@dataclass(eq=False, slots=True)
class KnownRun:
    """One run of a project; its record is read when it is asked for, and once.

    Attributes:
        paths: Where it is.
        started_at: UTC in ISO 8601; "" where neither record nor id tells.
        may_be_running: Whether its record may say so; False is certain.
    """

    paths: RunPaths
    started_at: str
    may_be_running: bool
    _record: RunRecord | None = field(default=None, repr=False)
    _problem: Problem | None = field(default=None, repr=False)

    @property
    def run_id(self) -> str:
        """Its id, which is the name of its folder."""
        return self.paths.run_id

    @property
    def name(self) -> str:
        """Its name: the id without the time."""
        matched = _ID.fullmatch(self.run_id)
        return matched[2] if matched else self.run_id

    @property
    def record(self) -> RunRecord | None:
        """Its record, None where that cannot be read."""
        self._read()
        return self._record

    @property
    def problem(self) -> Problem | None:
        """Why its record cannot be read."""
        self._read()
        return self._problem

    def whole_record(self) -> RunRecord:
        """Returns its record.

        Raises:
            ProjectError: It cannot be read.
        """
        self._read()
        if self._record is None:
            raise ProjectError(*(() if self._problem is None else (self._problem,)))
        return self._record

    def _read(self) -> None:
        if self._record is None and self._problem is None:
            try:
                self._record = read_record(self.paths.record_path)
            except ProjectError as error:
                self._problem = error.problems[0]


def runs_of(project: ProjectPaths) -> tuple[KnownRun, ...]:
    """Returns every run of a project, the one that began last first; other things in the log folder are passed over.

    Raises:
        ProjectError: The log folder cannot be read.
    """
    try:
        folders = list(project.log_dir.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ProjectError(
            Problem(
                "project.log.unreadable",
                f"{project.log_dir} cannot be read: {error.strerror or error}. What was trained is recorded there.",
                project.relative(project.log_dir),
                "See to it that you may read that folder.",
            )
        ) from error
    runs = [run for run in map(_known, map(RunPaths, folders)) if run is not None]
    # Two runs of one second differ in the number at the end: NAME, NAME-2, … NAME-10.
    return tuple(sorted(runs, key=lambda run: (run.started_at, _natural(run.run_id)), reverse=True))


def find_run(project: ProjectPaths, text: str) -> KnownRun:
    """Returns the run that is meant: its id, a part of one that no other has, its name, its folder, or "last".

    Raises:
        UsageError: None or several could be meant; names them.
        ProjectError: The log folder cannot be read.
    """
    runs = runs_of(project)
    if not runs:
        raise UsageError(
            Problem(
                "usage.run.none",
                f"Nothing has been trained in {project.root_dir.name} yet: {project.relative(project.log_dir)} holds "
                "no run.",
                text,
                "Train with `kohyatpl run`, or name the project.",
            )
        )
    # A folder is what a shell completes to.
    wanted = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    for run in runs:
        if run.run_id == wanted:
            return run
    if wanted == LAST:
        return runs[0]
    lower = wanted.lower()
    for found in ([run for run in runs if run.name == wanted], [run for run in runs if lower in run.run_id.lower()]):
        if lower and len(found) == 1:
            return found[0]
    raise _not_one(text, runs, [run for run in runs if lower and lower in run.run_id.lower()])


def last_unfinished(project: ProjectPaths) -> KnownRun | None:
    """Returns the run that `--resume` goes on with: the last one that did not finish and left a state.

    A run that another has gone on from is not unfinished. Where none left a state it is the last one that did not
    finish, None where all did. One that says "running" is live only while the project is locked.

    Raises:
        ProjectError: The log folder cannot be read.
    """
    runs = runs_of(project)
    done_by_others: set[str] = set()
    without_state = None
    for run in runs:
        record = run.record
        if record is None:
            continue
        is_live = record.state == "running" and is_busy(project)
        if record.state != "finished" and not is_live and run.run_id not in done_by_others:
            if state_to_go_on_from(project, run) is not None:
                return run
            without_state = without_state or run
        elif record.parent is not None:
            done_by_others.add(record.parent)
    return without_state


def state_to_go_on_from(project: ProjectPaths, run: KnownRun) -> TrainingState | None:
    """Returns the newest state that a run left; where it ended before its first, that of the run it went on from."""
    return next((state for one in lineage(project, run) if (state := newest_state(one.paths)) is not None), None)


def lineage(project: ProjectPaths, run: KnownRun) -> Iterator[KnownRun]:
    """Yields a run, then the one it went on from, and so on, as far as they are still there."""
    seen = set()
    at: KnownRun | None = run
    while at is not None and at.run_id not in seen:
        yield at
        seen.add(at.run_id)
        parent = at.record.parent if at.record is not None else None
        at = _known(project.run(parent)) if parent and Path(parent).name == parent else None


def _known(paths: RunPaths) -> KnownRun | None:
    matched = _ID.fullmatch(paths.run_id)
    try:
        content = paths.record_path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        # Without a record nothing was started, unless somebody took it away.
        if matched is None or not paths.trainer_log_path.is_file():
            return None
        content = b""
    except OSError:
        content = b""
    started = _STARTED.search(content)
    if started is None:
        return KnownRun(paths, _time_in(matched[1]) if matched else "", may_be_running=bool(_RUNNING.search(content)))
    return KnownRun(paths, started[1].decode("ascii", "replace"), may_be_running=bool(_RUNNING.search(content)))


def _time_in(text: str) -> str:
    """The time in an id is that of the clock on the wall."""
    try:
        began = datetime.strptime(text, "%Y%m%d-%H%M%S").astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        return ""
    return began.isoformat(timespec="milliseconds")


def _natural(text: str) -> list[tuple[bool, int, str]]:
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _NUMBER.split(text) if part]


def _not_one(text: str, runs: tuple[KnownRun, ...], found: list[KnownRun]) -> UsageError:
    if found:
        message = f"{len(found)} runs have {text!r} in their names: {_named(found)}."
        fix = f"Name one of them: `{found[0].run_id}` is the last."
        return UsageError(Problem("usage.run.ambiguous", message, text, fix))
    by_name = {name: run.run_id for run in reversed(runs) for name in (run.name, run.run_id)}
    near = nearest(text, by_name)
    meant = f"; did you mean {by_name[near[0]]}?" if near else "."
    message = f"There is no run {text!r} here{meant} The last ones are {_named(list(runs))}."
    fix = f"Name {by_name[near[0]]}." if near else "Name one of them, a part of its name that no other has, or `last`."
    return UsageError(Problem("usage.run.unknown", message, text, fix))


def _named(runs: list[KnownRun]) -> str:
    more = f" and {len(runs) - MAX_NAMED} more" if len(runs) > MAX_NAMED else ""
    return ", ".join(run.run_id for run in runs[:MAX_NAMED]) + more
