"""`kohyatpl run --detach`: the same run in a session of its own, which outlives the terminal it was started from."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    import typer

    from loratpl.errors import Problem
    from loratpl.process import Detached
    from loratpl.project import ProjectPaths

POLL_INTERVAL_S = 0.02
# What earlier runs said is in their records as well.
KEPT_FILES = 20
# Without the current folder on the module path; SIGHUP stays ignored by all that it starts.
_CODE = """import signal, sys
sys.path = [*filter(None, sys.path), sys.argv.pop(1)]
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
from loratpl.ui.main import main
main()"""


def detach(context: typer.Context, paths: ProjectPaths) -> CommandResult:
    """Returns what is known of the run once it has begun.

    Raises:
        KohyatplError: It did not begin, with the problems and the exit code that it had.
        StoppedError: Ctrl-C while it was about to begin; it was stopped as well.
    """
    from loratpl.run.stopping import StopRequests

    output_path = _new_output_path(paths)
    stops = StopRequests()
    with stops.listening():
        child = _start(command_words(context), output_path)
        while True:
            ended = child.poll() is not None
            said = list(_said(output_path))
            for value in said:
                if value.get("event") == "run":
                    return _begun(value, child.pid, paths, output_path)
            if ended:
                return _presented(said, output_path)
            if stops.count:
                raise _not_begun(child, stops.first_signal or signal.SIGINT)
            time.sleep(POLL_INTERVAL_S)


def command_words(context: typer.Context) -> list[str]:
    """Returns the command line of a command as it was understood, without --detach."""
    options, arguments = [], []
    for parameter in context.command.params:
        value = context.params.get(str(parameter.name))
        if parameter.name == "detach" or value is None or value is False or value == ():
            continue
        if parameter.param_type_name == "argument":
            arguments.append(str(value))
        elif value is True:
            options.append(parameter.opts[0])
        else:
            values = value if isinstance(value, (list, tuple)) else [value]
            options += [f"{parameter.opts[0]}={one}" for one in values]
    # After "--" a folder may be called as it likes.
    return [str(context.info_name), "--json", *options, "--", *arguments]


def _start(words: list[str], output_path: Path) -> Detached:
    from loratpl import process

    package_root = Path(__file__).resolve().parents[3]
    return process.start_detached([sys.executable, "-c", _CODE, package_root, *words], Path.cwd(), output_path)


def _new_output_path(paths: ProjectPaths) -> Path:
    from loratpl.project import make_hidden_dir
    from loratpl.run.beginning import unwritable

    try:
        make_hidden_dir(paths)
        paths.detached_dir.mkdir(exist_ok=True)
        for old in sorted(paths.detached_dir.glob("*.jsonl"))[: -KEPT_FILES + 1]:
            old.unlink(missing_ok=True)
        now = datetime.now().astimezone()
        path = paths.detached_dir / f"{now:%Y%m%d-%H%M%S}-{now.microsecond:06d}.jsonl"
        path.touch(exist_ok=False)
    except OSError as error:
        raise unwritable(error) from error
    return path


def _said(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the objects that it has written in whole lines so far."""
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def _begun(event: dict[str, Any], pid: int, paths: ProjectPaths, output_path: Path) -> CommandResult:
    from loratpl.ui.cli.parameters import quoted

    run_id = str(event.get("run_id"))
    data = {"run_id": run_id, "pid": pid, "run_dir": event.get("run_dir"), "output": str(output_path)}
    stop = f"taskkill /F /PID {pid}" if sys.platform == "win32" else f"kill {pid}"
    lines = (
        f"Training goes on in the background: {run_id}, {event.get('total_steps'):,} steps.",
        f"  follow  kohyatpl runs follow {run_id} --project {quoted(paths.root_dir)}",
        f"  stop    {stop}   (saves a state first)",
        f"  record  {event.get('run_dir')}",
    )
    return CommandResult("run", data, lines)


def _presented(said: list[dict[str, Any]], output_path: Path) -> CommandResult:
    """What it would have said in the foreground."""
    last = said[-1] if said else {}
    if "exit_code" not in last:
        text = output_path.read_text(encoding="utf-8", errors="replace").strip()
        raise RuntimeError(f"the detached process ended without a word: {text[-2000:] or 'no output'}")
    problems = tuple(map(_problem_in, last["problems"]))
    lines = () if last["exit_code"] else ("It has ended already.",)
    return CommandResult("run", last["data"], lines, problems, last["exit_code"])


def _problem_in(said: Mapping[str, Any]) -> Problem:
    from loratpl.errors import Problem

    code = said["code"]
    return Problem(code, said["message"], said["where"], said["fix"], said["severity"])


def _not_begun(child: Detached, number: int) -> Exception:
    from loratpl.errors import Problem, StoppedError

    child.terminate()
    message = "The run was stopped before its training began."
    problem: Problem = Problem("run.stopped", message, "", "Nothing was trained; start it again when you like.")
    return StoppedError(number, problem)
