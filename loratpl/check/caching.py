"""Cached text encoder outputs: what cannot change any more once a caption has been encoded."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.check.rule import Rule, caches_text_encoders, judge_all, number
from loratpl.config.arguments import parse_arguments
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_CODE = "config.caching"
_AT = "cache_text_encoder_outputs"
# What changes a caption from step to step, and the families that refuse it or train it unchanged all the same.
_REFUSING = frozenset({"sdxl", "sd3", "flux", "chroma", "hunyuan-image", "anima"})
_LUMINA = frozenset({"lumina"})
_CHANGES = ("shuffle_caption", "caption_tag_dropout_rate", "token_warmup_step")


def trains_t5(settings: Settings) -> bool:
    """Returns whether the network also trains T5; the module compares with exactly this text."""
    return parse_arguments(settings["network_args"]).get("train_t5xxl") == "True"


def _changes(name: str, families: frozenset[str], end: str) -> Rule:
    return Rule(
        _CODE,
        name,
        lambda s: caches_text_encoders(s) and number(s, name) > 0,
        f"{name} changes captions from step to step, but cache_text_encoder_outputs encodes each of them once; {end}.",
        f"Take `{name}` out, or turn the caching of text encoder outputs off.",
        families=families,
    )


# Facts: sd-scripts 48d368fa, `assert_extra_args` of each script, most rows tried on the trainer.
RULES = (
    *(_changes(name, _REFUSING, "the trainer ends on it") for name in _CHANGES),
    *(_changes(name, _LUMINA, "the trainer passes over it without a word") for name in _CHANGES),
    # anima drops captions when it takes them out of the cache.
    _changes("caption_dropout_rate", _REFUSING - {"anima"}, "the trainer ends on it"),
    _changes("caption_dropout_rate", _LUMINA, "the trainer passes over it without a word"),
    _changes(
        "caption_dropout_every_n_epochs", _REFUSING | _LUMINA, "the trainer drops none of them and says nothing of it"
    ),
    Rule(
        _CODE,
        _AT,
        lambda s: caches_text_encoders(s) and not s["network_train_unet_only"],
        "cache_text_encoder_outputs leaves no text encoder to train, and network_train_unet_only is off; the trainer "
        "ends on it.",
        'Set `"network_train_unet_only": true`.',
        families=frozenset({"sdxl", "anima"}),
    ),
    Rule(
        _CODE,
        _AT,
        lambda s: caches_text_encoders(s) and not s["network_train_unet_only"],
        "cache_text_encoder_outputs without network_train_unet_only ends the training of {family} in its first step, "
        "after the models were loaded and everything was cached.",
        'Set `"network_train_unet_only": true`.',
        families=frozenset({"chroma", "hunyuan-image"}),
    ),
    Rule(
        _CODE,
        _AT,
        lambda s: caches_text_encoders(s) and trains_t5(s),
        "network_args has train_t5xxl=True, but cache_text_encoder_outputs takes T5 out of the training; the trainer "
        "ends on it.",
        "Take `train_t5xxl` out of `network_args`, or turn the caching of text encoder outputs off.",
        families=frozenset({"sd3", "flux", "chroma"}),
    ),
    Rule(
        _CODE,
        _AT,
        lambda s: s["cache_text_encoder_outputs"] and not s["cache_text_encoder_outputs_to_disk"],
        "Text encoder outputs of HunyuanImage that are cached in memory are read back wrong: the mask that says which "
        "captions hold quoted text is lost, or ends the training at the first batch.",
        'Set `"cache_text_encoder_outputs_to_disk": true` as well; from the disk they are read back right.',
        families=frozenset({"hunyuan-image"}),
    ),
)


def caching_problems(settings: Settings) -> Iterator[Problem]:
    """Yields what does not go together with cached text encoder outputs."""
    yield from judge_all(RULES, settings)
