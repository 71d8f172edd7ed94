"""What is said of a plan in words, on the terminal and on its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loratpl.ui.columns import visible

if TYPE_CHECKING:
    from loratpl.config.settings import Settings
    from loratpl.plan.buckets import Size
    from loratpl.plan.cropping import Crop
    from loratpl.plan.planner import PlannedDataset, TrainingPlan

# A picture that loses more than this share of its area, or becomes more than so many times as large, is named.
NAMED_LOSS = 0.15
NAMED_SCALE = 1.5
# They would turn around, or end, the line that a name stands in.
_TURNING = {code: f"\\u{code:04x}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)}


def number(value: int) -> str:
    """Returns a number with its thousands apart.

    >>> number(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def percent(share: float) -> str:
    """Returns a share to a tenth of a percent; less than all is never said to be all, nor more than nothing nothing.

    >>> [percent(share) for share in (0.0, 0.00001, 0.1234, 0.9999, 1.0)]
    ['0 %', '0.1 %', '12.3 %', '99.9 %', '100 %']
    """
    tenths = round(share * 1000)
    if 0 < share < 1:
        tenths = min(max(tenths, 1), 999)
    return f"{tenths / 10:.1f} %" if tenths % 1000 else f"{tenths // 10} %"


def times(scale: float) -> str:
    """Returns how much larger something becomes.

    >>> times(1.254), times(12.0)
    ('× 1.25', '× 12.00')
    """
    return f"× {scale:.2f}"


def counted(count: int, word: str) -> str:
    """Returns so many of something.

    >>> counted(1, "epoch"), counted(1200, "view")
    ('1 epoch', '1,200 views')
    """
    return f"{number(count)} {word}{'' if count == 1 else 's'}"


def size(of: Size) -> str:
    """Returns a size in pixels.

    >>> size((832, 1216))
    '832 × 1216'
    """
    return f"{of[0]} × {of[1]}"


def shown(name: str) -> str:
    r"""Returns a name that can be written anywhere: what no encoding has, and what has no look, is written out.

    >>> shown("a\udcff\n.png")
    'a\\udcff\\n.png'
    """
    return visible(name).encode("utf-8", "backslashreplace").decode().translate(_TURNING)


def picture_name(crop: Crop) -> str:
    """Returns a picture's name and its folder's."""
    return shown(f"{crop.view.concept.folder.name}/{crop.view.picture.path.name}")


def heading(dataset: PlannedDataset) -> str:
    """Returns what a dataset is."""
    concepts = counted(len(dataset.spec.training), "concept")
    return f"{size(dataset.rules.resolution)}, batch size {number(dataset.batch_size)}, {concepts}"


def arithmetic(plan: TrainingPlan, crops: Sequence[Crop]) -> str:
    """Returns how the pictures become steps: "120 images × 10 repeats = 1,200 views → … = 6,120 steps"."""
    trained = {c.view.picture.path for c in crops if not (c.view.concept.is_reg or c.view.is_validation)}
    repeats = {subset.repeats for dataset in plan.datasets for subset in dataset.spec.training}
    by = counted(repeats.pop(), "repeat") if len(repeats) == 1 else "their repeats"
    inside = f", in {len(plan.datasets)} datasets" if len(plan.datasets) > 1 else ""
    text = f"{counted(len(trained), 'image')} × {by}{inside} = {counted(plan.train_images, 'view')}"
    regularisation = sum(concept.views for concept in plan.concepts if concept.is_reg)
    if regularisation:
        text += f" + {number(regularisation)} of regularisation = {number(plan.train_images + regularisation)}"
    sizes = " or ".join(dict.fromkeys(number(dataset.batch_size) for dataset in plan.datasets))
    text += f" → in batches of {sizes}: {_several(plan.batches_per_epoch, 'batch', 'batches')}"
    if plan.processes > 1:
        text += f" → for {plan.processes} processes: {number(-(-plan.batches_per_epoch // plan.processes))} each"
    if plan.accumulation > 1:
        text += f" → {plan.accumulation} batches a step"
    text += f" → {counted(plan.steps_per_epoch, 'step')} per epoch"
    link = f", in {counted(plan.epochs, 'epoch')}:" if is_cut(plan) else f" × {counted(plan.epochs, 'epoch')} ="
    return f"{text}{link} {counted(plan.total_steps, 'step')}"


def remarks(settings: Settings, plan: TrainingPlan, crops: Sequence[Crop]) -> Iterator[str]:
    """Yields what the arithmetic does not explain by itself, a sentence each."""
    fewest = sum(-(-sum(b.images for b in one.buckets) // one.batch_size) for one in plan.datasets)
    more = plan.batches_per_epoch - fewest
    if more:
        yield (
            f"Each bucket is cut into batches by itself, and its last batch may be short: "
            f"{_several(more, 'batch', 'batches')} more than if all pictures had one size."
        )
    used = sum(concept.views for concept in plan.concepts if concept.is_reg)
    if used > plan.reg_images:
        yield (
            f"The folders of regularisation images give {counted(plan.reg_images, 'view')}; the trainer repeats them "
            f"until they are as many as the training's: {number(used)}."
        )
    elif used < plan.reg_images:
        yield (
            f"The folders of regularisation images give {counted(plan.reg_images, 'view')}; the trainer uses no more "
            f"than the training has: {number(used)}."
        )
    validation = len({crop.view.picture.path for crop in crops if crop.view.is_validation})
    if validation:
        yield (
            f"{counted(validation, 'picture')} {'is' if validation == 1 else 'are'} kept for "
            "the validation: the loss is measured with them, and nothing is learnt from them."
        )
    if is_cut(plan):
        done = plan.total_steps - (plan.epochs - 1) * plan.steps_per_epoch
        why = f": `max_train_steps` is {number(plan.total_steps)}" if settings["max_train_epochs"] is None else ""
        yield f"The last epoch ends early, after {number(done)} of {counted(plan.steps_per_epoch, 'step')}{why}."


def is_cut(plan: TrainingPlan) -> bool:
    """Returns whether the training ends before its last epoch does."""
    return plan.total_steps < plan.epochs * plan.steps_per_epoch


def is_cut_at_random(dataset: PlannedDataset) -> bool:
    """Returns whether any picture is not cut in its middle."""
    return any(subset.settings["random_crop"] for subset in dataset.spec.subsets)


def _several(count: int, one: str, several: str) -> str:
    return f"{number(count)} {one if count == 1 else several}"
