"""Trainings through the entry alone that are stopped and gone on with, to be compared with one that never was."""

from __future__ import annotations

import json
import math
import os
import signal
import struct
import subprocess
import threading
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from loratpl.render.renderer import BASE_ENV
from loratpl.resources import INSIDE_DIR
from loratpl.selfcheck import draw_pictures
from loratpl.trainer.status import TrainerStatus

HERE = Path(__file__).parent
TIMEOUT_S = 240.0
STOPPED = 75
PICTURES = 10
AtStep = Callable[[Path, int], None]
TAGS = ("red", "small", "round", "old", "soft")


@dataclass(frozen=True)
class Case:
    """A training: what makes it unlike the others.

    Attributes:
        name: For folders and tables.
        options: Of the trainer, beyond the common ones.
        steps: Of the whole training.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 25

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in an epoch of ten pictures, one in a batch."""
        return -(-PICTURES // int(self.options.get("gradient_accumulation_steps", 1)))


@dataclass(frozen=True)
class Trained:
    """What a training left: of one that was stopped and gone on with, all parts together."""

    output_dir: Path
    run_dirs: tuple[Path, ...]
    returncode: int
    stderr: str

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Its events of a kind, over all parts."""
        texts = [(run_dir / "events.jsonl").read_text(encoding="utf-8") for run_dir in self.run_dirs]
        found = [json.loads(line) for line in chain.from_iterable(text.splitlines() for text in texts)]
        return [event for event in found if event["event"] == kind]

    @property
    def losses(self) -> list[tuple[int, float, float]]:
        """Step, loss and average loss of everything that was logged."""
        return [(event["step"], event["loss"], event["average_loss"]) for event in self.events("step")]

    @property
    def epochs(self) -> list[tuple[int, float]]:
        """The average loss of each epoch."""
        return [(event["epoch"], event["average_loss"]) for event in self.events("epoch")]

    @property
    def state_dir(self) -> Path:
        """The newest state."""
        # One that was stopped before its first step has none of its own.
        states_dir = next(folder for run in reversed(self.run_dirs) if (folder := run / "state").is_dir())
        (found,) = [path for path in states_dir.iterdir() if not path.name.endswith(".partial")]
        return found

    @property
    def position(self) -> dict[str, Any]:
        """What the newest state says of itself."""
        read: dict[str, Any] = json.loads((self.state_dir / "position.json").read_text(encoding="utf-8"))
        return read

    @property
    def files(self) -> dict[str, tuple[str, str]]:
        """ss_steps and ss_epoch of every file that was written, by its name."""
        found = {}
        for path in sorted(self.output_dir.glob("*.safetensors")):
            metadata = _header(path)[0]["__metadata__"]
            found[path.name] = (metadata["ss_steps"], metadata["ss_epoch"])
        return found


def _header(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (size_bytes,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size_bytes]), content[8 + size_bytes :]


def greatest_difference(one: Path, other: Path) -> float:
    """Returns the greatest difference between two files' values, all of them float32; NaN differs from everything."""
    numbers = [array("f", _header(path)[1]) for path in (one, other)]
    if len(numbers[0]) != len(numbers[1]):
        return float("inf")
    if numbers[0].tobytes() == numbers[1].tobytes():
        return 0.0
    differences = [abs(a - b) for a, b in zip(*numbers, strict=True)]
    return max(math.inf if math.isnan(difference) else difference for difference in differences)


def make_pictures(folder: Path) -> Path:
    """Returns a data folder of ten pictures with captions of several tags."""
    concept = folder / "1_ohwx cat"
    concept.mkdir(parents=True)
    draw_pictures(concept, PICTURES)
    for number, path in enumerate(sorted(concept.glob("*.png"))):
        path.with_suffix(".txt").write_text(", ".join(("ohwx cat", f"number {number}", *TAGS)), encoding="utf-8")
    return folder


class Trainings:
    """Runs trainings of one set of pictures, through the entry and nothing else of ours.

    Each is a process of its own, forked from one that has imported the trainer: what a start takes is spent once.
    """

    def __init__(self, trainer: TrainerStatus, model: Mapping[str, Any], folder: Path) -> None:
        self._trainer, self._model, self._folder = trainer, model, folder
        self.pictures_dir = make_pictures(folder / "pictures")
        self._count = 0
        paths = trainer.paths
        self._server = subprocess.Popen(
            [paths.python_path, HERE / "forked_entry.py", "--source", paths.source_dir, "--inside", INSIDE_DIR],
            env={**os.environ, **BASE_ENV, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Trainings:
        return self

    def __exit__(self, *_: object) -> None:
        with self._server as server:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(TIMEOUT_S)

    def _answer(self) -> int:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError("the trainer's interpreter has ended")
        (number,) = json.loads(line).values()
        return int(number)

    def train(
        self,
        case: Case,
        *,
        stops: Sequence[int] = (),
        after: Trained | None = None,
        entry_options: Sequence[str] = (),
        at_step: AtStep | None = None,
    ) -> Trained:
        """Returns a training that was asked to stop after each of some steps, and gone on with.

        Args:
            case: What to train.
            stops: After which steps SIGTERM is sent, in order.
            after: What was trained of it before, to go on with.
            entry_options: More options of the entry.
            at_step: Called with the run's folder and the step at each logged step.

        Raises:
            RuntimeError: It did not stop when it was asked to.
        """
        self._count += 1
        folder = self._folder / f"{case.name}-{self._count}" if after is None else after.output_dir.parent
        done = after
        for stop in (*stops, None):
            earlier = () if done is None else done.run_dirs
            run_dir = folder / f"run{len(earlier)}"
            going_on = [] if done is None else ["--go-on-from", str(done.state_dir)]
            returncode, stderr = self._run(case, folder, run_dir, [*entry_options, *going_on], stop, at_step)
            done = Trained(folder / "output", (*earlier, run_dir), returncode, stderr)
            if stop is not None and returncode != STOPPED:
                raise RuntimeError(f"{case.name}: stop after step {stop}: ended with {returncode}:\n{stderr}")
        assert done is not None
        return done

    def _run(
        self,
        case: Case,
        folder: Path,
        run_dir: Path,
        entry_options: Sequence[str],
        stop: int | None,
        at_step: AtStep | None,
    ) -> tuple[int, str]:
        run_dir.mkdir(parents=True)
        events_path = run_dir / "events.jsonl"
        argv = [
            str(INSIDE_DIR / "entry.py"), "--events", str(events_path),
            "--state-dir", str(run_dir / "state"), "--tiny-unet", *entry_options,
            str(self._trainer.paths.source_dir / "train_network.py"), *self._arguments(case, folder, run_dir),
        ]  # fmt: skip
        stderr_path = run_dir / "stderr.txt"
        training = {"argv": argv, "env": {"ACCELERATE_MIXED_PRECISION": "no"}, "stderr": str(stderr_path)}
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(training) + "\n")
        self._server.stdin.flush()
        pid = self._answer()
        ended = threading.Event()
        follower = threading.Thread(target=_follow, args=(pid, ended, events_path, run_dir, stop, at_step))
        follower.start()
        returncode = self._answer()
        ended.set()
        follower.join()
        return returncode, stderr_path.read_text(encoding="utf-8", errors="replace")

    def _arguments(self, case: Case, folder: Path, run_dir: Path) -> list[str]:
        options = {
            "pretrained_model_name_or_path": self._model["model_dir"],
            "tokenizer_cache_dir": self._model["tokenizer_cache_dir"],
            "train_data_dir": self.pictures_dir,
            "output_dir": folder / "output",
            "output_name": "lora",
            "logging_dir": run_dir / "tensorboard",
            "caption_extension": ".txt",
            "resolution": 64,
            "enable_bucket": True,
            "min_bucket_reso": 64,
            "network_module": "networks.lora",
            "network_dim": 4,
            "network_alpha": 2,
            "network_dropout": 0.1,
            "learning_rate": 1e-3,
            "lr_scheduler": "cosine",
            "optimizer_type": "AdamW",
            "max_train_steps": case.steps,
            "mixed_precision": "no",
            "save_precision": "float",
            "seed": 42,
            "max_data_loader_n_workers": 0,
            "save_every_n_epochs": 1,
            "shuffle_caption": True,
            **case.options,
        }
        words: list[str] = []
        for name, value in options.items():
            if value is None or value is False:
                continue
            words.append(f"--{name}")
            words += [] if value is True else map(str, value) if isinstance(value, tuple) else [str(value)]
        return words


def _follow(
    pid: int, ended: threading.Event, events_path: Path, run_dir: Path, stop: int | None, at_step: AtStep | None
) -> None:
    """Looks at every event of a training; asks it to stop after a step, and ends it when it takes too long."""
    deadline = time.monotonic() + TIMEOUT_S
    seen = 0
    while not ended.wait(0.002):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        lines = events_path.read_bytes().split(b"\n")[:-1] if events_path.exists() else []
        for line in lines[seen:]:
            event = json.loads(line)
            if event["event"] == "step" and at_step is not None:
                at_step(run_dir, event["step"])
            # A step later than asked for, when the one before it was stopped a step late already.
            if event["event"] == "step" and stop is not None and event["step"] >= stop:
                os.kill(pid, signal.SIGTERM)
                stop = None
        seen = len(lines)
