"""Numbers out of the range in which the trainer works are named with the range."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.ranges import RANGES, Range, range_problems
from loratpl.config.families import FAMILIES
from loratpl.trainer.manifest import load_manifest
from tests.check.given_rules import settings_for
from tests.given import only


def _outside(row: Range) -> list[float]:
    return [row.lowest - 1, *([row.highest + 1] if math.isfinite(row.highest) else [])]


@pytest.mark.parametrize("row", RANGES, ids=lambda row: f"{row.option}-{row.lowest:g}-{row.highest:g}")
def test_each_range_is_kept(tmp_path: Path, row: Range) -> None:
    option_of = load_manifest().options_of
    families = row.families or {family.name for family in FAMILIES.values() if row.option in option_of[family.script]}
    for family in sorted(families):
        for value in _outside(row):
            problem = only(range_problems(settings_for(tmp_path, family, **{row.option: value})))
            assert (problem.code, problem.severity) == ("config.value", "error")
            assert row.option in problem.message
            assert row.option in problem.where
            assert row.allowed in problem.fix
        for value in (row.lowest, min(row.highest, row.lowest + 1)):
            assert list(range_problems(settings_for(tmp_path, family, **{row.option: value}))) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_the_defaults_are_in_range(tmp_path: Path, family: str) -> None:
    assert list(range_problems(settings_for(tmp_path, family))) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"min_timestep": 900, "max_timestep": 100}, ("min_timestep is 900", "max_timestep is 100")),
        ({"face_crop_aug_range": "2"}, ("face_crop_aug_range", "'2'")),
        ({"face_crop_aug_range": "4,2"}, ("'4,2'",)),
        ({"face_crop_aug_range": "a,b"}, ("'a,b'",)),
        ({"resolution": "250,250", "enable_bucket": False}, ("250,250", "enable_bucket", '"256,256"')),
        ({"text_encoder_lr": [1e-4, -1e-4]}, ("text_encoder_lr", "-0.0001")),
    ],
)
def test_what_goes_against_the_other_end_or_form_is_refused(
    tmp_path: Path, options: dict[str, Any], named: tuple[str, ...]
) -> None:
    problem = only(range_problems(settings_for(tmp_path, **options)))
    assert problem.code == "config.value"
    assert all(text in f"{problem.message} {problem.fix}" for text in named)


@pytest.mark.parametrize(
    "options",
    [
        {"min_timestep": 100, "max_timestep": 900},
        {"min_timestep": 500, "max_timestep": 500},
        {"face_crop_aug_range": "2.0,4.0"},
        {"resolution": "250,250"},
        {"resolution": "256,264", "enable_bucket": False},
        {"resolution": "no size", "enable_bucket": False},
        {"network_alpha": 0, "max_grad_norm": 0, "min_snr_gamma": 0, "seed": 0, "keep_tokens": 0},
    ],
)
def test_what_is_right_is_not_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    assert list(range_problems(settings_for(tmp_path, **options))) == []
