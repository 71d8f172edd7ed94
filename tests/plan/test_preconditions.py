"""What each family allows a plan to be made with."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.config.families import FAMILIES
from loratpl.plan.preconditions import bucket_rules, plan_problems
from tests.config.test_family import resolved
from tests.given import only

# As the trainer's scripts took and refused them (sd-scripts 48d368fa, every script run with steps of 64, 32, 16 and 8).
SMALLEST_STEP_PX = {
    "sd15": 64, "sd2": 64, "sdxl": 32, "sd3": 32, "flux": 64, "chroma": 64, "lumina": 64, "hunyuan-image": 64,
    "anima": 16,
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("step_px", [8, 16, 32, 64, 96, 128])
def test_a_bucket_step_is_a_multiple_of_the_family_s(tmp_path: Path, family: str, step_px: int) -> None:
    settings, _ = resolved(tmp_path, {"family": family, "bucket_reso_steps": step_px})
    problems = tuple(plan_problems(settings))
    if step_px % SMALLEST_STEP_PX[family] == 0:
        assert problems == ()
        return
    problem = only(problems)
    assert problem.code == "plan.buckets"
    assert f"bucket_reso_steps {step_px} must be a multiple of {SMALLEST_STEP_PX[family]}" in problem.message


@pytest.mark.parametrize("family", FAMILIES)
def test_without_buckets_their_step_does_not_matter(tmp_path: Path, family: str) -> None:
    settings, _ = resolved(tmp_path, {"family": family, "bucket_reso_steps": 8, "enable_bucket": False})
    assert tuple(plan_problems(settings)) == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_defaults_of_a_family_can_be_planned_with(tmp_path: Path, family: str) -> None:
    settings, _ = resolved(tmp_path, {"family": family})
    assert tuple(plan_problems(settings)) == ()
    assert bucket_rules(settings).resolution == ((512, 512) if family in ("sd15", "sd2") else (1024, 1024))
