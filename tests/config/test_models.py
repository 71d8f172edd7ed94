"""The files of models that a config must name, for each family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.config.families import FAMILIES, Family
from loratpl.errors import ExitCode, exit_code_of
from tests.config.test_family import MODEL, TENSORS, resolved
from tests.given import only

each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
each_companion = pytest.mark.parametrize(
    ("family", "option"),
    [(family, companion.option) for family in FAMILIES.values() for companion in family.companions],
    ids=lambda value: value if isinstance(value, str) else value.name,
)


def complete(family: Family, **changes: Any) -> dict[str, Any]:
    """A config that names everything that its family needs."""
    return {"family": family.name, **{companion.option: True for companion in family.companions}, **changes}


@each_family
def test_a_family_with_all_its_files_has_no_problem(tmp_path: Path, family: Family) -> None:
    settings, problems = resolved(tmp_path / 'it\'s a "日本" folder', complete(family))
    assert problems == ()
    for companion in family.companions:
        assert Path(settings[companion.option]).is_file()


@each_companion
@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
def test_a_model_that_is_not_named_is_missing(tmp_path: Path, family: Family, option: str, value: Any) -> None:
    settings, problems = resolved(tmp_path, complete(family, **{option: value}))
    problem = only(problems)
    assert (problem.code, problem.where, settings[option]) == ("config.model.missing", option, None)
    assert f'"{option}": "/path/to/' in problem.fix
    assert family.name in problem.message
    assert exit_code_of(problems) is ExitCode.CONFIG


@each_companion
def test_a_model_that_is_not_there_is_missing(tmp_path: Path, family: Family, option: str) -> None:
    _, problems = resolved(tmp_path, complete(family, **{option: "nowhere/of it.safetensors"}))
    problem = only(problems)
    assert problem.code == "config.model.missing"
    assert str(tmp_path / "nowhere") in problem.message
    assert option in problem.where
    assert problem.fix == f"Correct `{option}` in the config."


@each_companion
def test_a_folder_for_a_file_is_refused_unless_it_may_be_one(tmp_path: Path, family: Family, option: str) -> None:
    (tmp_path / "folder").mkdir()
    _, problems = resolved(tmp_path, complete(family, **{option: "folder"}))
    if option == "qwen3":  # a folder of the hub's library
        assert problems == ()
        return
    problem = only(problems)
    assert (problem.code, problem.severity) == ("config.model.form", "error")
    assert str(tmp_path / "folder") in problem.message
    assert option in problem.where


def test_all_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    _, problems = resolved(tmp_path, {"family": "sd3", MODEL: ""})
    assert [problem.where for problem in problems] == [MODEL, "clip_l", "clip_g", "t5xxl"]


@each_family
@pytest.mark.parametrize(("kind", "model"), [("folder", "folder"), ("hub", "owner/name")])
def test_a_base_model_has_a_form_that_the_script_can_load(
    tmp_path: Path, family: Family, kind: str, model: str
) -> None:
    (tmp_path / "folder").mkdir()
    _, problems = resolved(tmp_path, complete(family, **{MODEL: model}))
    loads = {"folder": ("sd15", "sd2", "sdxl", "flux"), "hub": ("sd15", "sd2", "sdxl")}[kind]
    if family.name in loads:
        assert problems == ()
        return
    problem = only(problems)
    assert problem.code == "config.model.form"
    assert model in problem.message
    assert ".safetensors" in problem.fix


def test_a_hub_id_is_not_looked_for_where_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    _, problems = resolved(tmp_path / "project", complete(FAMILIES["anima"], vae="owner/name"))
    assert only(problems).code == "config.model.missing"


@pytest.mark.parametrize("family", ["sd15", "flux"])
def test_no_model_at_all_says_what_may_be_named(tmp_path: Path, family: str) -> None:
    _, problems = resolved(tmp_path, complete(FAMILIES[family], **{MODEL: ""}))
    problem = only(problems)
    assert problem.code == "config.model.missing"
    assert ("owner/name" in problem.fix) == (family == "sd15")
    assert "Diffusers folder" in problem.fix


@pytest.mark.parametrize("told", TENSORS)
@each_family
def test_a_base_model_of_another_family_is_refused(tmp_path: Path, family: Family, told: str) -> None:
    settings, problems = resolved(tmp_path, complete(family), tensors=TENSORS[told])
    assert settings.family is family
    if told == family.name:
        assert problems == ()
        return
    problem = only(problems)
    assert (problem.code, problem.severity) == ("config.model.family", "error")
    assert f"is of the family {told}" in problem.message
    assert f'"family": "{told}"' in problem.fix
    assert MODEL in problem.where
