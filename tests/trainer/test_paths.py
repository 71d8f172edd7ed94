"""Where an installed trainer lies, and what moves it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loratpl.trainer.paths import ORIGINAL_PIN, PinPaths, TrainerPaths, data_dir
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


def test_the_pins_files_are_kohyatpls_until_the_user_has_some(odd_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOHYATPL_HOME", str(odd_path))
    own = PinPaths.of_user()
    assert own.root_dir == odd_path.resolve() / "pin"
    assert PinPaths.in_force() == ORIGINAL_PIN
    assert PinPaths.in_force().is_original
    own.partial.root_dir.mkdir()
    own.discarded.root_dir.mkdir()
    assert PinPaths.in_force() == ORIGINAL_PIN
    own.root_dir.mkdir()
    assert PinPaths.in_force() == own
    assert not own.is_original
    own.root_dir.rename(own.replaced.root_dir)
    assert PinPaths.in_force() == own.replaced
    monkeypatch.setenv("KOHYATPL_HOME", str(odd_path / "elsewhere"))
    assert PinPaths.in_force() == ORIGINAL_PIN


def test_every_place_of_a_pin_is_another_one() -> None:
    paths = PinPaths(Path("/data/pin"))
    inside = (paths.pin_path, paths.manifest_path, paths.lock_path)
    beside = (paths.partial.root_dir, paths.replaced.root_dir, paths.discarded.root_dir)
    assert len({paths.root_dir, *inside, *beside}) == 7
    assert {place.parent for place in inside} == {paths.root_dir}
    assert {place.parent for place in beside} == {paths.root_dir.parent}


def test_other_commits_are_found_by_their_names() -> None:
    pin = load_pin()
    own = TrainerPaths.of(pin)
    assert TrainerPaths.others(pin) == ()
    for name in (pin.commit, "a" * 40, "b" * 40, "a" * 40 + ".partial", "pin.partial", "mine"):
        (own.root_dir.parent / name).mkdir(parents=True)
    assert [paths.root_dir.name for paths in TrainerPaths.others(pin)] == ["a" * 40, "b" * 40]
