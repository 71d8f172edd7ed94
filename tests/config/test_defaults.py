"""The defaults are options of the trainer, with values that it takes, and they go together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.defaults import DEFAULTS, Default, defaults_of
from loratpl.config.families import FAMILIES
from loratpl.config.options import convert
from loratpl.trainer.manifest import load_manifest
from tests.config.test_family import resolved

# What `unless` may name besides options: what a network module is told in `network_args`.
_NETWORK_ARGUMENTS = {"train_t5xxl"}
_ALL = [(name, default) for name in FAMILIES for default in defaults_of(name)]
_CACHING = ("network_train_unet_only", "cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk")
TRANSFORMER_ALONE = ("sd3", "flux", "chroma", "lumina", "hunyuan-image", "anima")
EVERY_DEFAULT = pytest.mark.parametrize(
    ("family", "default"), [pytest.param(name, default, id=f"{name} {default.name}") for name, default in _ALL]
)


@EVERY_DEFAULT
def test_a_default_is_an_option_and_converts_to_itself(family: str, default: Default) -> None:
    options = load_manifest().options_of[FAMILIES[family].script]
    converted = convert(options[default.name], default.value)
    assert converted == default.value
    assert type(converted) is type(default.value)
    assert {*default.unless} - _NETWORK_ARGUMENTS <= set(options)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_default_is_written_once(family: str) -> None:
    names = [default.name for default in defaults_of(family)]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert names[: len(DEFAULTS)] == [default.name for default in DEFAULTS]


@EVERY_DEFAULT
def test_what_a_default_needs_is_decided_before_it(family: str, default: Default) -> None:
    """It is the user's to decide, or a default that comes earlier."""
    names = [other.name for other in defaults_of(family)]
    if default.needs in names:
        assert names.index(default.needs) < names.index(default.name)
    assert not default.needs or default.needs in load_manifest().options_of[FAMILIES[family].script]


def _caching(folder: Path, family: str, **values: Any) -> list[bool]:
    settings, problems = resolved(folder, {"family": family, **values})
    assert {problem.code for problem in problems} <= {"config.model.missing"}
    return [bool(settings[name]) for name in _CACHING]


@pytest.mark.parametrize("family", TRANSFORMER_ALONE)
def test_the_transformer_is_trained_alone_and_captions_are_worked_out_once(tmp_path: Path, family: str) -> None:
    assert _caching(tmp_path, family) == [True, True, family == "hunyuan-image"]


@pytest.mark.parametrize("family", TRANSFORMER_ALONE)
@pytest.mark.parametrize(
    "values",
    [
        {"shuffle_caption": True},
        {"caption_dropout_rate": 0.05},
        {"caption_tag_dropout_rate": 0.1},
        {"caption_dropout_every_n_epochs": 2},
        {"token_warmup_step": 5.0},
        {"enable_wildcard": True},
    ],
)
def test_captions_that_change_are_not_worked_out_once(tmp_path: Path, family: str, values: dict[str, Any]) -> None:
    assert _caching(tmp_path, family, **values) == [True, False, False]
    off = {name: type(value)(0) for name, value in values.items()}
    assert _caching(tmp_path, family, **off) == [True, True, family == "hunyuan-image"]


def _for_each(*rows: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every such family with each of the rows; what is said of T5 only where the network module knows T5."""
    return [
        (family, row)
        for family in TRANSFORMER_ALONE
        for row in rows
        if "network_args" not in row or family in ("sd3", "flux", "chroma")
    ]


@pytest.mark.parametrize(
    ("family", "values"),
    _for_each(
        {"network_train_unet_only": False},
        {"text_encoder_lr": [1e-5]},
        {"network_train_text_encoder_only": True},
        {"network_args": ["train_t5xxl=True"]},
    ),
)
def test_a_text_encoder_that_shall_be_trained_is(tmp_path: Path, family: str, values: dict[str, Any]) -> None:
    assert _caching(tmp_path, family, **values) == [False, False, False]


@pytest.mark.parametrize(
    ("family", "values"), _for_each({"text_encoder_lr": [0.0]}, {"network_args": ["train_t5xxl=False"]})
)
def test_a_text_encoder_that_shall_not_be_trained_is_not(tmp_path: Path, family: str, values: dict[str, Any]) -> None:
    assert _caching(tmp_path, family, **values)[:2] == [True, True]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [False, False, False]),
        ({"cache_text_encoder_outputs": True}, [True, True, False]),
        ({"cache_text_encoder_outputs_to_disk": True}, [True, True, True]),
    ],
)
def test_sdxl_trains_its_text_encoders_unless_their_outputs_are_kept(
    tmp_path: Path, values: dict[str, Any], expected: list[bool]
) -> None:
    assert _caching(tmp_path, "sdxl", **values) == expected


@pytest.mark.parametrize("family", ["sd15", "sd2"])
def test_the_first_families_train_everything(tmp_path: Path, family: str) -> None:
    assert _caching(tmp_path, family) == [False, False, False]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_size_is_what_the_family_was_made_for(tmp_path: Path, family: str) -> None:
    settings, _ = resolved(tmp_path, {"family": family})
    small = family in ("sd15", "sd2")
    assert settings["resolution"] == ("512,512" if small else "1024,1024")
    assert settings["max_bucket_reso"] == (1024 if small else 2048)
    assert settings["bucket_reso_steps"] % FAMILIES[family].bucket_step_px == 0
    assert bool(settings["gradient_checkpointing"]) == (not small)
