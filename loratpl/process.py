"""The only module that starts processes: no shell, an explicit environment, an owned process group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TERMINATE_GRACE_S = 10.0
KILL_GRACE_S = 5.0
READ_SIZE_BYTES = 65536

_WINDOWS = sys.platform == "win32"

# What a child must not inherit, and why.
_UNWANTED = {
    "PYTHONPATH": "it would put foreign modules before those of the trainer's environment",
    "PYTHONHOME": "it would give the child another standard library",
    "PYTHONSTARTUP": "only for interactive use",
    "PYTHONDONTWRITEBYTECODE": "without byte code every start of the trainer costs about 9 s more",
    "PYTHONINSPECT": "the child would wait for input after its end",
    "VIRTUAL_ENV": "the child has an environment of its own",
    "__PYVENV_LAUNCHER__": "macOS: makes a venv's Python believe that it is the launcher's",
    "GIT_DIR": "set inside hooks: git would look at the wrong repository",
    "GIT_WORK_TREE": "as GIT_DIR",
    "GIT_INDEX_FILE": "as GIT_DIR",
    # A job of Slurm or torchrun: the trainer would take itself for one process of several, and wait for the others.
    **dict.fromkeys(("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK"), "the number of a process of another job"),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), "the count of processes of another job"),
    **dict.fromkeys(("MASTER_ADDR", "MASTER_PORT"), "where the processes of another job meet"),
    **dict.fromkeys(("PMI_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), "as RANK, under MPI"),
    **dict.fromkeys(("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"), "as RANK, under MPI"),
    **dict.fromkeys(("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"), "as LOCAL_RANK, under MPI"),
}
# ACCELERATE_GRADIENT_ACCUMULATION_STEPS, for one, silently beats the trainer's own option.
_UNWANTED_PREFIXES = ("ACCELERATE_", "FSDP_", "MEGATRON_LM_", "DYNAMO_")


class ProcessTimeoutError(Exception):
    """The child ran longer than it was given."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a short command left behind: return code (negative: killed by that signal) and its two streams."""

    returncode: int
    stdout: str
    stderr: str


def child_environment(additions: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns this process's environment without what would mislead a child, plus `additions`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _UNWANTED and not name.startswith(_UNWANTED_PREFIXES)
    }
    return {**kept, **(additions or {})}


def run_short(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
) -> Completed:
    """Returns what a command printed, once it has ended.

    Raises:
        OSError: The program cannot be started.
        ProcessTimeoutError: It ran longer than `timeout_s`; its whole group was killed.
    """
    child = Child(argv, cwd=cwd, env=env, separate_stderr=True)
    try:
        stdout, stderr = child.popen.communicate(timeout=timeout_s)
    except BaseException as error:
        child.end()
        child.close()
        if isinstance(error, subprocess.TimeoutExpired):
            raise ProcessTimeoutError(f"{argv[0]} did not end within {timeout_s:.0f} s") from error
        raise
    return Completed(child.popen.returncode, _decode(stdout), _decode(stderr))


def _decode(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


class Child:
    """A running process that leads its own group, with its output on one pipe and a lifeline on its stdin.

    The lifeline is how a child is asked to stop and how it learns that its parent is gone: its standard input stays
    silent and is at its end in both cases. That works on every system, and reaches the processes that a launcher
    starts in turn.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        separate_stderr: bool = False,
        keep_open: Sequence[int] = (),
    ) -> None:
        """Starts the process; it inherits the files in `keep_open` as they are (not on Windows)."""
        self.popen = subprocess.Popen(
            [str(word) for word in argv],
            cwd=cwd,
            env=dict(child_environment() if env is None else env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if separate_stderr else subprocess.STDOUT,
            bufsize=0,
            pass_fds=() if _WINDOWS else tuple(keep_open),
            start_new_session=not _WINDOWS,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group as well."""
        return self.popen.pid

    @property
    def output(self) -> IO[bytes]:
        """The pipe that carries what the child and its children write."""
        if self.popen.stdout is None:  # pragma: no cover - always a pipe, see __init__
            raise RuntimeError("the child was started without a pipe")
        return self.popen.stdout

    def read(self) -> bytes:
        """Returns the next bytes of the output, b"" once every writer has closed it."""
        return os.read(self.output.fileno(), READ_SIZE_BYTES)

    def poll(self) -> int | None:
        """Returns the return code, None while it runs."""
        return self.popen.poll()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Returns the return code, None when `timeout_s` went by first."""
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def cut_lifeline(self) -> None:
        """Asks the child to stop by closing its standard input."""
        if self.popen.stdin is not None:
            with contextlib.suppress(OSError):
                self.popen.stdin.close()

    def ask_for_stacks(self) -> None:
        """Asks a child that listens to SIGUSR1 (not on Windows) to write what all its threads are doing."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                self.popen.send_signal(signal.SIGUSR1)

    def terminate(self) -> None:
        """Sends SIGTERM to the whole group (Windows: CTRL_BREAK)."""
        self._signal_group(signal.SIGTERM)

    def end(self, *, grace_s: float = TERMINATE_GRACE_S) -> int:
        """Returns the return code after making sure that nothing of the group is left: SIGTERM, then SIGKILL.

        What it wrote can still be read; whoever reads closes the pipe.

        Args:
            grace_s: What it gets between the two, in seconds.
        """
        self.cut_lifeline()
        if self.poll() is None:
            self.terminate()
            self.wait(grace_s)
        self.kill()
        self.wait(KILL_GRACE_S)
        return -signal.SIGTERM if self.popen.returncode is None else self.popen.returncode

    def close(self) -> None:
        """Gives the pipe back; to be called when nobody reads from it any more."""
        self.output.close()
        if self.popen.stderr is not None:
            self.popen.stderr.close()

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self.popen.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """Ends the whole group at once."""
        if sys.platform == "win32":
            self.popen.kill()
        else:
            self._signal_group(signal.SIGKILL)


class Detached:
    """A process that goes on by itself, in a session of its own: no terminal, no pipe, no parent that it waits for."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def poll(self) -> int | None:
        """Returns the return code, None while it runs."""
        return self._popen.poll()

    def terminate(self) -> None:
        """Asks it to end (Windows: ends it)."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.terminate()


def start_detached(argv: Sequence[str | Path], cwd: Path, output_path: Path) -> Detached:
    """Returns a process that outlives this one and its terminal; what it writes goes to `output_path`.

    Raises:
        OSError: The program cannot be started, or the file not be opened.
    """
    flags = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    with output_path.open("ab") as output:
        popen = subprocess.Popen(
            [str(word) for word in argv],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=not _WINDOWS,
            creationflags=flags,
        )
    return Detached(popen)
