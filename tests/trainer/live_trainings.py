"""Real trainings at work, for what strikes them: started as a user starts them, and looked at from outside alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths, create_project
from loratpl.selfcheck import draw_pictures, tiny_config
from loratpl.trainer.status import TrainerStatus
from loratpl.weights import WeightsFileError, read_weights_file
from tests.command_line import COMMAND, members_of_group

PICTURES_PER_CONCEPT = 3
STEPS_PER_EPOCH = 2 * PICTURES_PER_CONCEPT
START_TIMEOUT_S = 120.0
END_TIMEOUT_S = 180.0
# What a trainer gets to finish its step, save its state and leave after its kohyatpl has gone.
LEAVE_TIMEOUT_S = 40.0
_TAKE_TERMINAL = ("setsid", "--ctty")


def make_project(root_dir: Path, model: dict[str, Any], *, epochs: int = 5, **changes: Any) -> ProjectPaths:
    """A project of two concepts: worker processes, and after each epoch a checkpoint and a state to resume from."""
    config = {
        **tiny_config(model),
        "output_name": "lora",
        "max_train_steps": None,
        "max_train_epochs": epochs,
        "save_every_n_epochs": 1,
        "max_data_loader_n_workers": 2,
        "kohyatpl": {"launch": {"tiny_unet": True, "threads": 1}, "run": {"save_state_every": "1 epochs"}},
    }
    project = create_project(root_dir, config={**config, **changes}, concepts=("ohwx cat", "zwx dog"))
    for number, folder in enumerate(sorted(project.image_dir.iterdir())):
        draw_pictures(folder, PICTURES_PER_CONCEPT, first_number=10 * number)
    return project


def home_of_its_own(folder: Path, trainer: TrainerStatus) -> None:
    """Makes what runs keep beside their project go to a folder, with the installed trainer in it."""
    folder.mkdir()
    for name in ("sd-scripts", "pin"):
        place = trainer.paths.root_dir.parent.parent / name
        if place.exists():
            (folder / name).symlink_to(place, target_is_directory=True)
    os.environ["KOHYATPL_HOME"] = str(folder)


def processes_of(root_dir: Path) -> list[int]:
    """Returns the processes that live and have the project's folder in their command line."""
    name = os.fsencode(root_dir.resolve())
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            # That of a process that is only waiting to be collected is empty.
            if name in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


