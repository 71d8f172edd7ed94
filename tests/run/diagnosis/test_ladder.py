"""What is advised against a full GPU: the cheapest first, nothing that is set, nothing that the family cannot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.registry import settings_problems
from loratpl.config.families import FAMILIES
from loratpl.config.machine import Gpu
from loratpl.project import ProjectPaths
from loratpl.run.diagnosis.evidence import Case, Evidence
from loratpl.run.diagnosis.ladder import RUNGS, advice
from loratpl.run.diagnosis.log import TrainerLog
from loratpl.run.diagnosis.machine import MachineFacts
from loratpl.run.phases import CACHING, SAMPLING, TRAINING
from tests.given import resolved

SETTING = re.compile(r"`(\"[^`]+)`")
# Everything that saves memory without taking anything of the LoRA.
ALL_SET: dict[str, Any] = {
    "cache_latents": True, "gradient_checkpointing": True, "mixed_precision": "bf16", "sdpa": True,
    "network_train_unet_only": True, "optimizer_type": "Adafactor", "train_batch_size": 1, "resolution": "512,512",
    "network_dim": 8,
}  # fmt: skip
SPARING: dict[str, dict[str, Any]] = {
    "sd15": {"fp8_base": True},
    "sd2": {"fp8_base": True},
    "sdxl": {"fp8_base": True, "cache_text_encoder_outputs": True},
    "sd3": {"fp8_base": True, "cache_text_encoder_outputs": True, "blocks_to_swap": 36},
    "flux": {"fp8_base": True, "cache_text_encoder_outputs": True, "blocks_to_swap": 35},
    "chroma": {"fp8_base": True, "cache_text_encoder_outputs": True, "blocks_to_swap": 35},
    "lumina": {"fp8_base": True, "cache_text_encoder_outputs": True, "blocks_to_swap": 24},
    "hunyuan-image": {"fp8_scaled": True, "cache_text_encoder_outputs": True, "blocks_to_swap": 37},
    "anima": {"cache_text_encoder_outputs": True, "blocks_to_swap": 26},
}


def case_of(folder: Path, values: dict[str, Any], phase: str = TRAINING, *gpus: Gpu) -> Case:
    settings, _ = resolved(folder, {"sdpa": False, **values})
    evidence = Evidence(
        ProjectPaths(folder), folder / "trainer.log", 1, phase, 0, settings, machine=MachineFacts(gpus=gpus)
    )
    return Case(evidence, TrainerLog())


def steps_of(case: Case) -> list[str]:
    return [step for rung in RUNGS if (step := rung.advise(case)) is not None]


def test_a_plain_config_has_all_of_it_ahead(tmp_path: Path) -> None:
    values = {
        "family": "sdxl", "cache_latents": False, "gradient_checkpointing": False, "mixed_precision": "no",
        "train_batch_size": 4, "gradient_accumulation_steps": 2, "resolution": "1024,1024", "network_dim": 32,
        "network_alpha": 16, "optimizer_type": "AdamW", "highvram": True, "shuffle_caption": False,
    }  # fmt: skip
    assert steps_of(case_of(tmp_path, values)) == [
        "take `highvram` out, which keeps models on the GPU",
        'set `"cache_latents": true`',
        'set `"gradient_checkpointing": true`',
        'set `"mixed_precision": "bf16"`',
        'set `"sdpa": true`',
        'set `"cache_text_encoder_outputs": true` and `"network_train_unet_only": true`',
        'set `"optimizer_type": "AdamW8bit"`',
        'set `"fp8_base": true`',
        'set `"train_batch_size": 2` with `"gradient_accumulation_steps": 4`',
        'set `"resolution": "768"`',
        'set `"network_dim": 16` with `"network_alpha": 8`',
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_where_all_is_set_already_nothing_is_left(family: str, tmp_path: Path) -> None:
    case = case_of(tmp_path, {**ALL_SET, **SPARING[family], "family": family})
    assert steps_of(case) == []
    assert "GPU with more memory" in advice(case)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_advised_that_the_family_is_refused_for(family: str, tmp_path: Path) -> None:
    """Whoever follows all of it is not sent back by the next check."""
    before = {
        "family": family, "optimizer_type": "AdamW", "network_train_unet_only": False, "cache_latents": False,
        "train_batch_size": 4, "network_dim": 32, "network_alpha": 16, "resolution": "1024,1024",
    }  # fmt: skip
    steps = steps_of(case_of(tmp_path / "case", before))
    advised = json.loads(f"{{{', '.join(SETTING.findall(' '.join(steps)))}}}")
    assert len(advised) >= 7
    settings, problems = resolved(tmp_path / "before", {**before, "sdpa": False})
    after, problems_after = resolved(tmp_path / "after", {**before, "sdpa": False, **advised})
    known = {*problems, *settings_problems(settings)}
    new = [problem for problem in (*problems_after, *settings_problems(after)) if problem not in known]
    assert [problem for problem in new if problem.severity == "error"] == []


@pytest.mark.parametrize(
    ("size", "accumulated", "advised"),
    [(2, 1, (1, 2)), (3, 1, (1, 3)), (6, 2, (3, 4)), (5, 4, (1, 20)), (8, 1, (4, 2))],
)
def test_a_smaller_batch_keeps_the_product(
    size: int, accumulated: int, advised: tuple[int, int], tmp_path: Path
) -> None:
    case = case_of(tmp_path, {**ALL_SET, "train_batch_size": size, "gradient_accumulation_steps": accumulated})
    batch, steps = advised
    assert batch * steps == size * accumulated
    expected = f'set `"train_batch_size": {batch}` with `"gradient_accumulation_steps": {steps}`'
    assert expected in steps_of(case)


@pytest.mark.parametrize("option", ["shuffle_caption", "caption_dropout_rate", "caption_tag_dropout_rate"])
def test_outputs_are_not_cached_where_captions_change(option: str, tmp_path: Path) -> None:
    value = True if option == "shuffle_caption" else 0.1
    case = case_of(tmp_path, {**ALL_SET, "family": "sdxl", option: value})
    assert not any("cache_text_encoder_outputs" in step for step in steps_of(case))


def test_an_old_gpu_gets_fp16(tmp_path: Path) -> None:
    old = Gpu("NVIDIA GeForce RTX 2080", 8192, 7.5)
    case = case_of(tmp_path, {"mixed_precision": "no"}, TRAINING, old)
    assert 'set `"mixed_precision": "fp16"`' in steps_of(case)


@pytest.mark.parametrize(("now", "advised"), [(0, 17), (10, 17), (20, 35)])
def test_blocks_are_swapped_in_two_stages(now: int, advised: int, tmp_path: Path) -> None:
    case = case_of(tmp_path, {**ALL_SET, "family": "flux", "blocks_to_swap": now})
    assert f'set `"blocks_to_swap": {advised}`' in steps_of(case)


def test_a_resolution_keeps_its_shape(tmp_path: Path) -> None:
    case = case_of(tmp_path, {**ALL_SET, "resolution": "1280,768"})
    assert 'set `"resolution": "1024,576"`' in steps_of(case)


def test_the_phase_has_a_first_word(tmp_path: Path) -> None:
    assert advice(case_of(tmp_path / "a", {"vae_batch_size": 4}, CACHING)).startswith('Set `"vae_batch_size": 1`')
    assert advice(case_of(tmp_path / "b", {}, SAMPLING)).startswith("Take `sample_prompts` out")
