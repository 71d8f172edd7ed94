"""The families: those that are trained, and those of later."""

from __future__ import annotations

import pytest

from loratpl.config.families import DEFAULT_FAMILY, FAMILIES, LATER_FAMILIES, Family
from loratpl.trainer.manifest import load_manifest


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_a_family_is_trained_by_a_script_of_the_manifest(family: Family) -> None:
    assert family.script in load_manifest().options_of
    assert FAMILIES[family.name] is family


def test_the_families_are_those_that_the_design_names() -> None:
    known = {"sd15", "sd2", "sdxl", "sd3", "flux", "chroma", "lumina", "hunyuan-image", "anima"}
    assert {*FAMILIES, *LATER_FAMILIES} == known
    assert not set(FAMILIES) & set(LATER_FAMILIES)
    assert DEFAULT_FAMILY in FAMILIES
