"""Stories of runs for tests of the page: a record on the disk, and numbers as a training tells them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.report.ledger.detail import detail_of
from loratpl.report.story.story import (
    CheckpointMade,
    ConceptStory,
    EpochMean,
    MemoryReading,
    RunStory,
    SamplePicture,
    SamplePrompt,
    Series,
    SettingRow,
    StepNumbers,
)
from loratpl.run.history import find_run
from tests.report.ledger.told import a_run
from tests.stand_in import write_picture

RUN_ID = "20260102-030405-ohwx"
BEGAN = 1767323045.0
STEPS_PER_EPOCH = 10
PLAN = {
    "total_steps": 40, "epochs": 4, "steps_per_epoch": STEPS_PER_EPOCH, "batches_per_epoch": 10, "train_images": 10,
    "reg_images": 0, "processes": 1, "gradient_accumulation_steps": 1,
    "buckets": [{"width": 512, "height": 512, "images": 6}, {"width": 640, "height": 384, "images": 4}],
    "concepts": [{"folder": "5_ohwx cat", "images": 2, "repeats": 5, "is_reg": False, "views": 10}],
}  # fmt: skip


def given_story(
    project: ProjectPaths,
    run_id: str = RUN_ID,
    *,
    steps: int = 40,
    config: dict[str, Any] | None = None,
    record: dict[str, Any] | None = None,
    **changes: Any,
) -> RunStory:
    """Returns the story of a run with everything in it: samples, validation, memory, two concepts.

    Args:
        project: Its folder is made where there is none.
        run_id: The run's.
        steps: How many it told.
        config: What its config has otherwise.
        record: What its record has otherwise.
        changes: Fields of the story.
    """
    project.root_dir.mkdir(parents=True, exist_ok=True)
    values = {"plan": PLAN, "last_step": steps, "project_dir": str(project.root_dir), **(record or {})}
    a_run(project, run_id, config, **values)
    detail = detail_of(project, find_run(project, run_id))
    summary = replace(detail.summary, loss=0.0991234, average_loss=0.1012345, duration_s=75.0)
    story = RunStory(
        replace(detail, summary=summary),
        given_numbers(steps),
        tuple(EpochMean(step // 10, step, 0.2 - step / 1000) for step in range(10, steps + 1, 10)),
        (Series("loss/validation/step_average", (10, 20), (0.21, 0.19)), Series("other/number", (5,), (3.0,))),
        (MemoryReading(BEGAN + 10, 10, 500_000_000, None), MemoryReading(BEGAN + 20, 20, 600_000_000, 8_000_000_000)),
        tuple(given_checkpoint(project, step) for step in (20, steps)),
        (SamplePrompt(0, "ohwx cat, photo", "blurry", (("width", "512"), ("seed", "7"))),),
        tuple(given_sample(project, run_id, step) for step in (0, 20, 40)),
        (given_concept(project), given_concept(project, "1_cat", is_reg=True)),
        (
            SettingRow("learning_rate", 0.0001, "config.json", 2e-06),
            SettingRow("network_dim", 16, "command line", None),
            SettingRow("optimizer_type", "AdamW", "default", ""),
        ),
        (),
        tuple(detail.record.problems),
    )
    return replace(story, **changes)


def given_numbers(steps: int) -> StepNumbers:
    """Returns the numbers of so many steps; the loss of the third is not a number."""
    losses = [round(0.1 + 0.05 * math.sin(step) + 0.1 / step, 7) for step in range(1, steps + 1)]
    return StepNumbers(
        tuple(range(1, steps + 1)),
        tuple(BEGAN + step for step in range(1, steps + 1)),
        tuple(None if step == 3 else loss for step, loss in enumerate(losses, 1)),
        tuple(losses),
        {"unet": tuple([0.0001] * steps), "textencoder": tuple([5e-05] * steps)},
        (None, *[1.0] * (steps - 1)) if steps else (),
    )


def given_checkpoint(project: ProjectPaths, step: int, *, is_last: bool = False) -> CheckpointMade:
    """Returns a weights file that is not on the disk any more."""
    path = project.output_dir / f"ohwx-step{step:08d}.safetensors"
    return CheckpointMade(step, BEGAN + step, path, 1_000_000, False, is_last, None)


def given_sample(project: ProjectPaths, run_id: str, step: int, prompt: int = 0) -> SamplePicture:
    """Returns a picture that was drawn; its file is written."""
    path = project.output_dir / "sample" / f"{run_id}_{step:06d}_{prompt:02d}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, step + prompt, (96, 64))
    return SamplePicture(step, prompt, BEGAN + step, path, True)


def given_concept(project: ProjectPaths, folder: str = "5_ohwx cat", *, is_reg: bool = False) -> ConceptStory:
    """Returns a folder with two pictures."""
    place = project.root_dir / ("reg_dir" if is_reg else "image_dir") / folder
    place.mkdir(parents=True, exist_ok=True)
    pictures = tuple(place / f"{number}.png" for number in (1, 2))
    for number, path in enumerate(pictures):
        write_picture(path, number, (64, 64))
    repeats = int(folder.partition("_")[0])
    return ConceptStory(folder, 2, repeats, is_reg, "c" * 64, place, pictures, 2)


def project_at(folder: Path) -> ProjectPaths:
    """Returns a project; nothing is in it yet."""
    return ProjectPaths(folder / "a project")
