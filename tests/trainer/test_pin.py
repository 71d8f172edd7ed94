"""The pin, and the Pythons that its environment exists for."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import TrainerError
from loratpl.trainer.environment import locked_versions
from loratpl.trainer.paths import ORIGINAL_PIN
from loratpl.trainer.pin import ENVIRONMENT_LOCK_PATH, damaged, load_lock, load_pin, pin_text
from tests.given import refusal

HERE = sys.version_info[:2]
NEXT, BEFORE = (HERE[0], HERE[1] + 1), (HERE[0], HERE[1] - 1)


def test_the_pin_is_the_commit_of_the_design() -> None:
    pin = load_pin()
    assert pin.url == "https://github.com/kohya-ss/sd-scripts"
    assert pin.commit == "48d368fa557731ad0488c07304dfeba8c07910eb"
    assert pin.short_commit == "48d368fa"
    assert (pin.tag, pin.commits_after_tag, pin.licence) == ("v0.10.1", 5, "Apache-2.0")
    assert re.fullmatch("[0-9a-f]{40}", pin.tree)


@pytest.mark.parametrize(
    ("low", "high", "is_allowed"),
    [
        (HERE, HERE, True),
        (BEFORE, NEXT, True),
        (BEFORE, HERE, True),
        (HERE, NEXT, True),
        (NEXT, NEXT, False),
        (BEFORE, BEFORE, False),
        ((3, 9), (3, 9), False),
    ],
)
def test_both_ends_of_the_range_of_pythons_are_in_it(
    low: tuple[int, int], high: tuple[int, int], is_allowed: bool
) -> None:
    assert replace(load_pin(), python_min=low, python_max=high).allows_this_python() is is_allowed


def test_the_lock_names_versions_and_no_addresses() -> None:
    text = ENVIRONMENT_LOCK_PATH.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[0-9][^ ;]*( ; .+)?", line) for line in lines)
    assert "://" not in "".join(lines)
    assert len(locked_versions(text)) == len(lines)


@pytest.mark.parametrize(("name", "version"), [("accelerate", "1.6.0"), ("toml", "0.10.2"), ("imagesize", "1.4.1")])
def test_the_lock_has_what_our_arithmetic_was_measured_with(name: str, version: str) -> None:
    assert locked_versions(ENVIRONMENT_LOCK_PATH.read_text(encoding="utf-8"))[name] == version


# --- read and written


@pytest.mark.parametrize(
    ("tag", "ahead", "title"),
    [("v0.10.1", 5, "v0.10.1+5 (48d368fa)"), ("v0.10.1", 0, "v0.10.1 (48d368fa)"), ("", 0, "48d368fa")],
)
def test_a_pin_is_read_as_it_was_written(odd_path: Path, tag: str, ahead: int, title: str) -> None:
    pin = replace(load_pin(), tag=tag, commits_after_tag=ahead, url="file:///ñ", requirements=("a==1", "b"))
    (odd_path / "pin.json").write_text(pin_text(pin), encoding="utf-8")
    assert load_pin(odd_path / "pin.json") == pin
    assert pin.title == title


def test_the_shipped_pin_is_written_the_same_again() -> None:
    assert pin_text(load_pin(ORIGINAL_PIN.pin_path)) == ORIGINAL_PIN.pin_path.read_text(encoding="utf-8")


def _refused(path: Path, code: str, *named: str) -> None:
    with pytest.raises(TrainerError) as caught:
        load_pin(path)
    problem = refusal(caught.value, TrainerError, code, str(path), *named)
    assert "kohyatpl trainer pin --original" in problem.fix


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff", b"{}", b'{"schema": 1}', b'{"schema": null}'])
def test_a_damaged_pin_is_refused(odd_path: Path, content: bytes) -> None:
    (odd_path / "pin.json").write_bytes(content)
    _refused(odd_path / "pin.json", "trainer.pin.damaged")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("commit", "../../elsewhere"),
        ("commit", 1),
        ("tree", "48d368fa"),
        ("url", None),
        ("python_min", "3"),
        ("python_max", "3.x"),
        ("commits_after_tag", "five"),
        ("requirements", 1),
        ("requirements", [1]),
        ("schema", 0),
    ],
)
def test_a_pin_that_says_something_else_is_damaged(tmp_path: Path, key: str, value: Any) -> None:
    data = json.loads(pin_text(load_pin()))
    (tmp_path / "pin.json").write_text(json.dumps({**data, key: value}), encoding="utf-8")
    _refused(tmp_path / "pin.json", "trainer.pin.damaged")
    (tmp_path / "pin.json").write_text(json.dumps({k: v for k, v in data.items() if k != key}), encoding="utf-8")
    _refused(tmp_path / "pin.json", "trainer.pin.damaged", key)


def test_a_pin_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pin.json").write_text('{"schema": 2, "other": "things"}', encoding="utf-8")
    _refused(tmp_path / "pin.json", "trainer.pin.newer", "schema 2", "Update kohyatpl")


@pytest.mark.parametrize("content", [b"", b"\xff", b"numpy==2\n", b"torch==2\n", None])
def test_a_lock_without_pytorch_is_damaged(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "environment.txt").write_bytes(content)
    with pytest.raises(TrainerError) as caught:
        load_lock(tmp_path / "environment.txt")
    refusal(caught.value, TrainerError, "trainer.pin.damaged", str(tmp_path / "environment.txt"))


def test_a_damaged_file_of_kohyatpls_own_is_mended_by_installing_it() -> None:
    problem = refusal(damaged(ORIGINAL_PIN.pin_path, "gone"), TrainerError, "trainer.pin.damaged", "gone")
    assert "Install kohyatpl again" in problem.fix
