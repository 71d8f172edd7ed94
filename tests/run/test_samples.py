"""The names of sample pictures, and the copy of their prompts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.plan.planner import make_plan
from loratpl.project import RunPaths
from loratpl.run.samples import MAX_PROMPTS_BYTES, SampleNames, keep_prompts
from tests.given import settings_of
from tests.plan.made import squares

OUTPUT_NAMES = st.text(st.sampled_from("ab_-. 019e\u00f1\u65e5"), min_size=1, max_size=12) | st.sampled_from([
    "lora_e000001_00_20260102030405", "000001_00_20260102030405_5", "v1.0_", "e000002",
])  # fmt: skip


@given(
    output_name=OUTPUT_NAMES,
    number=st.integers(0, 3_000_000),
    is_epoch=st.booleans(),
    prompt=st.integers(0, 400),
    seed=st.none() | st.integers(-5, 2**63) | st.just(1.5),
)
def test_a_picture_is_of_the_step_and_the_prompt_that_the_trainer_named(
    output_name: str, number: int, is_epoch: bool, prompt: int, seed: float | None
) -> None:
    names = SampleNames(output_name, steps_per_epoch=7, total_steps=1_000_000)
    place = f"e{number:06d}" if is_epoch else f"{number:06d}"
    seeded = "" if seed is None else f"_{seed}"
    step = min(number * 7, 1_000_000) if is_epoch else number
    assert names.place_of(f"{output_name}_{place}_{prompt:02d}_20260102030405{seeded}.png") == (step, prompt)


@pytest.mark.parametrize(
    "name",
    [
        "lora.png",
        "lora_000001.png",
        "lora_000001_00_20260102030405.jpg",
        "lora_000001_00_2026010203.png",
        "lora_00001_00_20260102030405.png",
        "lora_000001_0_20260102030405.png",
        "lora_E000001_00_20260102030405.png",
        "lora-000001_00_20260102030405.png",
        "loras_000001_00_20260102030405.png",
        "000001_00_20260102030405.png",
        "lora_lora_000001_00_20260102030405.png",
        "lora_\u0660\u0660\u0660\u0660\u0660\u0661_00_20260102030405.png",
    ],
)
def test_another_name_says_nothing(name: str) -> None:
    assert SampleNames("lora", steps_per_epoch=7, total_steps=100).place_of(name) is None


def kept(folder: Path, source: Path, **changes: Any) -> dict[str, bytes]:
    """What is in the folder of a run that begins with these prompts."""
    values = {"sample_prompts": str(source), "sample_every_n_epochs": 1, "max_train_steps": 10, **changes}
    settings = settings_of(folder / "project", values)
    run_dir = folder / "run"
    run_dir.mkdir()
    keep_prompts(settings, make_plan(squares(10), settings), RunPaths(run_dir))
    return {path.name: path.read_bytes() for path in run_dir.iterdir()}


@pytest.mark.parametrize("suffix", [".txt", ".toml", ".json"])
def test_the_prompts_are_kept_as_they_are(odd_path: Path, suffix: str) -> None:
    content = b"\xef\xbb\xbfa cat \xff --d 7\r\n\r\n# no comment"
    (odd_path / f"prompts{suffix}").write_bytes(content)
    assert kept(odd_path, odd_path / f"prompts{suffix}") == {f"sample_prompts{suffix}": content}


@pytest.mark.parametrize("changes", [{"sample_every_n_epochs": 0}, {"sample_every_n_epochs": 99}])
def test_a_run_that_draws_no_samples_keeps_no_prompts(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "prompts.txt").write_text("a cat", encoding="utf-8")
    assert kept(tmp_path, tmp_path / "prompts.txt", **changes) == {}


def test_prompts_that_cannot_be_kept_are_left(tmp_path: Path) -> None:
    large, missing, folder, pipe, other = (
        tmp_path / name for name in ("large.txt", "missing.txt", "folder.txt", "pipe.txt", "other.md")
    )
    large.write_bytes(b"x" * (MAX_PROMPTS_BYTES + 1))
    folder.mkdir()
    os.mkfifo(pipe)
    other.write_text("a cat", encoding="utf-8")
    for source in (large, missing, folder, pipe, other):
        assert kept(tmp_path / f"of {source.name}", source) == {}
