"""The tiny random model, and the settings that train it in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loratpl.selfcheck.drawings import PICTURE_SIDE_PX
from loratpl.trainer.environment import run_inside
from loratpl.trainer.status import TrainerStatus

STEPS = 6


def make_tiny_model(trainer: TrainerStatus, folder: Path) -> dict[str, Any]:
    """Returns where the tiny random model and its tokenizer were written: {"model_dir", "tokenizer_cache_dir"}."""
    return dict(run_inside(trainer.paths, "tiny_model.py", "--out-dir", folder))


def tiny_config(model: dict[str, Any]) -> dict[str, Any]:
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
