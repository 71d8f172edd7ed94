"""What differs between two pins: options by script, packages, scripts that are new."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

import pytest

from loratpl.trainer.differences import OptionChange, differences
from loratpl.trainer.manifest import SCRIPTS, Manifest, Option

DIM = Option("network_dim", "int", False, (), None, False)
FLAG = Option("v2", None, False, (), False, True)


def _manifest(*options: Option, script: str | None = None, own: Option | None = None) -> Manifest:
    """A manifest whose scripts all have these options, one of them another one besides."""
    common = {option.name: option for option in options}
    more = {own.name: own} if own else {}
    return Manifest(MappingProxyType({name: {**common, **(more if name == script else {})} for name in SCRIPTS}))


def test_two_that_are_the_same_differ_in_nothing() -> None:
    found = differences(_manifest(DIM, FLAG), _manifest(DIM, FLAG), "a==1\n", "# note\na==1 ; x\n", SCRIPTS)
    assert set(found.options) == set(SCRIPTS)
    assert not any(found.options.values())
    assert (found.packages, found.new_scripts) == ({}, ())


def test_options_are_added_and_removed_script_by_script() -> None:
    found = differences(_manifest(DIM), _manifest(DIM, script=SCRIPTS[3], own=FLAG), "", "")
    described: dict[str, object] = {"type": None, "nargs": None, "choices": [], "default": False, "flag": True}
    assert found.options[SCRIPTS[3]] == (OptionChange("v2", None, described),)
    assert not any(changes for script, changes in found.options.items() if script != SCRIPTS[3])
    back = differences(_manifest(DIM, script=SCRIPTS[3], own=FLAG), _manifest(DIM), "", "")
    assert back.options[SCRIPTS[3]] == (OptionChange("v2", described, None),)


@pytest.mark.parametrize(
    ("option", "before", "after"),
    [
        (replace(DIM, type="float"), {"type": "int"}, {"type": "float"}),
        (replace(DIM, default=4), {"default": None}, {"default": 4}),
        (replace(DIM, choices=(4, 8)), {"choices": []}, {"choices": [4, 8]}),
        (replace(DIM, takes_list=True), {"nargs": None}, {"nargs": "*"}),
        (replace(DIM, type=None, default=False, is_flag=True), {"type": "int", "default": None, "flag": False}, None),
    ],
)
def test_what_changed_of_an_option_is_named(
    option: Option, before: dict[str, object], after: dict[str, object] | None
) -> None:
    found = differences(_manifest(DIM, FLAG), _manifest(option, FLAG), "", "")
    (change,) = found.options[SCRIPTS[0]]
    assert change == OptionChange("network_dim", before, after or {"type": None, "default": False, "flag": True})


def test_defaults_that_are_equal_and_not_the_same_differ() -> None:
    found = differences(_manifest(replace(DIM, default=1)), _manifest(replace(DIM, default=1.0)), "", "")
    assert all(len(changes) == 1 for changes in found.options.values())


def test_packages_are_added_removed_and_changed() -> None:
    found = differences(_manifest(), _manifest(), "a==1\nb==2\nc==3\n", "a==1\nb==2.1\nd==4\n")
    assert found.packages == {"b": ("2", "2.1"), "c": ("3", None), "d": (None, "4")}
    assert found.as_json()["packages"][1] == {"name": "c", "before": "3", "after": None}
    json.dumps(found.as_json())


def test_training_scripts_that_are_new_are_named() -> None:
    files = (*SCRIPTS, "wan_train_network.py", "tools/x_train_network.py", "train_db.py", "my_train_network.py.txt")
    assert differences(_manifest(), _manifest(), "", "", files).new_scripts == ("wan_train_network.py",)
