"""`kohyatpl runs …`: what was trained, and what is being trained."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.errors import Problem
    from loratpl.project import ProjectPaths
    from loratpl.records import RunRecord
    from loratpl.run.history import KnownRun

RunName = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="A run's id, or a part of it that no other has.", show_default="the last one"),
]
ProjectOption = Annotated[Path, typer.Option("--project", help="The project's folder.", show_default="here")]
# What `run` itself said to whoever started it, said again to whoever follows.
_ENDED = {
    "finished": "The run has finished after step {last_step}.",
    "failed": "The run failed after step {last_step}: {cause}",
    "stopped": "The run was stopped after step {last_step}.",
    "lost": "The run was lost after step {last_step}: kohyatpl was killed, or its machine went down.",
}
_CODES = {"failed": "run.failed", "stopped": "run.stopped", "lost": "run.lost"}


def follow(context: typer.Context, run: RunName = None, project: ProjectOption = Path()) -> CommandResult:
    """Watch a run that is live; Ctrl-C ends the watching and not the run."""
    from loratpl.errors import RunError
    from loratpl.project import open_project
    from loratpl.run.following import Following
    from loratpl.run.history import LAST, find_run
    from loratpl.run.stopping import StopRequests
    from loratpl.ui.console import say
    from loratpl.ui.watchers import run_watcher

    output = context.obj
    paths = open_project(project)
    found = find_run(paths, run or LAST)
    found.whole_record()
    stops = StopRequests()
    if not (output.as_json or output.quiet):
        say(f"following {found.run_id}; Ctrl-C ends that, the run goes on")
    with stops.listening(), run_watcher(as_json=output.as_json, quiet=output.quiet) as watcher:
        following = Following(paths, found.paths, watcher, lambda: stops.count > 0)
        record = following.to_the_end()
    if record is None:
        raise _left(found, following.last_step, stops.first_signal or signal.SIGINT)
    data = record.model_dump()
    line, problem = _ending(paths, found, record, following.last_step)
    if problem is not None:
        raise RunError(problem, data=data)
    return CommandResult("runs follow", data, (line, f"  record  {found.paths.run_dir}"))


def _left(run: KnownRun, last_step: int, number: int) -> Exception:
    from loratpl.errors import Problem, StoppedError

    message = f"Following was ended after step {last_step}. The run itself goes on."
    fix = f"`kohyatpl runs follow {run.run_id}` follows it again."
    return StoppedError(number, Problem("run.follow.left", message, run.run_id, fix), data=_data_of(run))


def _data_of(run: KnownRun) -> dict[str, Any]:
    from loratpl.records import read_record

    return read_record(run.paths.record_path).model_dump()


def _ending(paths: ProjectPaths, run: KnownRun, record: RunRecord, last_step: int) -> tuple[str, Problem | None]:
    from loratpl.errors import Problem

    # Nobody works on the project, but the record was not closed: the next command that may write settles it.
    state = "lost" if record.state == "running" else record.state
    cause, fix = (record.failure.cause, record.failure.fix) if record.failure else ("", "")
    line = _ENDED[state].format(last_step=max(record.last_step, last_step), cause=cause)
    if state == "finished":
        return line, None
    if state != "failed":
        fix = "`kohyatpl run --resume` goes on with it where it saved a state."
    code, where = _CODES[state], paths.relative(run.paths.run_dir)
    return line, Problem(code, line, where, fix)
