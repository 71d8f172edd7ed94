"""Kills real trainings of the tiny model at random moments, over and over, and looks at what is left.

`python -m tests.benchmarks.killed_runs [KILLS] [SEED]` needs the installed trainer and Linux. SIGKILL hits kohyatpl,
the trainer or both, at any moment from the start to the last save; every third waits until something is being saved.
After each kill every weights file under a final name must be whole, also by the values of its tensors, every state
that counts must be as its own hashes say, and no process may be left. Then `run --resume` goes on, and is killed as
well, or may go to its end: the LoRA must be the one of a training that nothing happened to, bit for bit. Where no
state had been saved yet, `run --resume` must say so, and a new training must start.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.selfcheck import make_tiny_model
from loratpl.trainer.environment import run_inside
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import TrainerStatus, status
from tests.trainer.live_trainings import (
    STEPS_PER_EPOCH,
    LiveTraining,
    differing_tensors,
    home_of_its_own,
    live_training,
    look,
    make_project,
)

EPOCHS = 3
# Steps of which each writes a checkpoint; a state is saved every second, so that kills meet them.
SAVES: dict[str, Any] = {"save_every_n_epochs": None, "save_every_n_steps": 2, "network_dim": 32}
BLOCK: dict[str, Any] = {"kohyatpl": {"launch": {"tiny_unet": True, "threads": 1}, "run": {"save_state_every": "1 s"}}}
SAVING = ("output/.*", "output/*.tmp*", "log/*/state/*.partial")
# How many kills a training has to live through before it may go to its end.
LONGEST_CHAIN = 3
# What is said where there is nothing to go on from: no run at all, or none that saved a state.
TELLS_OF_NO_STATE = ("There is no unfinished run", "it left no state to go on from")
# The states that a record may have when its run was killed and the next command has looked at it.
SETTLED = {"lost", "stopped", "failed"}


class Kills:
    """What happened so far."""

    def __init__(self, folder: Path, trainer: TrainerStatus, chance: random.Random) -> None:
        self.folder, self.trainer, self.chance = folder, trainer, chance
        self.model = make_tiny_model(trainer, folder / "model")
        self.reached: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.went_on: Counter[str] = Counter()
        self.files = 0
        self.steps = EPOCHS * STEPS_PER_EPOCH
        self.steps_lost: list[int] = []
        self.start_s = self.training_s = 0.0
        self.reference = self._reference()

    def project(self, name: str) -> ProjectPaths:
        """Returns a new project that saves often."""
        return make_project(self.folder / name, self.model, epochs=EPOCHS, **SAVES, **BLOCK)

    def _reference(self) -> Path:
        project = self.project("reference")
        began = time.monotonic()
        with live_training(project) as live:
            live.wait_for_step(1)
            self.start_s = time.monotonic() - began
            assert live.finish() == 0, live.said
            self.training_s = time.monotonic() - began - self.start_s
        return project.output_dir / "lora.safetensors"

    def chain(self, name: str, kills: int) -> int:
        """Returns how many kills of one training there were, once it has come to its end all the same."""
        project = self.project(name)
        words: tuple[str, ...] = ()
        done = 0
        while not is_finished(project):
            with live_training(project, *words) as live:
                if done < kills and self.kill(live):
                    done += 1
                    self.judge(live)
                    words = ("--resume",)
                elif live.finish() != 0:
                    words = self.anew(live, words)
                elif words:
                    self.went_on[words[0]] += 1
        assert differing_tensors(project.output_dir / "lora.safetensors", self.reference) == 0, project.root_dir
        assert read_back_steps(project) == self.steps
        self.went_on["to the end, the LoRA bit for bit"] += 1
        return done

    def anew(self, live: LiveTraining, words: tuple[str, ...]) -> tuple[str, ...]:
        """Returns what begins the training anew, which it was rightly told to do."""
        assert words == ("--resume",), live.said
        assert any(sentence in live.said for sentence in TELLS_OF_NO_STATE), live.said
        assert not list(live.project.log_dir.glob("*/state/step*/position.json")), live.said
        self.went_on["refused: no state"] += 1
        return ("--overwrite",)

    def kill(self, live: LiveTraining) -> bool:
        """Kills some of it at some moment; returns whether it was still there."""
        self._wait_for_a_moment(live)
        if live.popen.poll() is not None:
            return False
        who = self.chance.choice(("kohyatpl", "trainer", "both"))
        others = [pid for pid in live.left() if pid != live.popen.pid]
        if who != "kohyatpl" and not others:
            who = "kohyatpl"  # the trainer has not been started
        self.reached[f"{who} {moment(live)}"] += 1
        for pid in ([live.popen.pid] if who != "trainer" else []) + (others if who != "kohyatpl" else []):
            if pid == live.popen.pid or is_group_leader(pid):
                os.kill(pid, signal.SIGKILL)
        live.finish()
        return True

    def _wait_for_a_moment(self, live: LiveTraining) -> None:
        """Waits until some moment of a run's life; by its steps, since the speed of a machine is not the same twice."""
        at_s = self.chance.uniform(0, self.start_s + self.training_s)
        share = (at_s - self.start_s) / self.training_s
        must_save = self.chance.random() < 1 / 3
        end = time.monotonic() + min(at_s, self.start_s)
        while live.popen.poll() is None:
            start = live.events("run")[0]["start_step"] if share > 0 and live.last_step else 0
            has_come = (
                live.last_step > start + share * (self.steps - start) - 1 if share > 0 else time.monotonic() > end
            )
            if has_come and (live.last_step or share <= 0) and (is_saving(live) or not must_save):
                break
            time.sleep(0.002)
        if not must_save:
            time.sleep(self.chance.uniform(0, self.training_s / self.steps))

    def judge(self, live: LiveTraining) -> None:
        """Fails unless what is left is as it should be."""
        orphans = live.wait_until_gone()
        assert orphans == [], f"left: {orphans}"
        run_dir = None if set(live.project.log_dir.iterdir()) == live.known_runs else live.run_dir
        left = look(live.project, run_dir)
        assert left.cut == (), left
        assert left.state_fault == "", left
        files = [live.project.output_dir / name for name in left.whole]
        if files:
            for judged in run_inside(self.trainer.paths, "judge.py", *files):
                assert judged["non_finite_count"] == 0, judged
                assert judged["trained"] > 0, judged
        self.files += len(files)
        if live.last_step:
            start = live.record.get("start_step", 0)
            self.steps_lost.append(live.last_step - (left.state_step or start))

    def count_states(self, project: ProjectPaths) -> None:
        """Counts what the records of the killed runs say in the end."""
        for record in records(project):
            if record["state"] != "finished":
                assert record["state"] in SETTLED, record
                self.states[record["state"]] += 1


