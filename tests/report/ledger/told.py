"""What runs told, and configs that they had, for tests of the ledger."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths, RunPaths
from tests.run.earlier_runs import make_run

CONFIG = {"family": "sd15", "learning_rate": 0.0001, "network_dim": 16, "seed": 1, "max_train_steps": 6}


def step_events(losses: Iterable[float], first: int = 1) -> list[dict[str, Any]]:
    """Returns the events of steps as the trainer's process writes them; a NaN is null there."""
    events = []
    for number, loss in enumerate(losses, first):
        value = None if math.isnan(loss) else loss
        time = 1767323045.0 + number
        events.append({"event": "step", "time": time, "step": number, "loss": value, "average_loss": value, "lr": {}})
    return events


def a_run(project: ProjectPaths, run_id: str, config: dict[str, Any] | None = None, **changes: Any) -> RunPaths:
    """Returns a run with a config; keys of `config` that are None are not in it."""
    paths = make_run(project, run_id, **changes)
    values = {key: value for key, value in {**CONFIG, **(config or {})}.items() if value is not None}
    paths.config_path.write_text(json.dumps(values), encoding="utf-8")
    return paths


def an_output(path: Path, content: bytes = b"weights") -> dict[str, Any]:
    """Returns a LoRA as a record has it; its file is written."""
    import hashlib

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {
        "path": str(path), "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "ss_steps": 6,
        "tensors": 3, "trained": 1, "trainable": 1,
    }  # fmt: skip
