"""Paces of runs that were never made."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from loratpl.plan.pace.estimate import Course
from loratpl.plan.pace.facts import Facts, Pace

FACTS = Facts(
    family="sdxl",
    device="NVIDIA GeForce RTX 4090",
    processes=1,
    tiny_unet=False,
    pixels_per_step=2.0 * 1024 * 1024,
    network_module="networks.lora",
    network_dim=16,
    train_batch_size=2,
    gradient_accumulation_steps=1,
    mixed_precision="bf16",
    precision="",
    optimizer_type="adamw8bit",
    gradient_checkpointing="gradient_checkpointing",
    attention="sdpa",
    fp8="",
    blocks_to_swap=0,
    cache_latents=True,
    cache_text_encoder_outputs=False,
    trained_parts="unet",
    torch_compile=False,
    threads=0,
)
FIRST_DAY = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)


def pace(day: int = 0, *, step_s: float = 2.0, steps: int = 100, **changes: Any) -> Pace:
    """Returns the pace of a run on a day; changes are of its facts, or of itself."""
    own = {name: value for name, value in changes.items() if name not in Facts.__dataclass_fields__}
    of_facts = {name: value for name, value in changes.items() if name not in own}
    made = Pace(
        time=FIRST_DAY + timedelta(days=day),
        facts=replace(FACTS, **of_facts),
        steps=steps,
        step_s=step_s,
        median_step_s=step_s,
        low_step_s=step_s * 0.9,
        high_step_s=step_s * 1.2,
        load_s=30.0,
        caching_s=0.0,
        cached_px=0.0,
    )
    return replace(made, **own)


def course(steps: int = 1000, **changes: Any) -> Course:
    """Returns a training of so many steps and nothing else."""
    return replace(Course(steps=steps, epochs=1, checkpoints=0, samples=0, cached_px=0.0), **changes)
