"""The defaults are options of the trainer, with values that it takes."""

from __future__ import annotations

from collections import Counter

import pytest

from loratpl.config.defaults import DEFAULTS, Default
from loratpl.config.families import FAMILIES
from loratpl.config.options import convert
from loratpl.trainer.manifest import load_manifest

SCRIPTS = sorted({family.script for family in FAMILIES.values()})


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("default", [pytest.param(default, id=default.name) for default in DEFAULTS])
def test_a_default_is_an_option_and_converts_to_itself(default: Default, script: str) -> None:
    options = load_manifest().options_of[script]
    converted = convert(options[default.name], default.value)
    assert converted == default.value
    assert type(converted) is type(default.value)
    assert set(default.unless) <= set(options)


def test_each_default_is_written_once() -> None:
    assert [name for name, count in Counter(default.name for default in DEFAULTS).items() if count > 1] == []
