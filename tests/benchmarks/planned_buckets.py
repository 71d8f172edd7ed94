"""Measures the CPU time of the planner against that of the trainer's own bucket code, results asserted equal.

`python -m tests.benchmarks.planned_buckets [PICTURES]` needs the installed trainer. The trainer's part is
`make_buckets` of a real dataset whose pictures have their sizes already; ours is the whole plan of the same pictures,
and in a second column the plan with every single picture's placement, which `plan` itself has no need of. Each is the
least of several rounds.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loratpl.config.machine import WITH_GPU
from loratpl.config.reading import read_config
from loratpl.config.settings import Settings, resolve
from loratpl.dataset.scan import Concept, Dataset, Picture
from loratpl.plan.planner import TrainingPlan, make_plan
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import TrainerStatus, status

PICTURES = 200_000
FEW_SIZES = 300
ROUNDS = 3
BATCH_SIZE = 4
Size = tuple[int, int]


def distinct_sizes(count: int) -> list[Size]:
    """Returns so many sizes of 256 to 4000 pixels a side, no two alike, in any order."""
    rng = random.Random(1)
    numbers = rng.sample(range(3744 * 3744), count)
    return [(256 + number // 3744, 256 + number % 3744) for number in numbers]


def few_sizes(count: int) -> list[Size]:
    """Returns so many sizes, a few of them again and again."""
    rng = random.Random(2)
    return rng.choices(distinct_sizes(FEW_SIZES), k=count)


def of_trainer(trainer: TrainerStatus, sizes: Sequence[Size], settings: Settings, folder: Path) -> dict[str, Any]:
    """Returns the trainer's answer: its CPU seconds, batches and placements."""
    request, answer = folder / "request.json", folder / "answer.json"
    width, height = settings["resolution"].split(",")
    names = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")
    options = {"resolution": [int(width), int(height)], "batch_size": BATCH_SIZE}
    options |= {name: settings[name] for name in names}
    request.write_text(json.dumps({"sizes": sizes, "options": options, "rounds": ROUNDS}), encoding="utf-8")
    script = Path(__file__).with_name("real_buckets.py")
    subprocess.run(
        [trainer.paths.python_path, script, trainer.paths.source_dir, INSIDE_DIR, request, answer],
        check=True,
        env={**os.environ, "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return found


def of_planner(dataset: Dataset, settings: Settings) -> tuple[TrainingPlan, list[list[int]], float, float]:
    """Returns the plan, every placement, and the CPU seconds of the plan alone and of both."""
    alone, both = [], []
    for _ in range(ROUNDS):
        started = time.process_time()
        plan = make_plan(dataset, settings)
        alone.append(time.process_time() - started)
        placed = [[*view.placement.bucket, *view.placement.resized] for view in plan.datasets[0].views()]
        both.append(time.process_time() - started)
    return plan, placed, min(alone), min(both)


def settings_of(folder: Path, **options: Any) -> Settings:
    """Returns the settings of a training at these options."""
    path = folder / "config.json"
    path.write_text(json.dumps({"train_batch_size": BATCH_SIZE, **options}), encoding="utf-8")
    settings, _ = resolve(read_config(path), project_name="cats", machine=WITH_GPU)
    return settings


def dataset_of(sizes: Sequence[Size]) -> Dataset:
    """Returns a dataset of one concept whose pictures have these sizes."""
    folder = Path("image_dir") / "1_ohwx cat"
    pictures = tuple(Picture(folder / str(number), *size) for number, size in enumerate(sizes))
    return Dataset(folder.parent, None, (Concept(folder, 1, "ohwx cat", False, pictures),), ())


def main(pictures: int) -> None:
    """Prints a line for each kind of sizes and of buckets."""
    trainer = status(load_pin())
    kinds = {"all sizes distinct": distinct_sizes(pictures), f"{FEW_SIZES} distinct sizes": few_sizes(pictures)}
    print(f"{pictures} pictures, CPU seconds: trainer, plan (ratio), plan with placements (ratio)")
    with tempfile.TemporaryDirectory() as name:
        for title, sizes in kinds.items():
            dataset = dataset_of(sizes)
            for no_upscale in (False, True):
                settings = settings_of(Path(name), bucket_no_upscale=no_upscale)
                real = of_trainer(trainer, sizes, settings, Path(name))
                plan, placed, alone_s, both_s = of_planner(dataset, settings)
                assert placed == real["placed"]
                assert plan.batches_per_epoch == real["batches"]
                way = "no upscale" if no_upscale else "buckets"
                cpu_s = real["cpu_s"]
                print(
                    f"{title:20} {way:10}  {cpu_s:6.3f}  {alone_s:6.3f} ({alone_s / cpu_s:.2f})"
                    f"  {both_s:6.3f} ({both_s / cpu_s:.2f})"
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
