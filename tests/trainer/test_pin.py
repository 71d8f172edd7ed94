"""The pin, and the Pythons that its environment exists for."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from loratpl.trainer.environment import locked_versions
from loratpl.trainer.pin import ENVIRONMENT_LOCK_PATH, load_pin

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
