"""Real trainings with the tiny model. All of them run in one worker: the model is made once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loratpl.selfcheck import make_tiny_model
from loratpl.trainer.status import TrainerStatus

KOHYATPL = (sys.executable, "-c", "from loratpl.ui.main import main; main()")
TRAINING_TIMEOUT_S = 240
# Two threads that wait for each other take many times as long when other tests use the second core.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
ONE_THREAD_BLOCK = {"launch": {"tiny_unet": True, "threads": 1}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "real_trainer" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.trainer)
            item.add_marker(pytest.mark.xdist_group("trainer"))


@dataclass(frozen=True)
class RealTrainer:
    """The installed trainer and a tiny model for it."""

    status: TrainerStatus
    model: dict[str, Any]

    @property
    def home(self) -> Path:
        """The KOHYATPL_HOME that it lies in."""
        return self.status.paths.root_dir.parent.parent

    def train_by_hand(self, arguments: Sequence[str], folder: Path, *, tiny: bool = True) -> None:
        """Runs the pinned train_network.py with nothing of ours; `tiny` sets the constants that it hard-codes."""
        runner = folder / "runner.py"
        lines = ["import runpy, sys", f"sys.path[0] = {str(self.status.paths.source_dir)!r}", _SURVIVE_TORCHVISION]
        if tiny:
            lines += [
                "import library.original_unet as u",
                "u.BLOCK_OUT_CHANNELS, u.TIMESTEP_INPUT_DIM, u.TIME_EMBED_DIM = (32, 64, 64, 64), 32, 128",
            ]
        runner.write_text("\n".join([*lines, "runpy.run_path('train_network.py', run_name='__main__')\n"]))
        subprocess.run(
            [self.status.paths.python_path, runner, *arguments],
            cwd=self.status.paths.source_dir,
            env={**os.environ, **ONE_THREAD},
            check=True,
            capture_output=True,
            timeout=TRAINING_TIMEOUT_S,
        )


# A CPU torch beside a torchvision with CUDA operators only is what some test machines have.
_SURVIVE_TORCHVISION = """import torch
try:
    torch.ops.torchvision.nms
except AttributeError:
    keep = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        keep.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")"""


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test starts of the trainer computes on one processor."""
    for name, value in ONE_THREAD.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def real_trainer(installed_trainer: TrainerStatus, tmp_path_factory: pytest.TempPathFactory) -> RealTrainer:
    """The real trainer with a tiny random model."""
    return RealTrainer(installed_trainer, make_tiny_model(installed_trainer, tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def trainer(
    real_trainer: RealTrainer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> RealTrainer:
    """The real trainer, found by child processes as well; what they keep of a run is kept in the test's own folder."""
    monkeypatch.setenv("KOHYATPL_HOME", str(linked_home(real_trainer.home, tmp_path_factory)))
    return real_trainer


def linked_home(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a KOHYATPL_HOME with the trainer of another one: what a run keeps beside it is kept apart."""
    linked = tmp_path_factory.mktemp("trainer-home")
    for name in ("sd-scripts", "pin"):
        if (home / name).exists():
            (linked / name).symlink_to(home / name, target_is_directory=True)
    return linked


def kohyatpl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a user would."""
    return subprocess.run(
        [*KOHYATPL, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TRAINING_TIMEOUT_S,
        check=False,
        encoding="utf-8",
    )