class LiveTraining:
    """A `kohyatpl run` and its trainer; what they say is kept in a file beside the project.

    Args:
        project: Its folder must have a name of its own: the processes are known by it.
        arguments: Of `kohyatpl run`, behind the project.
        before: Another program that starts it.
        on_terminal: Whether it gets a terminal of its own, which can be closed.
        stdout: Where its standard output goes instead of the file.
    """

    def __init__(
        self,
        project: ProjectPaths,
        *arguments: str,
        before: Sequence[str] = (),
        on_terminal: bool = False,
        stdout: int | None = None,
    ) -> None:
        self.project = project
        self.known_runs = set(project.log_dir.iterdir()) if project.log_dir.is_dir() else set()
        self.said_path = project.root_dir.with_name(f"{project.root_dir.name}.said")
        self.began_at = time.time()
        argv = [*before, *COMMAND, "run", str(project.root_dir), *arguments]
        self._terminal: threading.Thread | None = None
        self._is_terminal_closed = threading.Event()
        self._seen_run_dir: Path | None = None
        self._seen_trainer: int | None = None
        self._seen_step = 0
        with self.said_path.open("wb") as said:
            if on_terminal:
                terminal, end = pty.openpty()
                self.popen = subprocess.Popen([*_TAKE_TERMINAL, *argv], stdin=end, stdout=end, stderr=end)
                os.close(end)
                self._terminal = threading.Thread(target=self._read_terminal, args=(terminal,), daemon=True)
                self._terminal.start()
            else:
                self.popen = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=said if stdout is None else stdout,
                    stderr=said,
                    start_new_session=True,
                )

    def _read_terminal(self, terminal: int) -> None:
        # The one that reads closes it as well: a terminal that is being read from is not hung up.
        with contextlib.suppress(OSError), self.said_path.open("ab") as said:
            while not self._is_terminal_closed.is_set():
                if select.select([terminal], [], [], 0.05)[0]:
                    said.write(os.read(terminal, 4096))
        os.close(terminal)

    def close_terminal(self) -> None:
        """Closes the terminal, as a window is closed."""
        assert self._terminal is not None
        self._is_terminal_closed.set()
        self._terminal.join()

    @property
    def run_dir(self) -> Path:
        """The run's folder; still known when somebody has removed it."""
        if self._seen_run_dir is None:
            (self._seen_run_dir,) = set(self.project.log_dir.iterdir()) - self.known_runs
        return self._seen_run_dir

    @property
    def said(self) -> str:
        """What kohyatpl has printed so far."""
        return self.said_path.read_text(encoding="utf-8", errors="replace")

    @property
    def trainer_pid(self) -> int:
        """The trainer's first process; still known when it has gone."""
        if self._seen_trainer is None:
            others = [pid for pid in processes_of(self.project.root_dir) if pid != self.popen.pid]
            (self._seen_trainer,) = (pid for pid in others if os.getpgid(pid) == pid != self.popen.pid)
        return self._seen_trainer

    @property
    def record(self) -> dict[str, Any]:
        """run.json as it is now, {} where there is none."""
        with contextlib.suppress(OSError):
            return dict(json.loads((self.run_dir / "run.json").read_bytes()))
        return {}

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Returns the events of a kind so far."""
        try:
            lines = (self.run_dir / "events.jsonl").read_bytes().split(b"\n")[:-1]
        except (OSError, ValueError):  # there is no run's folder yet
            return []
        found = []
        for line in lines:
            with contextlib.suppress(ValueError):  # a full disk took a part of it
                found.append(json.loads(line))
        return [event for event in found if event["event"] == kind]

    @property
    def last_step(self) -> int:
        """The last step that was told of; still known when the file has gone."""
        self._seen_step = max([self._seen_step, *(event["step"] for event in self.events("step"))])
        return self._seen_step

    def wait_for(self, condition: Callable[[], object], what: str, timeout_s: float = START_TIMEOUT_S) -> None:
        """Waits until `condition` holds; fails when it does not in time or kohyatpl has ended."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert self.popen.poll() is None, f"ended before {what}: {self.said[-2000:]}"
            assert time.monotonic() < end, f"not within {timeout_s:.0f} s: {what}: {self.said[-2000:]}"
            time.sleep(0.002)

    def wait_for_step(self, step: int) -> None:
        """Waits until a step was told of."""
        self.wait_for(lambda: self.last_step >= step, f"step {step}")
        assert self.trainer_pid

    def send(self, number: signal.Signals, *, to: str = "both") -> None:
        """Sends a signal to "kohyatpl", to the "trainer" (its first process), or to "both": all that either has."""
        with contextlib.suppress(ProcessLookupError):
            if to == "trainer":
                os.kill(self.trainer_pid, number)
            elif to == "kohyatpl":
                os.kill(self.popen.pid, number)
            else:
                trainer = self.trainer_pid
                os.killpg(self.popen.pid, number)
                os.killpg(trainer, number)

    def left(self) -> list[int]:
        """Returns the processes of the run that live; the session of the trainer is one of its own."""
        group = [] if self._seen_trainer is None else members_of_group(self._seen_trainer)
        return sorted({*processes_of(self.project.root_dir), *group})

    def finish(self, timeout_s: float = END_TIMEOUT_S) -> int | None:
        """Returns the exit code of kohyatpl, None when it goes on for longer."""
        end = time.monotonic() + timeout_s
        while self.popen.poll() is None and time.monotonic() < end:
            assert self.last_step >= 0  # seen for the time when the file may be gone
            time.sleep(0.05)
        return self.popen.returncode

    def wait_until_gone(self, timeout_s: float = LEAVE_TIMEOUT_S) -> list[int]:
        """Returns what is left of the processes when all have gone or the time is over."""
        end = time.monotonic() + timeout_s
        while self.left() and time.monotonic() < end:
            time.sleep(0.05)
        return self.left()


