"""Settings that make a training take less memory of the GPU, in the order of what they cost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loratpl.check.rule import SD_FAMILIES, UNET_FAMILIES, caches_text_encoders, number
from loratpl.config.machine import BF16_COMPUTE_CAPABILITY
from loratpl.plan.preconditions import parse_resolution
from loratpl.run.diagnosis.evidence import Case
from loratpl.run.phases import CACHING, SAMPLING

# As many as one sentence bears.
_SHOWN = 5
# sd-scripts 48d368fa: the most blocks that each family's model can keep away from the GPU.
_MOST_SWAPPED = {"flux": 35, "chroma": 35, "sd3": 36, "lumina": 24, "hunyuan-image": 37, "anima": 26}
_FP8_FAMILIES = UNET_FAMILIES | {"sd3", "flux", "chroma", "lumina"}
_ATTENTION_OPTIONS = ("sdpa", "xformers", "mem_eff_attn", "use_flash_attn", "use_sage_attn")
# What the trainer refuses beside cached outputs of the text encoders: each caption would have to be encoded anew.
_CHANGES_CAPTIONS = ("shuffle_caption", "caption_dropout_rate", "token_warmup_step", "caption_tag_dropout_rate")
_SMALLER_RESOLUTIONS = (1024, 768, 512)
_LEAST_DIM = 8


@dataclass(frozen=True, slots=True)
class Rung:
    """One thing to set.

    Attributes:
        advise: What to set for this case, None where it is set already or the family cannot.
        cost: What it takes in exchange.
    """

    advise: Callable[[Case], str | None]
    cost: str


def advice(case: Case, *before: str) -> str:
    """Returns what to set, the cheapest first, as one sentence; `before` comes before all of that."""
    found = (step for rung in _rungs(case) if (step := rung.advise(case)) is not None)
    steps = [*before, *itertools.islice(found, _SHOWN)]
    if not steps:
        return "Train on a GPU with more memory, or take a smaller base model: these settings save all that they can."
    first, rest = steps[0], steps[1:]
    more = f"; if that is not enough, {', then '.join(rest)}" if rest else ""
    return f"{first[0].upper()}{first[1:]}{more}."


def _rungs(case: Case) -> Iterator[Rung]:
    if case.evidence.phase == CACHING:
        yield Rung(_one_picture_at_a_time, "a slower start")
    if case.evidence.phase == SAMPLING:
        yield Rung(_no_samples, "no pictures while training")
    yield from RUNGS


def _one_picture_at_a_time(case: Case) -> str | None:
    return 'set `"vae_batch_size": 1`' if number(case.settings, "vae_batch_size") > 1 else None


def _no_samples(_case: Case) -> str:
    return "take `sample_prompts` out, or write smaller pictures into it (` --w 512 --h 512`)"


def _no_highvram(case: Case) -> str | None:
    for name in ("highvram", "lowram"):
        if case.settings[name]:
            return f"take `{name}` out, which keeps models on the GPU"
    return None


def _cached_latents(case: Case) -> str | None:
    if case.settings["cache_latents"] or case.settings["cache_latents_to_disk"]:
        return None
    unfit = [name for name in ("color_aug", "random_crop") if case.settings[name]]
    without = f" and take `{unfit[0]}` out" if unfit else ""
    return f'set `"cache_latents": true`{without}'


def _checkpointing(case: Case) -> str | None:
    return None if case.settings["gradient_checkpointing"] else 'set `"gradient_checkpointing": true`'


def _half_precision(case: Case) -> str | None:
    if case.settings["mixed_precision"] in ("fp16", "bf16", "fp8"):
        return None
    gpus = case.machine.gpus
    is_old = bool(gpus) and min(gpu.compute_capability for gpu in gpus) < BF16_COMPUTE_CAPABILITY
    return f'set `"mixed_precision": "{"fp16" if is_old else "bf16"}"`'


def _attention(case: Case) -> str | None:
    mode = case.settings["attn_mode"]
    if any(case.settings[name] for name in _ATTENTION_OPTIONS) or mode not in (None, "vanilla"):
        return None
    # The transformers of the other families use it by themselves.
    return 'set `"sdpa": true`' if case.settings.family.name in UNET_FAMILIES else None


def _text_encoders(case: Case) -> str | None:
    settings = case.settings
    unet_only = "" if settings["network_train_unet_only"] else '`"network_train_unet_only": true`'
    if settings.family.name in SD_FAMILIES:
        return f"set {unet_only}" if unet_only else None
    if caches_text_encoders(settings) or any(settings[name] for name in _CHANGES_CAPTIONS):
        return None
    return f'set `"cache_text_encoder_outputs": true`{f" and {unet_only}" if unet_only else ""}'


def _small_optimizer(case: Case) -> str | None:
    named = str(case.settings["optimizer_type"] or "AdamW").lower()
    if case.settings["use_8bit_adam"] or named not in ("adamw", "adam", "torch.optim.adamw"):
        return None
    return 'set `"optimizer_type": "AdamW8bit"`'


def _fp8(case: Case) -> str | None:
    settings = case.settings
    if settings.family.name == "hunyuan-image":
        return None if settings["fp8_scaled"] else 'set `"fp8_scaled": true`'
    if settings.family.name not in _FP8_FAMILIES or settings["fp8_base"] or settings["fp8_base_unet"]:
        return None
    return 'set `"fp8_base": true`'


def _batch(case: Case) -> str | None:
    size = int(number(case.settings, "train_batch_size") or 1)
    if size <= 1:
        return None
    half = next(part for part in range(size // 2, 0, -1) if size % part == 0)
    accumulated = int(number(case.settings, "gradient_accumulation_steps") or 1) * size // half
    return f'set `"train_batch_size": {half}` with `"gradient_accumulation_steps": {accumulated}`'


def _swap(case: Case) -> str | None:
    most = _MOST_SWAPPED.get(case.settings.family.name)
    now = number(case.settings, "blocks_to_swap")
    if most is None or now >= most or case.settings["cpu_offload_checkpointing"]:
        return None
    return f'set `"blocks_to_swap": {most // 2 if now < most // 2 else most}`'


def _resolution(case: Case) -> str | None:
    try:
        width, height = parse_resolution(case.settings["resolution"])
    except (ValueError, AttributeError):
        return None
    now = max(width, height)
    smaller = next((size for size in _SMALLER_RESOLUTIONS if size < now), None)
    if smaller is None:
        return None
    text = (
        str(smaller) if width == height else f"{width * smaller // now // 64 * 64},{height * smaller // now // 64 * 64}"
    )
    return f'set `"resolution": "{text}"`'


def _dim(case: Case) -> str | None:
    dim = int(number(case.settings, "network_dim"))
    if dim < 2 * _LEAST_DIM:
        return None
    alpha = number(case.settings, "network_alpha")
    with_alpha = f' with `"network_alpha": {alpha / 2:g}`' if alpha else ""
    return f'set `"network_dim": {dim // 2}`{with_alpha}'


RUNGS = (
    Rung(_no_highvram, "slower loading"),
    Rung(_cached_latents, "nothing: latents are the same in every epoch"),
    Rung(_checkpointing, "about a quarter of the speed"),
    Rung(_half_precision, "nothing that can be seen"),
    Rung(_attention, "nothing"),
    Rung(_text_encoders, "the text encoders are not trained"),
    Rung(_small_optimizer, "hardly anything"),
    Rung(_fp8, "a little of the base model's precision"),
    Rung(_batch, "some speed; the product of both stays"),
    Rung(_swap, "much of the speed"),
    Rung(_resolution, "detail"),
    Rung(_dim, "how much the LoRA can learn"),
)
