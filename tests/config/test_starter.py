"""The config that a new project starts with."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.config.families import FAMILIES
from loratpl.config.starter import filled_in, starter_config
from loratpl.errors import UsageError
from loratpl.project import read_template, template_names
from tests.given import MODEL, refusal, resolved, settings_of


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_config_says_what_would_be_done_without_it(tmp_path: Path, family: str) -> None:
    starter = starter_config(family=family, model=MODEL, output_name="cats")
    (started, missing), (alone, _) = resolved(tmp_path, starter), resolved(tmp_path, {"family": family})
    companions = [companion.option for companion in FAMILIES[family].companions]
    assert [(problem.code, problem.where) for problem in missing] == [
        ("config.model.missing", option) for option in companions
    ]
    assert {starter[option] for option in companions} <= {""}
    assert {name: setting.value for name, setting in started.options.items()} == {
        name: setting.value for name, setting in alone.options.items()
    }
    assert started.family.name == family


def test_a_first_config_without_a_model_has_only_that_problem(tmp_path: Path) -> None:
    starter = starter_config(family="sd15", model="", output_name="cats")
    assert [problem.code for problem in resolved(tmp_path, starter)[1]] == ["config.model.missing"]
    assert list(starter)[:3] == ["family", "pretrained_model_name_or_path", "output_name"]


def test_the_folders_of_a_tree_are_named(tmp_path: Path) -> None:
    starter = starter_config(family="sd15", model=MODEL, output_name="cats", folders={"train_data_dir": "img"})
    assert settings_of(tmp_path, starter).path("train_data_dir") == tmp_path / "img"


TEMPLATES_WITH_SETTINGS = [name for name in template_names() if read_template(name).settings is not None]


def test_the_template_of_2023_has_its_own_settings() -> None:
    assert "lora-concepts-2023" in TEMPLATES_WITH_SETTINGS


@pytest.mark.parametrize("name", TEMPLATES_WITH_SETTINGS)
@pytest.mark.parametrize("family", ["sd15", "sd2"])
def test_a_template_s_own_settings_are_filled_in_and_good(tmp_path: Path, name: str, family: str) -> None:
    settings = read_template(name).settings
    assert settings is not None
    filled = filled_in(settings, family=family, model=MODEL, output_name="cats")
    assert list(filled) == list(settings)
    found = settings_of(tmp_path, filled)
    assert found.family.name == family
    assert (found["output_name"], found["caption_extension"]) == ("cats", ".txt")
    folders = {option: found.path(option).name for option in ("train_data_dir", "reg_data_dir", "output_dir")}
    assert folders == {"train_data_dir": "image_dir", "reg_data_dir": "reg_dir", "output_dir": "output"}


def test_settings_of_2023_are_not_for_a_later_family() -> None:
    with pytest.raises(UsageError) as caught:
        filled_in({"v2": False}, family="sdxl", model="", output_name="cats")
    refusal(caught.value, UsageError, "usage.family", "sdxl", "sd15 and sd2")


def test_settings_without_a_family_of_their_own_are_given_it() -> None:
    assert filled_in({"seed": 1}, family="sdxl", model="", output_name="cats")["family"] == "sdxl"
