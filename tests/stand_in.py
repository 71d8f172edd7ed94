"""A stand-in for the installed trainer: real processes, real files, no torch.

Its `train_network.py` reads the same two TOML files, prints what the real one prints, tells accelerate's trackers the
same numbers, saves and resumes states, and writes a small safetensors file whose metadata `stand_in_weight` tells every
difference in what was trained. `STAND_IN` in the config's `kohyatpl.env` makes it misbehave, `STAND_IN_AT` says when.
"""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import Marker, TrainerStatus, status
from tests.stand_in_files import FILES


@dataclass(frozen=True)
class StandIn:
    """A stand-in installation below a KOHYATPL_HOME."""

    paths: TrainerPaths

    @property
    def status(self) -> TrainerStatus:
        """Its status, as the product sees it."""
        return status(load_pin())


def make_stand_in(home: Path) -> StandIn:
    """Returns an installation at `home` that counts as healthy, whose interpreter is the one of the tests."""
    pin = load_pin()
    paths = TrainerPaths(home / "sd-scripts" / pin.commit)
    for name, text in FILES.items():
        path = paths.source_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    paths.python_path.parent.mkdir(parents=True)
    # A file and not a link: Python finds its environment by where its executable is.
    paths.python_path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    paths.python_path.chmod(0o755)
    marker = Marker(
        commit=pin.commit,
        source="stand-in",
        installed_at="2026-01-01T00:00:00+00:00",
        python="3.11",
        packages={},
        hashes={},
        left_out=[],
    )
    paths.marker_path.write_text(marker.model_dump_json(), encoding="utf-8")
    return StandIn(paths)


def stand_in_config(model: Path, **changes: Any) -> dict[str, Any]:
    """Returns a config of 6 steps for the stand-in; `fault`, `fault_step` and `step_s` go to its environment."""
    env = {
        "STAND_IN": str(changes.pop("fault", "")),
        "STAND_IN_AT": str(changes.pop("fault_step", 3)),
        "STAND_IN_STEP_S": str(changes.pop("step_s", 0.01)),
    }
    return {
        "pretrained_model_name_or_path": str(model),
        "output_name": "lora",
        "resolution": "64,64",
        "min_bucket_reso": 64,
        "max_train_steps": 6,
        "save_every_n_epochs": 100,
        "kohyatpl": {"env": env},
        **changes,
    }


def make_trainable_project(root_dir: Path, **changes: Any) -> Path:
    """Returns a project with one concept of two pictures and a config for the stand-in."""
    from loratpl.project import create_project

    root_dir.parent.mkdir(parents=True, exist_ok=True)
    model = root_dir.parent / "model.safetensors"
    write_safetensors(model, {"a": [1.0]})
    project = create_project(root_dir, config=stand_in_config(model, **changes), concepts=("ohwx cat",))
    for number in (1, 2):
        write_picture(project.image_dir / "1_ohwx cat" / f"{number}.png", number)
    return project.root_dir


def oddest(folder: Path) -> Path:
    """Returns a new folder with all that makes a name hard at once, for what is too slow to run for each."""
    path = folder / """it's a "ñandú 日本 😀" folder"""
    path.mkdir()
    return path


def write_picture(path: Path, number: int = 0, size: tuple[int, int] = (64, 64)) -> None:
    """Writes a picture that is like none of another number."""
    import random

    from PIL import Image

    Image.frombytes("RGB", (12, 12), random.Random(number).randbytes(3 * 12 * 12)).resize(size).save(path)


def write_safetensors(path: Path, values: dict[str, list[float]], metadata: dict[str, str] | None = None) -> None:
    """Writes a float32 safetensors file by hand."""
    header: dict[str, Any] = {"__metadata__": metadata or {}}
    data = b""
    for name, numbers in values.items():
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        offsets = [len(data), len(data) + len(packed)]
        header[name] = {"dtype": "F32", "shape": [len(numbers)], "data_offsets": offsets}
        data += packed
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
