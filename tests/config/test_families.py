"""The table of families: each row can be trained, and a name that is near one is understood as a slip."""

from __future__ import annotations

import pytest

from loratpl.config.families import (
    COMPANION_OPTIONS,
    DEFAULT_FAMILY,
    FAMILIES,
    FAMILY_OF_MODULE,
    Family,
    nearest_family,
)
from loratpl.config.paths import MODEL_OPTIONS, PATH_OPTIONS
from loratpl.trainer.manifest import load_manifest

each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())


@each_family
def test_what_a_family_names_is_known_to_its_script(family: Family) -> None:
    options = load_manifest().options_of[family.script]
    assert FAMILIES[family.name] is family
    named = {companion.option for companion in family.companions}.union(family.implied, *family.signs)
    assert named <= set(options)
    for name, value in family.implied.items():
        assert isinstance(value, bool) if options[name].is_flag else value in options[name].choices


def test_the_families_are_those_that_the_design_names() -> None:
    assert set(FAMILIES) == {"sd15", "sd2", "sdxl", "sd3", "flux", "chroma", "lumina", "hunyuan-image", "anima"}
    assert DEFAULT_FAMILY in FAMILIES
    assert {family.script for family in FAMILIES.values()} == set(load_manifest().options_of)


def test_what_lies_beside_the_base_model_is_a_path() -> None:
    assert set(COMPANION_OPTIONS) <= PATH_OPTIONS | MODEL_OPTIONS


def test_no_two_families_have_the_same_sign() -> None:
    signs = [sign for family in FAMILIES.values() for sign in family.signs]
    assert len(set(signs)) == len(signs)
    assert set(FAMILY_OF_MODULE.values()) <= set(FAMILIES)


@each_family
def test_a_family_is_nearest_to_its_own_names(family: Family) -> None:
    for name in (family.name, *family.also_called):
        assert nearest_family(name) == family.name
        assert nearest_family(name.upper().replace("-", "_")) == family.name


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("sd 1.5", "sd15"), ("SD1.5", "sd15"), ("sdx", "sdxl"), ("SDXL 1.0", "sdxl"), ("sd35", "sd3"),
        ("sd3.5", "sd3"), ("fluxx", "flux"), ("FLUX.1-dev", "flux"), ("cromha", "chroma"), ("Lumina 2", "lumina"),
        ("hunyuan_image", "hunyuan-image"), ("HunyuanImage-2.1", "hunyuan-image"), ("animaa", "anima"),
        ("wan", None), ("kandinsky", None), ("", None), ("--", None),
    ],
)  # fmt: skip
def test_a_slip_is_told_from_another_model(text: str, family: str | None) -> None:
    assert nearest_family(text) == family
