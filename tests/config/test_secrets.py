"""Keys and tokens of a config: they are handed on by the environment, and stand in nothing that is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.config.secrets import HIDDEN, is_secret, without_secrets
from tests.given import only, resolved


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WANDB_API_KEY", "x", True),
        ("hf_token", "x", True),
        ("AWS_SECRET_ACCESS_KEY", "x", True),
        ("PGPASSWORD", "x", False),
        ("MY_PASSWORD", "x", True),
        ("HTTPS_PROXY", "http://me:word@proxy:3128", True),
        ("HTTPS_PROXY", "http://proxy:3128", False),
        ("TOKENIZERS_PARALLELISM", "false", False),
        ("CUDA_VISIBLE_DEVICES", "0,1", False),
        ("KEYBOARD", "qwertz", False),
    ],
)
def test_a_variable_is_a_secret_by_its_name_or_a_password_in_it(name: str, value: str, expected: bool) -> None:
    assert is_secret(name, value) is expected


def test_secrets_are_in_the_settings_environment_and_nowhere_else(tmp_path: Path) -> None:
    values = {
        "wandb_api_key": "s3cret-a",
        "huggingface_token": "s3cret-b",
        "kohyatpl": {"env": {"LANG": "C", "OTHER_TOKEN": "s3cret-c"}},
    }
    settings, problems = resolved(tmp_path, values)
    assert problems == ()
    assert settings.secret_env() == {
        "WANDB_API_KEY": "s3cret-a",
        "HF_TOKEN": "s3cret-b",
        "OTHER_TOKEN": "s3cret-c",
    }
    assert "s3cret" not in repr(settings)
    assert settings.block.env == {"LANG": "C"}
    assert not {"wandb_api_key", "huggingface_token"} & settings.options.keys()
    assert settings.secrets["OTHER_TOKEN"].where.endswith(": kohyatpl.env.OTHER_TOKEN")


def test_an_option_wins_over_the_variable_and_the_command_line_over_both(tmp_path: Path) -> None:
    values = {"wandb_api_key": "a", "kohyatpl": {"env": {"WANDB_API_KEY": "b"}}}
    assert resolved(tmp_path, values)[0].secret_env() == {"WANDB_API_KEY": "a"}
    assert resolved(tmp_path, values, [("wandb_api_key", "c")])[0].secret_env() == {"WANDB_API_KEY": "c"}


@pytest.mark.parametrize("value", [123456, ["s3cret"], {"a": "s3cret"}, True])
def test_a_secret_that_is_no_text_is_refused_without_repeating_it(tmp_path: Path, value: Any) -> None:
    settings, problems = resolved(tmp_path, {"wandb_api_key": value})
    problem = only(problems)
    assert problem.code == "config.value"
    assert "`wandb_api_key` takes a text" in problem.message
    assert str(value) not in problem.message + problem.fix
    assert settings.secret_env() == {}


@pytest.mark.parametrize("value", ["", None])
def test_no_secret_is_none(tmp_path: Path, value: Any) -> None:
    assert resolved(tmp_path, {"wandb_api_key": value})[0].secret_env() == {}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("wandb_api_key", "x", HIDDEN),
        ("wandb_api_key", "", ""),
        ("network_dim", 4, 4),
        ("kohyatpl", {"env": {"A_KEY": "x", "B": "y"}}, {"env": {"A_KEY": HIDDEN, "B": "y"}}),
        ("kohyatpl", {"env": 5}, {"env": 5}),
        ("kohyatpl", 5, 5),
    ],
)
def test_a_value_is_shown_without_its_secrets(key: str, value: Any, expected: Any) -> None:
    assert without_secrets(key, value) == expected
