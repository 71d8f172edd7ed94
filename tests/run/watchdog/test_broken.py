"""What is said when the loss is no number any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import ExitCode, Problem, exit_code_of
from loratpl.run.watchdog import broken_problem
from tests.given import resolved


def told(folder: Path, step: int, *, state: Path | None = None, last: Path | None = None, **values: Any) -> Problem:
    settings, _ = resolved(folder, {"resolution": "512,512", **values})
    event = {
        "event": "broken", "time": 1.0, "step": step, "what": "loss", "value": "nan",
        "state_dir": None if state is None else str(state),
    }  # fmt: skip
    return broken_problem(event, settings, last)


def order(problem: Problem, *pieces: str) -> list[str]:
    """Returns those pieces that the fix names, in its order."""
    return sorted((piece for piece in pieces if piece in problem.fix), key=problem.fix.index)


def test_it_says_which_step_what_is_kept_and_how_to_go_on(odd_path: Path) -> None:
    state, last = odd_path / "log" / "r" / "state" / "step00000100", odd_path / "output" / "cats-000002.safetensors"
    problem = told(odd_path, 137, state=state, last=last, learning_rate=1e-3)
    assert exit_code_of([problem]) is ExitCode.RUN
    assert problem.code == "run.loss.nan"
    for text in ("step 137", "NaN", "output/cats-000002.safetensors", "log/r/state/step00000100", "Kept are"):
        assert text in problem.message
    assert '1. lower `learning_rate` from 0.001 to a tenth: `"learning_rate": 0.0001`' in problem.fix
    assert "kohyatpl run --resume --force" in problem.fix
    assert "learning_rate" in problem.where


def test_without_anything_saved_it_is_trained_again(tmp_path: Path) -> None:
    problem = told(tmp_path, 5)
    assert "Nothing had been saved before" in problem.message
    assert "--resume" not in problem.fix
    assert "`kohyatpl run`" in problem.fix


@pytest.mark.parametrize(
    ("step", "rate", "first"),
    [(1, 1e-4, "mixed_precision"), (500, 1e-4, "learning_rate"), (2, 1e4, "learning_rate")],
)
def test_the_most_likely_comes_first(tmp_path: Path, step: int, rate: float, first: str) -> None:
    problem = told(tmp_path, step, learning_rate=rate, mixed_precision="fp16")
    assert order(problem, "learning_rate", "mixed_precision")[0] == first
    assert first in problem.where


def test_half_precision_is_named_part_by_part(tmp_path: Path) -> None:
    values: dict[str, Any] = {"family": "sdxl", "mixed_precision": "fp16", "full_fp16": True, "no_half_vae": False}
    problem = told(tmp_path, 1, **values)
    assert order(problem, "no_half_vae", "full_fp16", "mixed_precision") == [
        "no_half_vae",
        "full_fp16",
        "mixed_precision",
    ]
    assert "no_half_vae" not in told(tmp_path, 1, **{**values, "no_half_vae": True}).fix
    assert "fp16" not in told(tmp_path, 1, mixed_precision="bf16").fix


def test_what_divides_by_zero_is_named_before_all(tmp_path: Path) -> None:
    problem = told(tmp_path, 400, zero_terminal_snr=True, min_snr_gamma=5)
    assert "1. take `zero_terminal_snr` out" in problem.fix
    with_v = told(tmp_path, 400, zero_terminal_snr=True, min_snr_gamma=5, v_parameterization=True, family="sd2")
    assert "zero_terminal_snr" not in with_v.fix


def test_other_settings_are_named_only_where_they_are_used(tmp_path: Path) -> None:
    pieces = ("latent caches", "max_grad_norm", "eps=1e-12", "fp8_base", "`vae`")
    assert order(told(tmp_path, 9), *pieces) == []
    problem = told(
        tmp_path, 9, cache_latents=True, cache_latents_to_disk=True, max_grad_norm=0, optimizer_args=["eps=1e-12"],
        vae="other.safetensors",
    )  # fmt: skip
    assert order(problem, *pieces) == ["latent caches", "`vae`", "max_grad_norm", "eps=1e-12"]
    assert "fp8_base" in told(tmp_path, 9, family="flux", fp8_base=True).fix


def test_an_optimiser_that_finds_its_rate_is_given_a_smaller_factor(tmp_path: Path) -> None:
    problem = told(tmp_path, 300, optimizer_type="Prodigy", learning_rate=1.0)
    assert "factor" in problem.fix
    assert '"learning_rate": 0.5' in problem.fix
