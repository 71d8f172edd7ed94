"""What the real trainer ends with, provoked on this machine, and what is made of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import Problem, RunError
from loratpl.project import ProjectPaths
from loratpl.records import read_record
from loratpl.render.prepare import Prepared, prepare
from loratpl.run.beginning import RunOptions
from loratpl.run.runner import start_run
from loratpl.run.watch import Unwatched
from loratpl.selfcheck import tiny_project
from loratpl.trainer.pin import load_pin
from tests.trainer.conftest import ONE_THREAD_BLOCK, RealTrainer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and signals as POSIX has them")


def project_of(folder: Path, model: Mapping[str, Any], **changes: Any) -> ProjectPaths:
    """A project whose training takes seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    project = tiny_project(folder / "project", dict(model))
    config = json.loads(project.config_path.read_text(encoding="utf-8"))
    config |= {"kohyatpl": ONE_THREAD_BLOCK, "output_name": "lora", **changes}
    project.config_path.write_text(json.dumps(config), encoding="utf-8")
    return project


@pytest.fixture
def own_model(trainer: RealTrainer, tmp_path: Path) -> dict[str, Any]:
    """A copy of the tiny model that may be spoilt."""
    return {
        name: str(shutil.copytree(trainer.model[name], tmp_path / "models" / name))
        for name in ("model_dir", "tokenizer_cache_dir")
    }


@dataclass
class Striker(Unwatched):
    """Does something to the trainer's process once a phase begins."""

    phase_to_strike: str
    strike: Callable[[int], object]
    pid: int = 0

    def event(self, event: Mapping[str, Any]) -> None:
        self.pid = event.get("trainer_pid", self.pid)
        if event.get("event") == "phase" and event.get("phase") == self.phase_to_strike and self.pid:
            self.strike(self.pid)


def failure_of(prepared: Prepared, trainer: RealTrainer, watcher: Unwatched | None = None) -> Problem:
    """Returns what a run failed for, once it is certain that its record says the same."""
    with pytest.raises(RunError) as caught:
        start_run(prepared, trainer.status, load_pin(), watcher or Unwatched(), RunOptions(with_fingerprints=False))
    problem = caught.value.problems[0]
    (record_path,) = prepared.project.log_dir.glob("*/run.json")
    failure = read_record(record_path).failure
    assert failure is not None
    assert failure.cause in problem.message
    assert failure.fix in problem.fix
    return problem


def test_a_tokenizer_that_was_not_fetched(
    tmp_path: Path, trainer: RealTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainer's own word for it is `TypeError: expected str, bytes or os.PathLike object, not NoneType`."""
    prepared = prepare(project_of(tmp_path, trainer.model, tokenizer_cache_dir=None))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty cache"))
    problem = failure_of(prepared, trainer)
    assert problem.code == "run.tokenizer"
    assert "in the hub's cache" in problem.message
    assert "unset HF_HUB_OFFLINE" in problem.fix


def test_a_model_of_another_family(tmp_path: Path, trainer: RealTrainer) -> None:
    """Without the tiny U-Net's constants the tiny model is as wrong for the script as SDXL is."""
    project = project_of(tmp_path, trainer.model, kohyatpl={"launch": {"threads": 1}})
    problem = failure_of(prepare(project), trainer)
    assert problem.code == "run.model.family"
    assert "tensors of other sizes in UNet2DConditionModel" in problem.message


def test_a_model_that_was_not_copied_whole(tmp_path: Path, trainer: RealTrainer, own_model: dict[str, Any]) -> None:
    prepared = prepare(project_of(tmp_path, own_model))
    weights = Path(own_model["model_dir"], "unet", "diffusion_pytorch_model.safetensors")
    os.truncate(weights, weights.stat().st_size // 2)
    problem = failure_of(prepared, trainer)
    assert problem.code == "run.model.damaged"
    assert str(weights) in problem.message
    assert "`pretrained_model_name_or_path`" in problem.fix


def test_pictures_that_are_removed_while_they_are_trained(tmp_path: Path, trainer: RealTrainer) -> None:
    """By a worker process: the trainer's own exception only says that one was caught there."""
    changes = {"cache_latents": False, "max_data_loader_n_workers": 1}
    prepared = prepare(project_of(tmp_path, trainer.model, **changes))
    pictures = list(prepared.project.image_dir.rglob("*.png")) + list(prepared.project.reg_dir.rglob("*.png"))

    def remove(_pid: int) -> None:
        for path in pictures:
            path.unlink()

    problem = failure_of(prepared, trainer, Striker("preparing the optimiser", remove))
    assert problem.code == "run.picture.missing"
    assert any(prepared.project.relative(path) in problem.message for path in pictures)


def test_too_little_memory(tmp_path: Path, trainer: RealTrainer) -> None:
    import resource

    prepared = prepare(project_of(tmp_path, trainer.model))

    def limit(pid: int) -> None:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + 4_000_000
        resource.prlimit(pid, resource.RLIMIT_AS, (most, most))

    problem = failure_of(prepared, trainer, Striker("loading the base model", limit))
    assert problem.code == "run.memory.full"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Puts a disk of 64 kB in the place of a folder."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        argv = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
        if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
            pytest.skip("no disk can be mounted here")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(tmp_path: Path, trainer: RealTrainer, small_disk: Callable[[Path], None]) -> None:
    prepared = prepare(project_of(tmp_path, trainer.model, max_train_steps=2))
    small_disk(prepared.project.output_dir)
    problem = failure_of(prepared, trainer)
    assert problem.code in ("run.disk.full", "run.disk")  # the watch over the disk may be first
    assert "output" in problem.message


@pytest.mark.parametrize(
    ("number", "codes"),
    [
        # The kernel counts whom it kills; where nobody may read that, memory is the likelier reason.
        (signal.SIGKILL, {"run.killed", "run.memory.killed"}),
        (signal.SIGSEGV, {"run.crash"}),
        (signal.SIGILL, {"run.crash.processor"}),
    ],
)
def test_signals(number: signal.Signals, codes: set[str], tmp_path: Path, trainer: RealTrainer) -> None:
    prepared = prepare(project_of(tmp_path, trainer.model))
    problem = failure_of(prepared, trainer, Striker("starting the trainer", lambda pid: os.kill(pid, number)))
    assert problem.code in codes
    assert number.name in problem.message or "killed" in problem.message
    if Path("/proc/vmstat").is_file() and number == signal.SIGKILL:
        assert problem.code == "run.killed"