@contextlib.contextmanager
def live_training(
    project: ProjectPaths,
    *arguments: str,
    before: Sequence[str] = (),
    on_terminal: bool = False,
    stdout: int | None = None,
) -> Iterator[LiveTraining]:
    """Starts a run; whatever becomes of the body, no process of it is left."""
    live = LiveTraining(project, *arguments, before=before, on_terminal=on_terminal, stdout=stdout)
    try:
        yield live
    finally:
        for pid in {live.popen.pid, *live.left()} if live.popen.poll() is None else live.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        live.popen.wait()


@dataclass(frozen=True)
class Left:
    """What lies in a project after a run.

    Attributes:
        whole: The weights files under a final name that can be loaded.
        cut: Those that cannot.
        litter: Files of a save that was not finished.
        state_step: The step of the newest state to resume from, None without one.
        state_fault: What is wrong with that state.
    """

    whole: tuple[str, ...]
    cut: tuple[str, ...]
    litter: tuple[str, ...]
    state_step: int | None
    state_fault: str


def look(project: ProjectPaths, run_dir: Path | None) -> Left:
    """Returns what a run has left, by the files' own headers and hashes."""
    whole, cut, litter = [], [], []
    files = sorted(project.output_dir.iterdir()) if project.output_dir.is_dir() else []
    for path in files:
        if path.suffix != ".safetensors" or path.name.startswith("."):
            litter.append(path.name)
            continue
        try:
            read_weights_file(path)
        except WeightsFileError:
            cut.append(path.name)
        else:
            whole.append(path.name)
    state_dir = newest_state_dir(run_dir)
    if run_dir is not None:
        litter += [path.name for path in (run_dir / "state").glob("*") if path.suffix == ".partial"]
    step = None if state_dir is None else int(json.loads((state_dir / "position.json").read_bytes())["step"])
    fault = "" if state_dir is None else state_fault(state_dir)
    return Left(tuple(whole), tuple(cut), tuple(litter), step, fault)


def newest_state_dir(run_dir: Path | None) -> Path | None:
    """Returns the folder of the newest state that counts: one with its position."""
    if run_dir is None:
        return None
    known = [path for path in (run_dir / "state").glob("step*") if (path / "position.json").is_file()]
    return max((path for path in known if path.suffix != ".partial"), key=lambda path: path.name, default=None)


def state_fault(state_dir: Path) -> str:
    """Returns what is wrong with a state by its own list of files, "" when nothing is."""
    listed = json.loads((state_dir / "position.json").read_bytes())["files"]
    there = {path.relative_to(state_dir).as_posix() for path in state_dir.rglob("*") if path.is_file()}
    if there - {"position.json"} != set(listed):
        return f"its files are {sorted(there)} and not those listed"
    for name, facts in listed.items():
        data = (state_dir / name).read_bytes()
        if len(data) != facts["size_bytes"] or hashlib.sha256(data).hexdigest() != facts["sha256"]:
            return f"{name} is not as it was written"
    return ""


def tensors_of(path: Path) -> dict[str, bytes]:
    """Returns the bytes of each tensor of a safetensors file; the metadata have the time of the training in them."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    spans = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    return {name: data[begin + first : begin + last] for name, (first, last) in spans.items()}


def differing_tensors(first: Path, second: Path) -> int:
    """Returns how many tensors of two files of the same training differ in a bit."""
    one, other = tensors_of(first), tensors_of(second)
    assert one.keys() == other.keys()
    assert len(one) > 700
    return sum(one[name] != other[name] for name in one)
