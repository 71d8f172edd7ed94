"""What settings must be for a plan to exist; the trainer ends on these, or trains nothing and exits with 0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loratpl.config.settings import Settings
from loratpl.errors import Problem
from loratpl.plan.buckets import BucketError, BucketRules, Size, check_rules

# Each counts something that there must be at least one of; 0 lets the trainer save an untrained LoRA and exit with 0,
# or divide by zero after the first epoch.
_AT_LEAST_ONE = (
    "max_train_epochs", "max_train_steps", "train_batch_size", "gradient_accumulation_steps",
    "save_every_n_epochs", "save_every_n_steps",
)  # fmt: skip


def parse_resolution(text: str) -> Size:
    """Returns (width, height) of "512" or "512,768".

    >>> parse_resolution("512,768")
    (512, 768)

    Raises:
        ValueError: It is neither.
    """
    sides = [int(side) for side in text.split(",")]
    if len(sides) == 1:
        return sides[0], sides[0]
    width, height = sides
    return width, height


def bucket_rules(settings: Settings) -> BucketRules:
    """Returns what the settings say of buckets, as the trainer uses it.

    Raises:
        BucketError: The trainer would end with it.
        ValueError: The resolution is none.
    """
    return check_rules(
        BucketRules(
            parse_resolution(settings["resolution"]),
            bool(settings["enable_bucket"]),
            settings["min_bucket_reso"],
            settings["max_bucket_reso"],
            settings["bucket_reso_steps"],
            bool(settings["bucket_no_upscale"]),
        ),
        settings.family.bucket_step_px,
    )


def plan_problems(settings: Settings, trained: Iterable[Settings] = ()) -> Iterator[Problem]:
    """Yields everything in the settings that no plan can be made with, and a warning where two say the same.

    Args:
        settings: Of the whole training.
        trained: Those that pictures are trained with (`trained_settings`), where they are others.
    """
    used = tuple(trained) or (settings,)
    yield from dict.fromkeys(problem for one in used for problem in _problems_of(one))
    if all(one is not settings for one in used) and not _is_resolution(settings):
        yield _no_resolution(settings)  # the trainer reads it, though no dataset has it


def _problems_of(settings: Settings) -> Iterator[Problem]:
    for name in _AT_LEAST_ONE:
        value = settings[name]
        if value is not None and value < 1:
            where = settings.where(name)
            message = f"{where}: {value} is too few; it must be 1 or more."
            yield Problem("config.value", message, where, f"Correct `{name}` in the config.")
    yield from _validation_problems(settings)
    yield from _resolution_problems(settings)
    if settings["max_train_epochs"] is not None and settings["max_train_steps"] is not None:
        yield Problem(
            "config.steps.ignored",
            f"max_train_steps is {settings['max_train_steps']} and max_train_epochs is {settings['max_train_epochs']}; "
            "the trainer takes the epochs and ignores the steps.",
            settings.where("max_train_steps"),
            "Take one of them out (`--set max_train_epochs=null` for this time only).",
            "warning",
        )


def _validation_problems(settings: Settings) -> Iterator[Problem]:
    split = settings["validation_split"]
    if not split:
        return
    if not 0.0 < split < 1.0:
        where = settings.where("validation_split")
        message = f"validation_split is {split}; it must lie between 0 and 1."
        yield Problem("config.value", message, where, "Correct `validation_split` in the config.")
    elif settings["validation_seed"] is None:
        yield Problem(
            "config.value",
            "validation_split without validation_seed lets the same picture be trained and validated.",
            settings.where("validation_split"),
            'Set `"validation_seed": 1` in the config.',
        )


def _resolution_problems(settings: Settings) -> Iterator[Problem]:
    where = settings.where("resolution")
    try:
        bucket_rules(settings)
    except BucketError as error:
        message = f"The buckets cannot be made: {error}."
        yield Problem("plan.buckets", message, where, "Correct `resolution` or the bucket settings in the config.")
    except ValueError:
        yield _no_resolution(settings)


def _is_resolution(settings: Settings) -> bool:
    try:
        parse_resolution(settings["resolution"])
    except ValueError:
        return False
    return True


def _no_resolution(settings: Settings) -> Problem:
    where = settings.where("resolution")
    message = f"{where}: {settings['resolution']!r} is no resolution."
    return Problem("config.value", message, where, 'Write one number or two with a comma: `"512"` or `"512,768"`.')
