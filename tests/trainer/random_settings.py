"""Random settings of datasets: mostly such that something can be planned, now and then such that nothing can."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

RESOLUTIONS = ("512", "512,512", "768,512", "512,768", "64,64", "1024,1024", "320", "500,333", "2048", "640,1536")
BAD_RESOLUTIONS = ("0", "1", "-64", "512,-64", "512,", "abc", "512,512,512", "16,16", "512x512", "0,512")
BATCH_SIZES, BAD_BATCH_SIZES = (1, 1, 2, 3, 4, 5, 6), (0, -1)
MIN_SIDES, BAD_MIN_SIDES = (256, 256, 64, 128, 100, 320, 512), (0, 1, -64, 48, 5000)
MAX_SIDES, BAD_MAX_SIDES = (1024, 1024, 2048, 1000, 1536, 768, 3000), (0, -64, 64, 512)
BAD_STEPS = (0, 50, -64, 1, 8)
SPLITS, BAD_SPLITS = (0.1, 0.25, 0.5, 0.9), (1, 1.0, 1.5, -0.5)
BAD_SHARE = 0.02  # of each single setting


def random_options(rng: random.Random, family_step: int) -> dict[str, Any]:
    """Returns options of a training for a family whose buckets go by steps of that many pixels."""
    resolution = _one_of(rng, RESOLUTIONS, BAD_RESOLUTIONS)
    options: dict[str, Any] = {
        "resolution": resolution,
        "train_batch_size": _one_of(rng, BATCH_SIZES, BAD_BATCH_SIZES),
        "enable_bucket": rng.random() < 0.8,
        "bucket_no_upscale": rng.random() < 0.3,
        "seed": rng.randint(0, 5),
    }
    options |= _bucket_range(rng, family_step, resolution)
    if rng.random() < 0.4:
        options["validation_split"] = _one_of(rng, SPLITS, BAD_SPLITS, 0.15)
        if rng.random() < 0.9:
            options["validation_seed"] = rng.randint(0, 9)
    elif rng.random() < 0.1:
        options["validation_split"] = 0.0
    return options


def random_block(rng: random.Random, family_step: int, used: Sequence[str], unused: Sequence[str]) -> dict[str, Any]:
    """Returns what stands under `kohyatpl`: several datasets, and settings of single folders.

    Args:
        rng: Decides.
        family_step: What buckets go by, in pixels.
        used: Names of folders that are trained.
        unused: Names of others; what is wrong with settings for these is refused too, so there is nothing wrong.
    """
    block: dict[str, Any] = {}
    if rng.random() < 0.3:
        block["datasets"] = [_dataset_part(rng, family_step) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.3:
        names = [rng.choice((name, name.partition("_")[2] or name)) for name in used if rng.random() < 0.5]
        block["concepts"] = {name: _concept_part(rng, family_step) for name in names}
        block["concepts"] |= {name: {"keep_tokens": 1} for name in unused if rng.random() < 0.5}
    return block


def _bucket_range(rng: random.Random, family_step: int, resolution: str) -> dict[str, Any]:
    """A range that mostly holds the resolution, for the trainer ends on any other."""
    sides = [int(side) for side in resolution.split(",") if side.isdecimal()] or [512]
    is_any = rng.random() < BAD_SHARE
    low = [side for side in MIN_SIDES if is_any or side <= min(sides)] or [64]
    high = [side for side in MAX_SIDES if is_any or side >= max(sides)]
    lowest = _one_of(rng, low, BAD_MIN_SIDES)
    steps = [step for step in (family_step, family_step, 64, 2 * family_step, 192) if is_any or step <= lowest]
    return {
        "min_bucket_reso": lowest,
        "max_bucket_reso": _one_of(rng, high, BAD_MAX_SIDES),
        "bucket_reso_steps": _one_of(rng, steps or [family_step], BAD_STEPS),
    }


def _dataset_part(rng: random.Random, family_step: int) -> dict[str, Any]:
    resolution = _one_of(rng, RESOLUTIONS, BAD_RESOLUTIONS)
    possible: dict[str, Any] = {
        "train_batch_size": _one_of(rng, BATCH_SIZES, BAD_BATCH_SIZES),
        "enable_bucket": rng.random() < 0.8,
        "bucket_no_upscale": rng.random() < 0.3,
    }
    part = {name: value for name, value in possible.items() if rng.random() < 0.4}
    if rng.random() < 0.6:  # the range goes with the resolution
        part |= {"resolution": resolution, **_bucket_range(rng, family_step, resolution)}
    return part


def _concept_part(rng: random.Random, family_step: int) -> dict[str, Any]:
    part = _dataset_part(rng, family_step) if rng.random() < 0.5 else {}
    possible: dict[str, Any] = {
        "flip_aug": rng.random() < 0.5,
        "shuffle_caption": rng.random() < 0.3,
        "keep_tokens": rng.randint(0, 2),
        "caption_extension": rng.choice((".txt", ".caption")),
        "color_aug": rng.random() < 0.1,
        "caption_dropout_rate": rng.choice((0.0, 0.1)),
    }
    return {**part, **{name: value for name, value in possible.items() if rng.random() < 0.3}}


def _one_of(rng: random.Random, good: Sequence[Any], bad: Sequence[Any], bad_share: float = BAD_SHARE) -> Any:
    return rng.choice(bad if rng.random() < bad_share else good)
