"""What single families cannot do, or do in another way than the rest."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.check.caching import trains_t5
from loratpl.check.rule import (
    FLOW_FAMILIES,
    SD_FAMILIES,
    Rule,
    caches_text_encoders,
    is_on,
    judge_all,
    number,
    samples_pictures,
)
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_REFUSED = "config.combination"
_IGNORED = "config.ignored"
_OFFLOAD = "cpu_offload_checkpointing"
_HUNYUAN = frozenset({"hunyuan-image"})
_ANIMA = frozenset({"anima"})
_CHROMA = frozenset({"chroma"})
_LUMINA = frozenset({"lumina"})


def _fp8(settings: Settings) -> bool:
    return bool(settings["fp8_base"] or settings["fp8_base_unet"])


# Facts: sd-scripts 48d368fa, each row tried with a tiny model of its family.
RULES = (
    Rule(
        _REFUSED,
        "fp8_base",
        lambda s: _fp8(s) and s["mixed_precision"] in (None, "no"),
        "fp8_base and fp8_base_unet need mixed_precision fp16 or bf16; the trainer ends on it after the base model was "
        "loaded.",
        'Set `"mixed_precision": "bf16"`, or take fp8 out.',
        families=SD_FAMILIES | {"sdxl", "sd3", "flux", "chroma", "lumina"},
    ),
    Rule(
        _REFUSED,
        "fp8_base",
        lambda s: _fp8(s) and not s["fp8_scaled"] and s["mixed_precision"] in (None, "no"),
        "fp8_base and fp8_base_unet are not for HunyuanImage, and end the trainer while mixed_precision is no.",
        "Set `fp8_scaled` instead.",
        families=_HUNYUAN,
    ),
    Rule(
        _IGNORED,
        "fp8_base",
        lambda s: _fp8(s) and (s["fp8_scaled"] or s["mixed_precision"] not in (None, "no")),
        "fp8_base and fp8_base_unet are not for HunyuanImage; it has fp8_scaled.",
        "Set `fp8_scaled` instead.",
        "warning",
        _HUNYUAN,
    ),
    Rule(
        _IGNORED,
        "fp8_base",
        _fp8,
        "The trainer has no fp8 for Anima and turns it off.",
        "Take fp8 out; `blocks_to_swap` saves memory.",
        "warning",
        _ANIMA,
    ),
    Rule(
        _REFUSED,
        _OFFLOAD,
        lambda s: s[_OFFLOAD] and s["gradient_checkpointing"],
        "cpu_offload_checkpointing always ends the trainer for {family}: its model cannot do it.",
        "Take `cpu_offload_checkpointing` out; gradient_checkpointing alone saves memory as well.",
        families=SD_FAMILIES | {"sdxl", "sd3", "hunyuan-image"},
    ),
    Rule(
        _REFUSED,
        _OFFLOAD,
        lambda s: s[_OFFLOAD] and number(s, "blocks_to_swap") > 0,
        "cpu_offload_checkpointing and blocks_to_swap cannot be used together; the trainer ends on it.",
        "Keep one of the two; `blocks_to_swap` saves more.",
        families=frozenset({"sd3", "flux", "chroma", "anima"}),
    ),
    Rule(
        _REFUSED,
        "unsloth_offload_checkpointing",
        lambda s: s["unsloth_offload_checkpointing"] and (s[_OFFLOAD] or number(s, "blocks_to_swap") > 0),
        "unsloth_offload_checkpointing cannot be used with cpu_offload_checkpointing or blocks_to_swap; the trainer "
        "ends on it.",
        "Keep one of them.",
        families=_ANIMA,
    ),
    Rule(
        _REFUSED,
        "apply_t5_attn_mask",
        lambda s: not s["apply_t5_attn_mask"],
        "Chroma was trained with T5's attention mask; the trainer ends without apply_t5_attn_mask.",
        'Set `"apply_t5_attn_mask": true`.',
        families=_CHROMA,
    ),
    Rule(
        "config.family",
        "model_type",
        lambda s: (s["model_type"] or "flux") != s.family.name,
        "model_type is {value}, but the family is {family}; the trainer would take the file for what it is not.",
        "Take `model_type` out; `family` sets it.",
        families=frozenset({"flux", "chroma"}),
    ),
    Rule(
        "config.deprecated",
        "split_mode",
        lambda s: s["split_mode"] and s["blocks_to_swap"] is None,
        "split_mode is gone from the trainer, which swaps 18 blocks instead.",
        'Set `"blocks_to_swap": 18` in its place.',
        "warning",
    ),
    Rule(
        "config.deprecated",
        "split_mode",
        lambda s: s["split_mode"] and s["blocks_to_swap"] is not None,
        "split_mode is gone from the trainer, which takes blocks_to_swap and ignores it.",
        "Take `split_mode` out.",
        "warning",
    ),
    Rule(
        _IGNORED,
        "max_token_length",
        lambda s: s["max_token_length"] is not None,
        "max_token_length is {value}, but the trainer does not use it for {family}.",
        "Take it out; the length of captions is set by an option of the family's own text encoder.",
        "warning",
        FLOW_FAMILIES,
    ),
    Rule(
        "config.precision",
        "mixed_precision",
        lambda s: s["mixed_precision"] == "fp16",
        "HunyuanImage was trained in bf16; in fp16 its numbers overflow.",
        'Set `"mixed_precision": "bf16"`.',
        "warning",
        _HUNYUAN,
    ),
    Rule(
        "config.precision",
        "mixed_precision",
        lambda s: s["mixed_precision"] in (None, "no") and not caches_text_encoders(s),
        "mixed_precision is no, and the text encoders of HunyuanImage give bf16; the trainer ends in the first step "
        "unless their outputs are cached.",
        'Set `"mixed_precision": "bf16"`, or `cache_text_encoder_outputs_to_disk` and `network_train_unet_only`.',
        families=_HUNYUAN,
    ),
    Rule(
        "config.samples",
        "sample_prompts",
        lambda s: s["sample_prompts"] is not None and samples_pictures(s) and s["mixed_precision"] in (None, "no"),
        "HunyuanImage cannot draw samples while mixed_precision is no; the trainer ends at the first of them.",
        'Set `"mixed_precision": "bf16"`, or take the `sample_…` options out.',
        families=_HUNYUAN,
    ),
    Rule(
        "config.samples",
        "sample_prompts",
        lambda s: (
            s["sample_prompts"] is not None
            and samples_pictures(s)
            and not s["network_train_unet_only"]
            and not caches_text_encoders(s)
        ),
        "Lumina cannot draw samples while its text encoder is trained; the trainer ends at the first of them.",
        'Set `"network_train_unet_only": true`, or take the `sample_…` options out.',
        families=_LUMINA,
    ),
    Rule(
        _REFUSED,
        "network_train_text_encoder_only",
        lambda s: s["network_train_text_encoder_only"] and not trains_t5(s),
        "network_train_text_encoder_only leaves nothing to train: no text encoder of {family} is trained.",
        "Take it out.",
        families=_CHROMA | _HUNYUAN,
    ),
    Rule(
        "config.deprecated",
        "caption_extention",
        lambda s: s["caption_extention"] is not None,
        "caption_extention is an old misspelling that the trainer still takes; it wins over caption_extension.",
        "Rename it to `caption_extension`.",
        "warning",
    ),
    *(
        Rule(
            "config.deprecated",
            name,
            is_on(name),
            f"{name} is an old way to choose the optimiser.",
            f'Write `"optimizer_type": "{successor}"` in its place.',
            "warning",
        )
        for name, successor in (("use_8bit_adam", "AdamW8bit"), ("use_lion_optimizer", "Lion"))
    ),
)


def sibling_problems(settings: Settings) -> Iterator[Problem]:
    """Yields what the settings ask of a family that cannot do it."""
    yield from judge_all(RULES, settings)
