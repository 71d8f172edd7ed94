"""A stand-in for the installed trainer: real processes, real files, no torch.

Its `train_network.py` reads the same two TOML files, prints what the real one prints, tells accelerate's trackers the
same numbers and writes a small safetensors file. `STAND_IN` in the config's `kohyatpl.env` makes it misbehave.
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

_ACCELERATE = '''
"""The part of accelerate that the entry hooks into."""
import errno, os
from accelerate.tracking import GeneralTracker

class Accelerator:
    is_main_process = True
    sync_gradients = True
    device = "cpu"

    def __init__(self):
        self.trackers = []

    def init_trackers(self, project_name, config=None, init_kwargs=None):
        pass

    def save_state(self, folder):
        os.makedirs(folder)
        if os.environ.get("STAND_IN") == "state-fails":
            raise OSError(errno.ENOSPC, "No space left on device", folder)
        with open(os.path.join(folder, "model.safetensors"), "w") as file:
            file.write("state")
'''
_TRACKING = """
class GeneralTracker:
    def __init__(self):
        pass
"""
_SCRIPT = """
import json, math, os, struct, subprocess, sys, time
import toml
from accelerate import Accelerator

def safetensors(path, steps, up):
    values = {"lora_unet_x.lora_down.weight": (1.0, 2.0), "lora_unet_x.lora_up.weight": up}
    header, data = {"__metadata__": {"ss_steps": str(steps)}}, b""
    for name, numbers in values.items():
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        header[name] = {"dtype": "F32", "shape": [len(numbers)], "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    head = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + data)

def steps_of(train, dataset):
    if "max_train_epochs" not in train:
        return train["max_train_steps"]
    subsets = dataset["datasets"][0]["subsets"]
    return train["max_train_epochs"] * sum(
        subset["num_repeats"] * sum(name.endswith(".png") for name in os.listdir(subset["image_dir"]))
        for subset in subsets
    )

def main():
    fault = os.environ.get("STAND_IN", "")
    train = toml.load(sys.argv[sys.argv.index("--config_file") + 1])
    dataset = toml.load(sys.argv[sys.argv.index("--dataset_config") + 1])
    print("pid", os.getpid(), flush=True)
    print("INFO     Loading dataset config from x    config_util.py:1", file=sys.stderr)
    if fault == "hang-before-training":
        time.sleep(60)
    if fault == "no-data":
        print("           ERROR    No data found. Please verify arguments      train_network.py:577", file=sys.stderr)
        return
    if fault == "error":
        raise ValueError("bad dimension 7")
    if fault == "argparse":
        print("train_network.py: error: unrecognized arguments: --foo", file=sys.stderr)
        sys.exit(2)
    if fault == "killed":
        os.kill(os.getpid(), 9)
    if fault == "silent":
        sys.exit(3)
    if fault == "chatty":
        for number in range(4000):
            print(f"line {number:05}", "x" * 60, file=sys.stderr)
    if fault == "orphan":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    steps = steps_of(train, dataset)
    accelerator = Accelerator()
    accelerator.init_trackers("network_train", config={"max_train_steps": steps})
    print("running training / \\u5b66\\u7fd2\\u958b\\u59cb", flush=True)
    path_of = lambda step: os.path.join(train["output_dir"], f"{train['output_name']}{step}.{train['save_model_as']}")
    good = (0.5, 0.25)
    done = 0
    for step in range(1, steps + 1):
        time.sleep(float(os.environ.get("STAND_IN_STEP_S", "0.01")))
        done = step
        loss = math.nan if fault == "nan" else 1.0 / step
        print(f"\\rsteps: {step}/{steps} [avr_loss={loss:.3g}]", end="", file=sys.stderr)
        for tracker in accelerator.trackers:
            tracker.log({"loss/current": loss, "loss/average": loss, "lr/unet": 1e-3}, step=step)
        if step % train.get("save_every_n_steps", steps + 1) == 0:
            up = (math.inf, 1.0) if fault == "infinite-checkpoint" else good
            safetensors(path_of(f"-step{step:08d}"), step, up)
        if fault == "half" and step == steps // 2:
            break
    for tracker in accelerator.trackers:
        tracker.log({"loss/epoch_average": 0.25}, step=1)
    if fault == "no-output":
        return
    path = path_of("")
    print("\\nsaving checkpoint:", path, flush=True)
    if fault == "slow-save":
        time.sleep(1)
    up = {"nan": (math.nan, 1.0), "untrained": (0.0, 0.0)}.get(fault, good)
    safetensors(path, 3 if fault == "wrong-steps" else done, up)
    if fault == "cut":
        os.truncate(path, os.path.getsize(path) - 3)
    print("INFO     model saved.", file=sys.stderr)

if __name__ == "__main__":
    main()
"""


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
    files = {"train_network.py": _SCRIPT, "accelerate/__init__.py": _ACCELERATE, "accelerate/tracking.py": _TRACKING}
    for name, text in files.items():
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
    """Returns a config of 6 steps for the stand-in; `fault` and `step_s` go to its environment."""
    env = {"STAND_IN": str(changes.pop("fault", "")), "STAND_IN_STEP_S": str(changes.pop("step_s", 0.01))}
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
