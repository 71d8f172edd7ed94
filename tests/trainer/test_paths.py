"""Where an installed trainer lies, and what moves it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loratpl.trainer.paths import TrainerPaths, data_dir
from loratpl.trainer.pin import load_pin


def test_the_home_variable_moves_everything(odd_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOHYATPL_HOME", str(odd_path))
    assert data_dir() == odd_path.resolve()
    assert TrainerPaths.of(load_pin()).root_dir == odd_path.resolve() / "sd-scripts" / load_pin().commit


def test_a_relative_home_counts_from_the_current_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOHYATPL_HOME", "moved")
    monkeypatch.chdir(tmp_path)
    assert data_dir() == (tmp_path / "moved").resolve()


def test_a_tilde_in_the_home_variable_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOHYATPL_HOME", "~/moved")
    assert data_dir() == (Path(os.environ["HOME"]) / "moved").resolve()


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_users_data_folder_is_taken(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv("KOHYATPL_HOME")
    else:
        monkeypatch.setenv("KOHYATPL_HOME", value)
    assert data_dir().name == "kohyatpl"
    assert data_dir().is_absolute()
    assert Path(os.environ["HOME"]).parent in data_dir().parents


def test_every_place_is_another_one_and_the_interpreter_is_in_the_environment() -> None:
    paths = TrainerPaths(Path("/data/sd-scripts/48d368fa"))
    inside = (paths.source_dir, paths.venv_dir, paths.marker_path)
    beside = (paths.partial.root_dir, paths.replaced_dir, paths.lock_path, paths.install_log_path)
    assert len({paths.root_dir, *inside, *beside}) == 8
    assert {place.parent for place in inside} == {paths.root_dir}
    assert {place.parent for place in beside} == {paths.root_dir.parent}
    assert paths.venv_dir in paths.python_path.parents
