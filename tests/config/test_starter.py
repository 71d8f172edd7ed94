"""The config that a new project starts with."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.config.families import FAMILIES
from loratpl.config.starter import starter_config
from tests.given import MODEL, resolved, settings_of


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_config_says_what_would_be_done_without_it(tmp_path: Path, family: str) -> None:
    starter = starter_config(family=family, model=MODEL, output_name="cats")
    started, alone = settings_of(tmp_path, starter), settings_of(tmp_path, {"family": family})
    assert {name: setting.value for name, setting in started.options.items()} == {
        name: setting.value for name, setting in alone.options.items()
    }
    assert started.family.name == family


def test_a_first_config_without_a_model_has_only_that_problem(tmp_path: Path) -> None:
    starter = starter_config(family="sd15", model="", output_name="cats")
    assert [problem.code for problem in resolved(tmp_path, starter)[1]] == ["config.model.missing"]
    assert list(starter)[:3] == ["family", "pretrained_model_name_or_path", "output_name"]
