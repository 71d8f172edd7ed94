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
from loratpl.run.runner import start_run
from loratpl.run.watch import Watcher
from loratpl.trainer.environment import run_inside
from loratpl.trainer.install import TrainerStatus
from loratpl.trainer.pin import Pin

STEPS = 6
PICTURES_PER_CONCEPT = 3
# The smallest square that the trainer's default bucket limits allow.
PICTURE_SIDE_PX = 256


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
        result = start_run(prepare(project), trainer, pin, watcher, name="verify")
        device = _device(result.paths.events_path)
    output = result.record.outputs[-1]
    return Selfcheck(STEPS, output.trained, time.monotonic() - started, device)


def make_tiny_model(trainer: TrainerStatus, folder: Path) -> dict[str, Any]:
    """Returns where the tiny random model and its tokenizer were written: {"model_dir", "tokenizer_cache_dir"}."""
    return dict(run_inside(trainer.paths, "tiny_model.py", "--out-dir", folder))


def tiny_project(root_dir: Path, model: dict[str, Any]) -> ProjectPaths:
    """Returns a project of two concepts and a class of regularisation images that trains the tiny model."""
    project = create_project(
        root_dir, config=tiny_config(model), concepts=("ohwx cat", "zwx dog"), reg_classes=("cat",)
    )
    folders = sorted([*project.image_dir.iterdir(), *project.reg_dir.iterdir()])
    for number, folder in enumerate(folders):
        draw_pictures(folder, PICTURES_PER_CONCEPT, first_number=10 * number)
    return project


def tiny_config(model: dict[str, Any]) -> dict[str, object]:
    """Returns the config of a training of the tiny model that takes seconds."""
    return {
        "family": "sd15",
        "pretrained_model_name_or_path": model["model_dir"],
        "tokenizer_cache_dir": model["tokenizer_cache_dir"],
        "resolution": f"{PICTURE_SIDE_PX},{PICTURE_SIDE_PX}",
        "max_train_steps": STEPS,
        "network_dim": 4,
        "network_alpha": 1.0,
        "learning_rate": 1e-3,
        "lr_scheduler": "constant",
        # Worker processes cost more than they give in a run of seconds.
        "max_data_loader_n_workers": 0,
        "save_precision": "float",
        "kohyatpl": {"launch": {"tiny_unet": True}},
    }


def draw_pictures(folder: Path, count: int, *, first_number: int = 0) -> None:
    """Draws `count` different pictures with a caption each into a folder; the same numbers draw the same."""
    from PIL import Image, ImageDraw

    for number in range(first_number, first_number + count):
        side = PICTURE_SIDE_PX
        picture = Image.new("RGB", (side + 32 * (number % 3), side), (37 * number % 256, 90, 200 - 19 * number % 200))
        pen = ImageDraw.Draw(picture)
        pen.ellipse((20, 30, 120 + 7 * number % 90, 180), fill=(220, 60 + 23 * number % 190, 40))
        pen.rectangle((130, 90, 230, 150 + 11 * number % 90), fill=(30, 160, 40 + 31 * number % 200))
        picture.save(folder / f"{number}.png")
        _, _, class_tokens = folder.name.partition("_")
        (folder / f"{number}.txt").write_text(f"{class_tokens}, drawing {number}\n", encoding="utf-8")


def _device(events_path: Path) -> str:
    for line in events_path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "training":
            return str(event["device"])
    return "unknown"
