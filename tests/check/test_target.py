"""What the base model predicts against what the config says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.target import target_problems
from tests.check.given_rules import codes, settings_for, text_of
from tests.given import only


def _folder(root: Path, kind: str) -> str:
    path = root / "model"
    (path / "scheduler").mkdir(parents=True)
    (path / "scheduler" / "scheduler_config.json").write_text(json.dumps({"prediction_type": kind}), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("family", ["sd15", "sd2", "sdxl"])
@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("wants_v", [True, False])
def test_a_diffusers_folder_says_it_itself(odd_path: Path, family: str, kind: str, wants_v: bool) -> None:
    settings = settings_for(
        odd_path, family, pretrained_model_name_or_path=_folder(odd_path, kind), v_parameterization=wants_v
    )
    found = list(target_problems(settings))
    assert codes(found) == ([] if wants_v == (kind == "v_prediction") else [("error", "config.target")])
    if found:
        assert f'"v_parameterization": {str(not wants_v).lower()}' in found[0].fix


def test_sd1_predicts_noise(tmp_path: Path) -> None:
    problem = only(target_problems(settings_for(tmp_path, v_parameterization=True)))
    assert (problem.severity, problem.code) == ("error", "config.target")
    assert "v_parameterization" in text_of(problem)
    assert "false" in problem.fix


def test_a_model_of_sd1_that_was_retrained_for_v_is_trained(tmp_path: Path) -> None:
    assert list(target_problems(settings_for(tmp_path, v_parameterization=True, zero_terminal_snr=True))) == []
    settings = settings_for(tmp_path, v_parameterization=True)
    (tmp_path / "model.yaml").write_text('model:\n  params:\n    parameterization: "v"\n', encoding="utf-8")
    assert list(target_problems(settings)) == []


@pytest.mark.parametrize(
    ("name", "wants_v", "is_said"),
    [
        ("v2-1_768-ema-pruned", False, True),
        ("v2-1_768-ema-pruned", True, False),
        ("768-v-ema", False, True),
        ("512-base-ema", True, True),
        ("512-base-ema", False, False),
        ("my-own-mix", True, False),
        ("my-own-mix", False, False),
    ],
)
def test_the_names_of_sd2_are_taken_for_a_hint(tmp_path: Path, name: str, wants_v: bool, is_said: bool) -> None:
    settings = settings_for(
        tmp_path, "sd2", pretrained_model_name_or_path=f"{name}.safetensors", v_parameterization=wants_v
    )
    assert codes(target_problems(settings)) == ([("warning", "config.target")] if is_said else [])


@pytest.mark.parametrize("text", ["no json", "[]", "{}", '{"prediction_type": 5}'])
def test_a_folder_that_says_nothing_is_believed(tmp_path: Path, text: str) -> None:
    folder = Path(_folder(tmp_path, "epsilon"))
    (folder / "scheduler" / "scheduler_config.json").write_text(text, encoding="utf-8")
    options: dict[str, Any] = {"pretrained_model_name_or_path": str(folder), "v_parameterization": True}
    assert list(target_problems(settings_for(tmp_path, "sdxl", **options))) == []
