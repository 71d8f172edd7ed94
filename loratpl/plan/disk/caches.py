"""How much disk the caches take that the trainer writes beside the pictures.

Both are NPZ archives, made as `numpy.savez` makes them. Exact for latents, whose sizes follow from the buckets
(sd-scripts 48d368fa, `library/strategy_base.py:LatentsCachingStrategy`). For the outputs of text encoders exact in the
number of values of the families' own models; estimated in their precision under autocast, and for HunyuanImage in the
length of the captions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loratpl.config.settings import Settings
from loratpl.dataset.latent_caches import LatentCache, latent_cache_of
from loratpl.plan.planner import PlannedDataset, TrainingPlan

# Name of an array and the bytes of its values.
Arrays = tuple[tuple[str, int], ...]

_FLOAT, _INT = 4, 8
# `numpy.savez`: the array's own header, the ZIP archive's two for each array, and its end.
_ARRAY_HEADER_BYTES, _ZIP_BYTES_PER_ARRAY, _ZIP_END_BYTES = 128, 30 + 20 + 46, 22
# Their archives hold the latents of one bucket; those of the others one set for each that the picture was in.
_ONE_BUCKET = frozenset({"sd15", "sd2", "sdxl"})
_TEXT_SUFFIXES = {
    "sdxl": "_te_outputs.npz", "sd3": "_sd3_te.npz", "flux": "_flux_te.npz", "chroma": "_flux_te.npz",
    "lumina": "_lumina_te.npz", "hunyuan-image": "_hi_te.npz", "anima": "_anima_te.npz",
}  # fmt: skip
_CLIP_TOKENS = 77
# HunyuanImage's captions are not filled up to a length: an estimate. Its byT5 part is always this long.
_QWEN_TOKENS, _BYT5_TOKENS = 256, 128


def npz_bytes(arrays: Arrays) -> int:
    """Returns the size of an NPZ archive.

    >>> npz_bytes((("a", 16),))
    272
    """
    each = sum(_ARRAY_HEADER_BYTES + size + _ZIP_BYTES_PER_ARRAY + 2 * len(f"{name}.npy") for name, size in arrays)
    return each + _ZIP_END_BYTES


def latent_cache_bytes(settings: Settings, plan: TrainingPlan) -> int:
    """Returns by how much the latent caches grow the disk's content; those that are there already do not."""
    if not settings["cache_latents_to_disk"]:
        return 0
    family = settings.family.name
    how = latent_cache_of(family)
    arrays: dict[str, dict[str, Arrays]] = {}
    for dataset in plan.datasets:
        of_folder = {subset.concept.folder: subset.settings for subset in dataset.spec.subsets}
        for view in dataset.views():
            stem, (width, height) = os.path.splitext(view.picture.path)[0], view.picture.trained_px  # noqa: PTH122
            path = f"{stem}_{width:04d}x{height:04d}{how.suffix}"
            place = "" if family in _ONE_BUCKET else _place(view.placement.bucket, how)
            arrays.setdefault(path, {})[place] = _latents(
                view.placement.bucket, how, place, of_folder[view.concept.folder]
            )
    return sum(
        _missing(path, npz_bytes(tuple(one for part in parts.values() for one in part)), family)
        for path, parts in arrays.items()
    )


def _place(bucket: tuple[int, int], how: LatentCache) -> str:
    return f"_{bucket[1] // how.stride}x{bucket[0] // how.stride}"


def _latents(bucket: tuple[int, int], how: LatentCache, place: str, settings: Settings) -> Arrays:
    width, height = bucket
    size = how.channels * (width // how.stride) * (height // how.stride) * _FLOAT
    arrays = [(f"latents{place}", size), (f"original_size{place}", 2 * _INT), (f"crop_ltrb{place}", 4 * _INT)]
    if settings["flip_aug"]:
        arrays.append((f"latents_flipped{place}", size))
    if settings["alpha_mask"]:
        arrays.append((f"alpha_mask{place}", width * height * _FLOAT))
    return tuple(arrays)


def _missing(path: str, size_bytes: int, family: str) -> int:
    """Returns what a cache of that size adds to a file that may be there."""
    there = _size_of(path)
    if there is None and family in _ONE_BUCKET:  # an old name, which the trainer goes on with where it finds it
        there = _size_of(f"{path.rsplit('_', maxsplit=2)[0]}.npz")
    return max(0, size_bytes - (there or 0))


def _size_of(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None


def text_cache_bytes(settings: Settings, plan: TrainingPlan) -> int:
    """Returns by how much the caches of text encoders' outputs grow the disk's content."""
    suffix = _TEXT_SUFFIXES.get(settings.family.name)
    if suffix is None or not settings["cache_text_encoder_outputs_to_disk"]:
        return 0
    size = npz_bytes(text_arrays(settings))
    return sum(max(0, size - (_size_of(stem + suffix) or 0)) for stem in _stems(plan.datasets))


def _stems(datasets: Sequence[PlannedDataset]) -> set[str]:
    return {os.path.splitext(view.picture.path)[0] for one in datasets for view in one.views()}  # noqa: PTH122


def text_arrays(settings: Settings) -> Arrays:
    """Returns what the cache of one caption holds, with the text encoders that the family's models are made with."""
    # The outputs keep the precision of the encoders, but NumPy has no bfloat16.
    value = 2 if settings["mixed_precision"] == "fp16" else _FLOAT
    family = settings.family.name
    t5 = settings["t5xxl_max_token_length"] or (256 if family == "sd3" else 512)
    if family == "sdxl":
        tokens = (settings["max_token_length"] or 75) + 2
        return _arrays(value, hidden_state1=tokens * 768, hidden_state2=tokens * 1280, pool2=1280)
    if family == "sd3":
        return (
            *_arrays(value, lg_out=_CLIP_TOKENS * 4096, lg_pooled=2048, t5_out=t5 * 4096),
            *_arrays(_INT, clip_l_attn_mask=_CLIP_TOKENS, clip_g_attn_mask=_CLIP_TOKENS, t5_attn_mask=t5),
            *_arrays(1, apply_lg_attn_mask=1, apply_t5_attn_mask=1),
        )
    if family in ("flux", "chroma"):
        return (
            *_arrays(value, l_pooled=768, t5_out=t5 * 4096, txt_ids=t5 * 3),
            *_arrays(_INT, t5_attn_mask=t5),
            *_arrays(1, apply_t5_attn_mask=1),
        )
    if family == "lumina":
        tokens = settings["gemma2_max_token_length"] or 256
        return (*_arrays(_FLOAT, hidden_state=tokens * 2304), *_arrays(_INT, attention_mask=tokens, input_ids=tokens))
    if family == "anima":
        qwen, t5 = settings["qwen3_max_token_length"] or 512, settings["t5_max_token_length"] or 512
        return (
            *_arrays(value, prompt_embeds=qwen * 1024),
            *_arrays(_INT, attn_mask=qwen),
            *_arrays(4, t5_input_ids=t5, t5_attn_mask=t5, caption_dropout_rate=1),
        )
    return (  # HunyuanImage's encoders are in bfloat16 always
        *_arrays(_FLOAT, vlm_embed=_QWEN_TOKENS * 3584, byt5_embed=_BYT5_TOKENS * 1472),
        *_arrays(_INT, vlm_mask=_QWEN_TOKENS, byt5_mask=_BYT5_TOKENS),
        *_arrays(1, ocr_mask=1),
    )


def _arrays(bytes_per_value: int, **counts: Any) -> Arrays:
    sizes: Mapping[str, int] = counts
    return tuple((name, count * bytes_per_value) for name, count in sizes.items())
