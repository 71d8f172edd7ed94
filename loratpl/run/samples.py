"""The sample pictures of a run: their prompts, kept as they were, and what their names say of them."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

from loratpl.config.settings import Settings
from loratpl.plan.disk.samples import planned_samples
from loratpl.plan.planner import TrainingPlan
from loratpl.project import RunPaths

# A file of prompts is a few kB; what is much larger is none, and not worth a copy for each run.
MAX_PROMPTS_BYTES = 1_000_000
# Those that the trainer reads; any other one ends it.
PROMPT_SUFFIXES = (".txt", ".toml", ".json")
_PLACE = re.compile(r"(?P<epoch>e?)(?P<number>[0-9]{6,})_(?P<prompt>[0-9]{2,})_[0-9]{14}(?:_.+)?\.png")


@dataclass(frozen=True, slots=True)
class SampleNames:
    """How the trainer names the sample pictures of a training: `NAME_e000001_00_20260102030405_SEED.png`.

    Without the "e" the number is a step's; without a seed in the prompt there is none in the name. What is drawn before
    the first step is of epoch 0.

    Source: sd-scripts 48d368fa, `library/train_util.py:sample_image_inference`; its siblings name theirs alike.
    """

    output_name: str
    steps_per_epoch: int
    total_steps: int

    def place_of(self, name: str) -> tuple[int, int] | None:
        """Returns after which step a picture was drawn and of which prompt, None where its name is not the trainer's.

        >>> names = SampleNames("cat_2", steps_per_epoch=40, total_steps=100)
        >>> names.place_of("cat_2_000012_00_20260102030405.png")
        (12, 0)
        >>> names.place_of("cat_2_e000003_01_20260102030405_-7.png")
        (100, 1)
        """
        prefix = f"{self.output_name}_"
        found = _PLACE.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if found is None:
            return None
        number = int(found["number"])
        step = min(number * self.steps_per_epoch, self.total_steps) if found["epoch"] else number
        return step, int(found["prompt"])


def keep_prompts(settings: Settings, plan: TrainingPlan, paths: RunPaths) -> None:
    """Copies the prompts into the run's folder, where the run draws samples: the file may be another one by tomorrow.

    One that cannot be read is for `check` to judge, and a disk that is full for the rest of the run.
    """
    source = settings.path("sample_prompts")
    if source.suffix not in PROMPT_SUFFIXES or not planned_samples(settings, plan).steps:
        return
    target = paths.sample_prompts_path(source.suffix)
    partial = target.with_name(f"{target.name}.partial")
    with contextlib.suppress(OSError):
        if not source.is_file():  # a pipe would be waited for
            return
        with source.open("rb") as file:
            content = file.read(MAX_PROMPTS_BYTES + 1)
        if len(content) > MAX_PROMPTS_BYTES:
            return
        try:
            partial.write_bytes(content)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
