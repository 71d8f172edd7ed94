"""The command line as its users have it: real processes with their streams, exit codes and signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-c", "from loratpl.ui.main import main; main()")
# Puts another program before COMMAND: started with these signals ignored, as `nohup` and `&` in a script do it.
IGNORING = {
    signal.SIGHUP: ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh"),
    signal.SIGINT: ("sh", "-c", "trap '' INT; exec \"$@\"", "sh"),
}
TIMEOUT_S = 60.0
ENVELOPE_KEYS = {"schema", "command", "status", "exit_code", "data", "problems"}
PROBLEM_KEYS = {"code", "severity", "where", "message", "fix"}


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON object of its result, once it is certain that it is as design.md, section 6 has it."""
        found: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        assert set(found) == ENVELOPE_KEYS
        assert found["schema"] == "kohyatpl/1"
        assert found["exit_code"] == self.code
        assert isinstance(found["data"], dict)
        severities = {problem["severity"] for problem in found["problems"]}
        assert severities <= {"error", "warning"}
        assert all(set(problem) == PROBLEM_KEYS for problem in found["problems"])
        assert all(isinstance(text, str) for problem in found["problems"] for text in problem.values())
        assert found["status"] == ("error" if self.code else "warning" if severities else "ok")
        assert ("error" in severities) == (self.code != 0)
        return found

    @property
    def problems(self) -> list[dict[str, str]]:
        """The problems of its envelope."""
        return list(self.envelope["problems"])

    @property
    def problem(self) -> dict[str, str]:
        """The only problem of its envelope."""
        (problem,) = self.problems
        return problem


def kohyatpl(*arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
    """Returns what a command line did; `env` is added to the environment of the test."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Waits until `condition` holds; fails with `what` when it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.02)


def members_of_group(group: int) -> list[int]:
    """Returns the processes of a group that live; one that is only waiting to be collected does not."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group_id = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
            if int(group_id) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


class LiveRun:
    """A `kohyatpl run` that is at work, and the trainer it has started."""

    def __init__(self, project_dir: Path, *arguments: str, before: Sequence[str] = ()) -> None:
        self.log_dir = project_dir / "log"
        self.popen = subprocess.Popen(
            [*before, *COMMAND, "run", str(project_dir), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @property
    def run_dir(self) -> Path:
        """The run's folder."""
        (folder,) = self.log_dir.iterdir()
        return folder

    @property
    def record(self) -> dict[str, Any]:
        """run.json as it is now."""
        return dict(json.loads((self.run_dir / "run.json").read_bytes()))

    @property
    def log(self) -> str:
        """What the trainer has written so far, "" before it was started."""
        paths = list(self.log_dir.glob("*/trainer.log"))
        return paths[0].read_text(encoding="utf-8", errors="replace") if paths else ""

    @property
    def last_step(self) -> int:
        """The last step that was reported, 0 before the first."""
        return max((event["step"] for event in self.events("step")), default=0)

    @property
    def trainer_pid(self) -> int:
        """The trainer's process, which leads its group; it says so itself."""
        match = re.search(r"^pid (\d+)\n", self.log, re.MULTILINE)
        assert match is not None
        return int(match.group(1))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Returns the events of a kind so far."""
        lines = [line for path in self.log_dir.glob("*/events.jsonl") for line in path.read_bytes().split(b"\n")[:-1]]
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def wait_for_log(self, text: str) -> None:
        """Waits until the trainer has written `text`."""
        eventually(lambda: text in self.log, f"{text!r} in the trainer's log")

    def wait_for_step(self, step: int) -> None:
        """Waits until a step was reported."""
        eventually(lambda: self.last_step >= step, f"step {step}")

    def send(self, *signals: signal.Signals) -> None:
        """Sends signals to kohyatpl alone."""
        for number in signals:
            self.popen.send_signal(number)

    def finish(self, timeout_s: float = TIMEOUT_S) -> Done:
        """Returns what it did, once it has ended."""
        stdout, stderr = self.popen.communicate(timeout=timeout_s)
        return Done(self.popen.returncode, stdout.decode(), stderr.decode())


@contextlib.contextmanager
def live_run(project_dir: Path, *arguments: str, before: Sequence[str] = ()) -> Iterator[LiveRun]:
    """Starts a run; whatever becomes of the test, neither it nor its trainer outlives the body."""
    run = LiveRun(project_dir, *arguments, before=before)
    try:
        yield run
    finally:
        run.popen.kill()
        run.popen.communicate()
        if "pid " in run.log:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.trainer_pid, signal.SIGKILL)
