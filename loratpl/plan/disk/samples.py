"""Which sample pictures a training will draw: when, and how many of what size.

Source: sd-scripts 48d368fa, `library/train_util.py:sample_images_common`; its siblings in the other families'
libraries are alike but for the size of a picture whose prompt names none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loratpl.config.settings import Settings
from loratpl.plan.planner import TrainingPlan
from loratpl.plan.sample_prompts import read_prompts

Size = tuple[int, int]

_DEFAULT_PX = 512
_DEFAULT_PX_OF = {"lumina": 1024}
# The trainer rounds down to whole eights, and to no less than this.
_STEP_PX, _LEAST_PX = 8, 64


@dataclass(frozen=True, slots=True)
class PlannedSamples:
    """The sample pictures.

    Attributes:
        steps: After which they are drawn; 0 is before training.
        prompts: The size of the picture of each prompt, None where the prompt file is not one that the trainer reads.
    """

    steps: tuple[int, ...]
    prompts: tuple[Size, ...] | None

    @property
    def pictures(self) -> int | None:
        """How many are drawn, None where that cannot be told."""
        if not self.steps:
            return 0
        return None if self.prompts is None else len(self.steps) * len(self.prompts)


def planned_samples(settings: Settings, plan: TrainingPlan) -> PlannedSamples:
    """Returns when sample pictures are drawn, and their sizes."""
    steps = _steps(settings, plan)
    return PlannedSamples(steps, prompt_sizes(settings) if steps else ())


def _steps(settings: Settings, plan: TrainingPlan) -> tuple[int, ...]:
    first = (0,) if settings["sample_at_first"] else ()
    every_epochs, every_steps = settings["sample_every_n_epochs"], settings["sample_every_n_steps"]
    if every_epochs is not None:  # steps do not count then
        epochs = range(every_epochs, plan.epochs + 1, every_epochs) if every_epochs > 0 else ()
        return (*first, *(min(epoch * plan.steps_per_epoch, plan.total_steps) for epoch in epochs))
    if every_steps is not None and every_steps > 0:
        return (*first, *range(every_steps, plan.total_steps + 1, every_steps))
    return first


def prompt_sizes(settings: Settings) -> tuple[Size, ...] | None:
    """Returns (width, height) of the picture of each prompt, None where the file is not one that the trainer reads.

    Without the file the trainer says so, draws nothing, and goes on.
    """
    path = settings.path("sample_prompts")
    if not path.is_file():
        return ()
    try:
        prompts = read_prompts(path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # ValueError: of every decoder
        return None
    default = _DEFAULT_PX_OF.get(settings.family.name, _DEFAULT_PX)
    return tuple(_size(prompt, default) for prompt in prompts)


def _size(prompt: Mapping[str, Any], default: int) -> Size:
    width, height = (prompt.get(name, default) for name in ("width", "height"))
    return _whole(width, default), _whole(height, default)


def _whole(value: Any, default: int) -> int:
    px = value if isinstance(value, int) else default
    return max(_LEAST_PX, px - px % _STEP_PX)
