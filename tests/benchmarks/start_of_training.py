"""Measures how long it takes from a start to the trainer's first log line, in pairs.

`python -m tests.benchmarks.start_of_training [PAIRS]` needs the installed trainer. The four ways take turns, so that a
machine whose speed drifts shifts them all alike; quote the ratios.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loratpl.process import child_environment
from loratpl.project import RunPaths
from loratpl.render.prepare import prepare
from loratpl.render.renderer import render, write
from loratpl.selfcheck import make_tiny_model, tiny_project
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status

FIRST_LOG_LINE = b"Loading settings from"


def seconds_to_first_line(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> float:
    """Returns the seconds from the start of a command to the trainer's first log line; the command is then ended."""
    started = time.monotonic()
    with subprocess.Popen(
        argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if FIRST_LOG_LINE in line:
                elapsed = time.monotonic() - started
                os.killpg(child.pid, 9)
                return elapsed
    raise RuntimeError(f"{argv} ended before its first log line")


def seconds_of_run(kohyatpl: str, root_dir: Path, env: Mapping[str, str]) -> float:
    """Returns the seconds from the start of `kohyatpl run` to the trainer's first log line in its log file."""
    shutil.rmtree(root_dir / "log")
    (root_dir / "log").mkdir()
    started = time.monotonic()
    with subprocess.Popen(
        [kohyatpl, "run", str(root_dir)],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        while child.poll() is None:
            for log in (root_dir / "log").glob("*/trainer.log"):
                if FIRST_LOG_LINE in log.read_bytes():
                    elapsed = time.monotonic() - started
                    os.killpg(child.pid, 9)
                    child.wait()
                    time.sleep(1.0)  # the trainer sees the end of its lifeline
                    return elapsed
            time.sleep(0.005)
    raise RuntimeError("the run ended before its first log line")


def main(pairs: int) -> None:
    """Prints the medians and the ratios of the pairs."""
    trainer = status(load_pin())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        model = make_tiny_model(trainer, folder / "model")
        project = tiny_project(folder / "project", model)
        prepared = prepare(project)
        paths = RunPaths(folder / "render")
        rendered = render(prepared.settings, prepared.plan, trainer.paths, paths)
        write(rendered, prepared.settings, paths)
        env = child_environment(rendered.env)
        python, arguments = (
            str(trainer.paths.python_path),
            list(rendered.argv[rendered.argv.index("--tiny-unet") + 1 :]),
        )
        # Where torchvision has no CPU operators the bare script cannot be imported; this costs nothing where it has.
        survive = folder / "survive"
        survive.mkdir()
        (survive / "sitecustomize.py").write_text(_SURVIVE, encoding="utf-8")
        bare_env = {**env, "PYTHONPATH": f"{survive}{os.pathsep}{Path(rendered.argv[1]).parent}"}
        launch = [python, "-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1",
                  "--mixed_precision", "no", "--dynamo_backend", "no", *arguments]  # fmt: skip
        kohyatpl = str(Path(sys.executable).with_name("kohyatpl"))
        rows: dict[str, list[float]] = {"accelerate launch": [], "bare script": [], "entry": [], "kohyatpl run": []}
        for _ in range(pairs):
            rows["accelerate launch"].append(seconds_to_first_line(launch, rendered.cwd, bare_env))
            rows["bare script"].append(seconds_to_first_line([python, *arguments], rendered.cwd, bare_env))
            rows["entry"].append(seconds_to_first_line(rendered.argv, rendered.cwd, env))
            rows["kohyatpl run"].append(seconds_of_run(kohyatpl, project.root_dir, child_environment()))
    for way, seconds in rows.items():
        to_accelerate = statistics.median(s / a for s, a in zip(seconds, rows["accelerate launch"], strict=True))
        to_bare = statistics.median(s / b for s, b in zip(seconds, rows["bare script"], strict=True))
        print(
            f"{way:18} median {statistics.median(seconds):6.2f} s   "
            f"of accelerate launch {to_accelerate:.3f}   of the bare script {to_bare:.3f}"
        )


_SURVIVE = "import torchvision_ops\ntorchvision_ops.install()\n"

if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
