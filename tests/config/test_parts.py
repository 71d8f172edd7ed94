"""Settings of single datasets and concepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from loratpl.config.families import FAMILIES
from loratpl.config.parts import DATASET_OPTIONS, SUBSET_OPTIONS
from loratpl.config.schema import config_schema
from loratpl.trainer.manifest import load_manifest
from tests.given import only, resolved, settings_of


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_all_of_them(family: str) -> None:
    options = load_manifest().options_of[FAMILIES[family].script]
    assert set(DATASET_OPTIONS) | set(SUBSET_OPTIONS) <= set(options)


def test_values_are_converted_as_they_are_everywhere(tmp_path: Path) -> None:
    block = {
        "concepts": {"ohwx cat": {"weight": 2, "caption_extension": "cap", "keep_tokens": "3", "flip_aug": False}},
        "datasets": [{"train_batch_size": 2.0}, {"resolution": ""}],
    }
    settings = settings_of(tmp_path, {"kohyatpl": block, "caption_extention": ".caption", "flip_aug": True})
    part = settings.concepts["ohwx cat"]
    assert {name: setting.value for name, setting in part.items()} == {
        "caption_extension": ".cap",
        "keep_tokens": 3,
        "flip_aug": False,
    }
    assert settings.block.concepts["ohwx cat"].weight == 2.0
    assert [{name: item.value for name, item in one.items()} for one in settings.datasets] == [
        {"train_batch_size": 2},
        {},
    ]
    own = settings.with_options(part)
    assert (own.caption_extension, own["keep_tokens"], own["flip_aug"]) == (".cap", 3, False)
    assert (settings.caption_extension, settings["keep_tokens"], settings["flip_aug"]) == (".caption", None, True)
    assert own.where("keep_tokens") == part["keep_tokens"].where


@pytest.mark.parametrize(
    ("block", "code", "texts"),
    [
        ({"concepts": {"a": {"keep_tokes": 1}}}, "config.key.unknown", ("concepts.a.keep_tokes", "`keep_tokens`")),
        ({"concepts": {"a": {"wieght": 1}}}, "config.key.unknown", ("kohyatpl.concepts.a.wieght", "`weight`")),
        ({"concepts": {"a": {"learning_rate": 1}}}, "config.key.unknown", ("learning_rate", "top of the config")),
        ({"concepts": {"a": {"qqqqqq": 1}}}, "config.key.unknown", ("kohyatpl.concepts.a.qqqqqq", "keep_tokens")),
        ({"concepts": {"a": {"keep_tokens": "x"}}}, "config.value", ("`keep_tokens` takes a whole number", '"x"')),
        ({"concepts": {"a": {"resolution": 512}}}, "config.value", ("`resolution`", '"512"')),
        ({"datasets": [{"keep_tokens": 1}]}, "config.key.unknown", ("kohyatpl.datasets[0].keep_tokens", "a dataset")),
        ({"datasets": [{}, {"bucket_reso_step": 1}]}, "config.key.unknown", ("datasets[1]", "`bucket_reso_steps`")),
        ({"datasets": [3]}, "config.value", ("kohyatpl.datasets",)),
        ({"datasets": {"resolution": "512"}}, "config.value", ("kohyatpl.datasets",)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(
    tmp_path: Path, block: dict[str, Any], code: str, texts: tuple[str, ...]
) -> None:
    _, problems = resolved(tmp_path, {"kohyatpl": block})
    problem = only(problems)
    assert problem.code == code
    assert problem.where.startswith("config.json")
    for text in texts:
        assert text in f"{problem.message}\n{problem.where}\n{problem.fix}"
    values = {"pretrained_model_name_or_path": "m", "kohyatpl": block}
    number_as_text = code == "config.value" and "keep_tokens" in str(block)  # a text may be a number for an editor
    assert number_as_text or not jsonschema.Draft202012Validator(config_schema()).is_valid(values)


def test_a_part_of_the_command_line_is_named_as_that(tmp_path: Path) -> None:
    _, problems = resolved(tmp_path, {}, [("kohyatpl", {"datasets": [{"resolutoin": "512"}]})])
    assert only(problems).where == "command line: kohyatpl.datasets[0].resolutoin"