def is_saving(live: LiveTraining) -> bool:
    """Returns whether something is being written that has not got its final name yet."""
    root = live.project.root_dir
    with contextlib.suppress(FileNotFoundError):  # it was whole at this very moment
        return any(path.stat().st_mtime > live.began_at for pattern in SAVING for path in root.glob(pattern))
    return True


def moment(live: LiveTraining) -> str:
    """Returns how far a training has come."""
    if is_saving(live):
        return "while saving"
    return "while training" if set(live.project.log_dir.iterdir()) - live.known_runs and live.last_step else "before"


def is_group_leader(pid: int) -> bool:
    """Returns whether a process leads its group: the trainer's first one does, its workers do not."""
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def records(project: ProjectPaths) -> list[dict[str, Any]]:
    """Returns the records of a project's runs; a run that was killed before it had one has none."""
    return [json.loads(path.read_bytes()) for path in sorted(project.log_dir.glob("*/run.json"))]


def read_back_steps(project: ProjectPaths) -> int:
    """Returns the steps that the finished file says it was trained for."""
    data = (project.output_dir / "lora.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return int(header["__metadata__"]["ss_steps"])


def is_finished(project: ProjectPaths) -> bool:
    """Returns whether a run of it has come to its end."""
    return any(record["state"] == "finished" for record in records(project))


def main() -> None:
    """Prints where they were hit and how they went on; fails at the first that left anything damaged."""
    kills, seed = map(int, [*sys.argv[1:], *("40", "1")[len(sys.argv) - 1 :]])
    trainer = status(load_pin())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        home_of_its_own(folder / "home", trainer)
        chance = random.Random(seed)
        all_kills = Kills(folder, trainer, chance)
        print(
            f"a training takes {all_kills.start_s:.1f} s to its first step, then {all_kills.training_s:.1f} s",
            flush=True,
        )
        done = number = 0
        while done < kills:
            number += 1
            name = f"killed {number}"
            done += all_kills.chain(name, min(chance.randint(1, LONGEST_CHAIN), kills - done))
            all_kills.count_states(ProjectPaths(folder / name))
            print(f"{done} kills: {dict(all_kills.reached)}", flush=True)
    lost = sorted(all_kills.steps_lost)
    print(
        f"{done} kills in {number} trainings, of {dict(all_kills.reached)}\n"
        f"went on {dict(all_kills.went_on)}\nrecords say {dict(all_kills.states)}\n"
        f"{all_kills.files} files under a final name, all whole; no process left; steps lost: median "
        f"{lost[len(lost) // 2]}, most {lost[-1]}"
    )


if __name__ == "__main__":
    main()
