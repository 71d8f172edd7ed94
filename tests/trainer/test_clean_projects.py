"""Random projects that nothing is wrong with: `check` has no error for them, and the trainer's own classes take them.

Odd names, shapes, picture modes and scripts; a rule that is too eager shows here.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from loratpl.config.machine import WITH_GPU
from loratpl.project import RunPaths, open_project
from loratpl.render import renderer
from loratpl.render.prepare import judge
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.status import TrainerStatus
from tests.dataset.inspect.drawn import write
from tests.given import write_config
from tests.trainer.conftest import ONE_THREAD

PROJECTS = 150
TRAINER_TIMEOUT_S = 300
FAMILIES = ("sd15", "sdxl", "anima")
TRIGGERS = ("ohwx cat", "日本 猫", "ñandú_x", "o'hwx [a]", "Ωμέγα", "100% pure", "صورة قط", "a" * 60)
STEMS = ("a", "ß ä", "日", "%d", "x.y", "1_2_3", "(copy) [2]", "😀", "-dash")
TEXTS = ("{} on a sofa", "photo of {}, smiling", "{}、笑顔", "{} — in the “park”, 50% done", "a {}\n")
# What may be said of such projects all the same: a matter of taste, and true.
TRUE_WARNINGS = frozenset({
    "dataset.imbalance", "dataset.image.small", "dataset.image.cropped", "dataset.reg.unused",
    "dataset.caption.missing", "dataset.caption.trigger", "dataset.image.alpha",
})  # fmt: skip


def _make(root: Path, seed: int) -> str:
    """Lays a project out, and returns its family."""
    numbers = random.Random(seed)
    family = numbers.choice(FAMILIES)
    bucketing = {"min_bucket_reso": 64, "max_bucket_reso": 512, "enable_bucket": True}
    write_config(
        root, {"family": family, "resolution": "128", "mixed_precision": "no", "network_alpha": 1, **bucketing}
    )
    folders = [(root / "image_dir", trigger) for trigger in numbers.sample(TRIGGERS, numbers.randint(1, 3))]
    if numbers.random() < 0.4:
        folders.append((root / "reg_dir", "cat"))
    has_captions = numbers.random() < 0.7
    for parent, trigger in folders:
        folder = parent / f"{numbers.choice(['1', '3', '0010', '+2'])}_{trigger}"
        for _ in range(numbers.randint(1, 5)):
            suffix = numbers.choice([".png", ".jpg", ".jpeg", ".webp", ".bmp", ".PNG", ".JPG"])
            modes = ["RGB", "L", "P", "RGBA", "1"] if suffix.lower() == ".png" else ["RGB"]
            stem = f"{numbers.choice(STEMS)} {numbers.getrandbits(40)}"
            size = (numbers.randint(70, 300), numbers.randint(70, 300))
            path = write(folder / f"{stem}{suffix}", numbers.getrandbits(30), size, numbers.choice(modes))
            if has_captions:
                text = numbers.choice(TEXTS).format(trigger.replace("_", " "))
                path.with_suffix(".txt").write_text(text, encoding="utf-8")
    return family


def _request(root: Path, trainer: TrainerPaths) -> tuple[dict[str, object], int]:
    """Returns what the trainer is asked, and the batches that were planned; asserts that nothing is wrong."""
    judged = judge(
        open_project(root), gpu_count=lambda: None, machine=WITH_GPU, is_this_machine=False, packages=lambda: None
    )
    said = {problem.code for problem in judged.problems if not problem.code.startswith("config.model")}
    errors = [p for p in judged.problems if p.severity == "error" and not p.code.startswith("config.model")]
    assert not errors
    assert said <= TRUE_WARNINGS
    assert judged.plan is not None
    paths = RunPaths(root / "run")
    renderer.write(renderer.render(judged.settings, judged.plan, trainer, paths), judged.settings, paths)
    argv = ["--config_file", str(paths.train_toml_path), "--dataset_config", str(paths.dataset_toml_path)]
    return {"script": judged.settings.family.script, "argv": argv}, judged.plan.batches_per_epoch


def test_nothing_is_wrong_and_the_trainer_takes_them(installed_trainer: TrainerStatus, tmp_path: Path) -> None:
    paths = installed_trainer.paths
    asked = []
    for seed in range(PROJECTS):
        _make(tmp_path / f"p {seed}", seed)
        asked.append(_request(tmp_path / f"p {seed}", paths))
    done = subprocess.run(
        [
            paths.python_path, Path(__file__).with_name("real_datasets.py"),
            "--source", paths.source_dir, "--inside", INSIDE_DIR,
        ],
        input="".join(json.dumps(request) + "\n" for request, _ in asked),
        capture_output=True,
        env={**os.environ, **ONE_THREAD, "TQDM_DISABLE": "1"},
        encoding="utf-8",
        check=True,
        timeout=TRAINER_TIMEOUT_S,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == PROJECTS
    refused = [(seed, answer) for seed, answer in enumerate(answers) if "error" in answer]
    assert not refused
    assert [answer["batches"] for answer in answers] == [batches for _, batches in asked]


pytestmark = pytest.mark.timeout(600)
