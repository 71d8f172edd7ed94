"""A pin of the user's own: in force as a whole or not at all, whatever interrupts its writing."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from loratpl.errors import TrainerError
from loratpl.trainer import own_pin
from loratpl.trainer.manifest import MANIFEST_PATH, load_manifest
from loratpl.trainer.paths import ORIGINAL_PIN, PinPaths
from loratpl.trainer.pin import load_lock, load_pin
from tests.given import refusal

ORIGINAL = load_pin(ORIGINAL_PIN.pin_path)
LOCK = load_lock(ORIGINAL_PIN.lock_path)
FIRST = replace(ORIGINAL, commit="1" * 40, tag="", commits_after_tag=0)
SECOND = replace(ORIGINAL, commit="2" * 40, url="https://example.invalid/fork")
MANIFEST = MANIFEST_PATH.read_text(encoding="utf-8")


def _put(commit: str) -> None:
    pin = {FIRST.commit: FIRST, SECOND.commit: SECOND}[commit]
    own_pin.put_in_force(pin, MANIFEST.replace("network_dim", f"dim_{commit[0]}"), f"{LOCK}own==1.{commit[0]}\n")


def _in_force() -> str:
    """Returns the commit in force, once it is certain that all three files are that commit's."""
    commit = load_pin().commit
    if commit == ORIGINAL.commit:
        assert load_lock() == LOCK
        assert "network_dim" in load_manifest().options_of["train_network.py"]
    else:
        assert load_lock().endswith(f"own==1.{commit[0]}\n")
        assert f"dim_{commit[0]}" in load_manifest().options_of["train_network.py"]
    return commit


def test_the_users_files_are_in_force_until_they_are_removed() -> None:
    assert _in_force() == ORIGINAL.commit
    _put(FIRST.commit)
    assert _in_force() == FIRST.commit
    assert load_pin() == FIRST
    _put(SECOND.commit)
    assert _in_force() == SECOND.commit
    assert load_pin() == SECOND
    own = PinPaths.of_user()
    assert {path.name for path in own.root_dir.iterdir()} == {"pin.json", "options.json", "environment.txt"}
    own_pin.go_back()
    assert _in_force() == ORIGINAL.commit
    assert list(own.root_dir.parent.iterdir()) == []
    own_pin.go_back()
    assert _in_force() == ORIGINAL.commit


def test_killed_while_the_files_are_written_the_old_pin_stays() -> None:
    _put(FIRST.commit)
    own = PinPaths.of_user()
    own.partial.root_dir.mkdir()
    own.partial.pin_path.write_text("{", encoding="utf-8")
    assert _in_force() == FIRST.commit
    _put(SECOND.commit)
    assert _in_force() == SECOND.commit
    assert not own.partial.root_dir.exists()


@pytest.mark.parametrize("then", [FIRST.commit, SECOND.commit, ORIGINAL.commit])
def test_killed_between_the_renames_the_old_pin_stays(then: str) -> None:
    _put(FIRST.commit)
    own = PinPaths.of_user()
    own.root_dir.rename(own.replaced.root_dir)
    own.partial.root_dir.mkdir()
    assert _in_force() == FIRST.commit
    _put(then) if then != ORIGINAL.commit else own_pin.go_back()
    assert _in_force() == then
    assert not own.replaced.root_dir.exists()


@pytest.mark.parametrize("then", [FIRST.commit, ORIGINAL.commit])
@pytest.mark.parametrize("left", ["replaced", "discarded"])
def test_killed_while_the_old_files_are_deleted_the_new_pin_stays(then: str, left: str) -> None:
    _put(SECOND.commit)
    own = PinPaths.of_user()
    old: PinPaths = getattr(own, left)
    shutil.copytree(own.root_dir, old.root_dir)
    old.pin_path.unlink()
    assert _in_force() == SECOND.commit
    _put(then) if then != ORIGINAL.commit else own_pin.go_back()
    assert _in_force() == then
    assert not old.root_dir.exists()


def test_anything_else_at_that_place_is_said_and_can_be_removed() -> None:
    own = PinPaths.of_user()
    own.root_dir.parent.mkdir(parents=True)
    own.root_dir.write_text("mine", encoding="utf-8")
    with pytest.raises(TrainerError) as caught:
        load_pin()
    refusal(caught.value, TrainerError, "trainer.pin.damaged", "kohyatpl trainer pin --original", str(own.pin_path))
    own_pin.go_back()
    assert _in_force() == ORIGINAL.commit
