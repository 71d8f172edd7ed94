"""Measures what a step costs under `kohyatpl run` and in the bare script, in pairs that take turns.

`python -m tests.benchmarks.step_cost [PAIRS] [STEPS]` needs the installed trainer. Both ways the trainer itself notes
the time of each step, in what it writes for TensorBoard; both get the same options and read the same pictures. The
machine's speed drifts: quote the ratio, which is the median of the pairs'.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from loratpl.process import child_environment
from loratpl.project import ProjectPaths, RunPaths
from loratpl.render.prepare import prepare
from loratpl.render.renderer import render, write
from loratpl.selfcheck import make_tiny_model
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import TrainerStatus, status
from tests.trainer.live_trainings import STEPS_PER_EPOCH, home_of_its_own, live_training, make_project

# The first steps fill caches and start worker processes.
WARM_UP_STEPS = 10
TRAINING_TIMEOUT_S = 600
_STEP_TIMES = """
import sys
from pathlib import Path
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
for path in Path(sys.argv[1]).rglob("events.out*"):
    for event in EventFileLoader(str(path)).Load():
        if any(value.tag == "loss/current" for value in event.summary.value):
            print(event.step, repr(event.wall_time))
"""
# The bare script needs the tiny model's widths, and on some machines a torchvision that can be imported.
_BARE = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
import tiny_unet, torchvision_ops
torchvision_ops.install()
script = sys.argv[1]
sys.argv = sys.argv[1:]
sys.path[0] = {source_dir!r}
tiny_unet.shrink_sd1_unet()
runpy.run_path(script, run_name="__main__")
"""


def step_seconds(trainer: TrainerStatus, tensorboard_dir: Path, steps: int) -> list[float]:
    """Returns the seconds of each step behind the warm-up, by the trainer's own notes."""
    done = subprocess.run(
        [trainer.paths.python_path, "-c", _STEP_TIMES, tensorboard_dir], check=True, capture_output=True, text=True
    )
    times = {int(step): float(time) for step, time in (line.split() for line in done.stdout.splitlines())}
    assert sorted(times) == list(range(1, steps + 1)), sorted(times)
    return [times[step] - times[step - 1] for step in range(WARM_UP_STEPS + 1, steps + 1)]


def bare_steps(
    trainer: TrainerStatus, argv: Sequence[str], env: Mapping[str, str], paths: RunPaths, steps: int
) -> list[float]:
    """Returns the seconds of the steps of the bare script."""
    script = next(number for number, word in enumerate(argv) if word.endswith("train_network.py"))
    code = _BARE.format(source_dir=str(trainer.paths.source_dir))
    with (paths.run_dir / "bare.log").open("wb") as log:
        subprocess.run(
            [argv[0], "-c", code, str(Path(argv[1]).parent), *argv[script:]],
            cwd=trainer.paths.source_dir, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
            timeout=TRAINING_TIMEOUT_S,
        )  # fmt: skip
    return step_seconds(trainer, paths.tensorboard_dir, steps)


def run_steps(trainer: TrainerStatus, project: ProjectPaths, steps: int) -> list[float]:
    """Returns the seconds of the steps under `kohyatpl run`."""
    with live_training(project) as live:
        assert live.finish(TRAINING_TIMEOUT_S) == 0, live.said
        return step_seconds(trainer, RunPaths(live.run_dir).tensorboard_dir, steps)


def main(pairs: int, steps: int) -> None:
    """Prints each pair and the median of their ratios."""
    trainer = status(load_pin())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        home_of_its_own(folder / "home", trainer)
        model = make_tiny_model(trainer, folder / "model")
        block = {"launch": {"tiny_unet": True, "threads": 1}}  # states as seldom as they are for a user
        project = make_project(
            folder / "project", model, max_train_epochs=None, max_train_steps=steps, save_every_n_epochs=1000,
            max_data_loader_n_workers=0, kohyatpl=block,
        )  # fmt: skip
        assert steps > STEPS_PER_EPOCH
        seconds: dict[str, list[list[float]]] = {"bare": [], "ours": []}
        for number in range(pairs):
            for kind in ("bare", "ours") if number % 2 else ("ours", "bare"):
                shutil.rmtree(project.output_dir, ignore_errors=True)
                if kind == "ours":
                    seconds[kind].append(run_steps(trainer, project, steps))
                else:
                    prepared = prepare(project)
                    paths = RunPaths(folder / f"bare {number}")
                    rendered = render(prepared.settings, prepared.plan, trainer.paths, paths)
                    write(rendered, prepared.settings, paths)
                    env = child_environment(rendered.env)
                    seconds[kind].append(bare_steps(trainer, rendered.argv, env, paths, steps))
            print(f"pair {number + 1}: {compared(seconds['bare'][-1:], seconds['ours'][-1:])}", flush=True)
    print(f"{steps} steps, {pairs} pairs, {os.cpu_count()} cores: {compared(seconds['bare'], seconds['ours'])}")


def compared(bares: list[list[float]], ours: list[list[float]]) -> str:
    """Returns the medians over the pairs: of the mean step, of the median step, and of their ratios."""
    words = []
    for name, of in (("mean", statistics.fmean), ("median", statistics.median)):
        pairs = [(of(bare), of(our)) for bare, our in zip(bares, ours, strict=True)]
        bare_ms, our_ms = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(bare / our for bare, our in pairs)
        words.append(f"{name} step bare {bare_ms:.1f} ms, kohyatpl run {our_ms:.1f} ms, bare/ours {ratio:.4f}")
    return "; ".join(words)


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    main(*[*arguments, *(6, 200)[len(arguments) :]])
