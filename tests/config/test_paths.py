"""Which folder a config means that was written on another machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.paths import PROJECT_DIRS
from tests.given import MODEL, only, resolved, settings_of

ELSEWHERE = (
    "C:\\nowhere here\\lora\\pictures",
    "c:/nowhere here/pictures/",
    "/nowhere here/lora/pictures",
    "/pictures",
)


@pytest.mark.parametrize("name", PROJECT_DIRS)
@pytest.mark.parametrize("written", ELSEWHERE)
def test_a_folder_of_another_machine_is_the_one_beside_the_config(odd_path: Path, name: str, written: str) -> None:
    (odd_path / "pictures").mkdir()
    settings, problems = resolved(odd_path, {name: written})
    problem = only(problems)
    assert settings.path(name) == odd_path / "pictures"
    assert (problem.code, problem.severity) == ("config.path.elsewhere", "warning")
    assert problem.where == f"config.json line 3: {name}"
    assert written in problem.message
    assert problem.fix == f'Write `"{name}": "pictures"`.'
    assert resolved(odd_path, {name: "pictures"})[1] == ()


@pytest.mark.parametrize("written", ELSEWHERE)
def test_without_a_folder_beside_the_config_it_stays_missing(tmp_path: Path, written: str) -> None:
    (tmp_path / "pictures").touch()  # a file is no folder
    assert not settings_of(tmp_path, {"train_data_dir": written}).path("train_data_dir").is_dir()


def test_a_missing_folder_of_this_machine_stays_missing(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "pictures").mkdir(parents=True)
    gone = tmp_path / "gone" / "pictures"
    assert settings_of(project, {"train_data_dir": str(gone)}).path("train_data_dir") == gone


def test_a_folder_that_is_there_is_taken(tmp_path: Path) -> None:
    project, there = tmp_path / "project", tmp_path / "pictures"
    (project / "pictures").mkdir(parents=True)
    there.mkdir()
    assert settings_of(project, {"train_data_dir": str(there)}).path("train_data_dir") == there


@pytest.mark.skipif(sys.platform == "win32", reason="no folder can have that name there")
def test_a_folder_with_the_name_of_a_drive_is_taken_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "C:" / "pictures").mkdir(parents=True)
    settings = settings_of(tmp_path, {"train_data_dir": "C:/pictures"})
    assert settings.path("train_data_dir") == tmp_path / "C:" / "pictures"


@pytest.mark.parametrize("value", ["other/pictures", "../pictures", "C:pictures"])
def test_a_relative_path_is_never_taken_for_another(tmp_path: Path, value: Any) -> None:
    (tmp_path / "project" / "pictures").mkdir(parents=True)
    assert not settings_of(tmp_path / "project", {"train_data_dir": value}).path("train_data_dir").is_dir()


def test_a_model_is_never_looked_for_elsewhere(tmp_path: Path) -> None:
    name = "pretrained_model_name_or_path"
    problem = only(resolved(tmp_path, {name: f"/nowhere here/{MODEL}"})[1])
    assert problem.code == "config.model.missing"


@pytest.mark.skipif(sys.platform == "win32", reason="there the drive may exist")
@pytest.mark.parametrize("written", ["C:/example/models/sd15.ckpt", "C:\\example\\models\\sd15.ckpt"])
def test_a_model_on_a_drive_is_named_as_it_was_written(tmp_path: Path, written: str) -> None:
    problem = only(resolved(tmp_path, {"pretrained_model_name_or_path": written})[1])
    assert (problem.code, problem.message) == ("config.model.missing", f"The base model {written} does not exist.")
