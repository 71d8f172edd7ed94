"""A whole tiny training through all layers below: proves the installed trainer on this machine."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.errors import TrainerError
from loratpl.project import ProjectPaths, create_project
from loratpl.render.prepare import prepare
from loratpl.run.beginning import RunOptions
from loratpl.run.runner import start_run
from loratpl.run.watch import Watcher
from loratpl.selfcheck.drawings import draw_pictures
from loratpl.selfcheck.tiny import STEPS, make_tiny_model, tiny_config
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import TrainerStatus

PICTURES_PER_CONCEPT = 3


@dataclass(frozen=True, slots=True)
class Selfcheck:
    """What the tiny training showed; `device` is torch's name of what it ran on."""

    steps: int
    layers_trained: int
    duration_s: float
    device: str


def verify_trainer(trainer: TrainerStatus, pin: Pin, watcher: Watcher) -> Selfcheck:
    """Returns what came of training a tiny random model for a few real steps.

    Raises:
        TrainerError: The trainer is not ready, or its tiny model cannot be made.
        RunError: The training failed or gave something else than planned.
    """
    if not trainer.is_ready:
        raise TrainerError(*trainer.problems())
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kohyatpl-verify-", ignore_cleanup_errors=True) as folder:
        watcher.phase("making a tiny random model")
        model = make_tiny_model(trainer, Path(folder) / "model")
        project = tiny_project(Path(folder) / "project", model)
        result = start_run(prepare(project), trainer, pin, watcher, RunOptions(name="verify"))
        device = _device(result.paths.events_path)
    output = result.record.outputs[-1]
    return Selfcheck(STEPS, output.trained, time.monotonic() - started, device)


def tiny_project(root_dir: Path, model: dict[str, Any]) -> ProjectPaths:
    """Returns a project of two concepts and a class of regularisation images that trains the tiny model."""
    project = create_project(
        root_dir, config=tiny_config(model), concepts=("ohwx cat", "zwx dog"), reg_classes=("cat",)
    )
    folders = sorted([*project.image_dir.iterdir(), *project.reg_dir.iterdir()])
    for number, folder in enumerate(folders):
        draw_pictures(folder, PICTURES_PER_CONCEPT, first_number=10 * number)
    return project


def _device(events_path: Path) -> str:
    for line in events_path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "training":
            return str(event["device"])
    return "unknown"
