"""What a config asks of a machine that does not have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.check.machine.gpus import machine_problems
from loratpl.config.machine import Gpu
from loratpl.errors import ExitCode, exit_code_of
from tests.check.given_rules import settings_for, text_of
from tests.given import only, settings_of


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_needs_a_gpu(tmp_path: Path, precision: str) -> None:
    settings = settings_of(tmp_path, {"mixed_precision": precision})
    problem = only(machine_problems(settings, 0))
    assert exit_code_of([problem]) is ExitCode.TRAINER
    assert problem.code == "machine.precision"
    assert precision in problem.message
    assert problem.where == "config.json line 3: mixed_precision"
    assert '"mixed_precision": "no"' in problem.fix
    assert list(machine_problems(settings, 1)) == []


@pytest.mark.parametrize(
    ("processes", "gpu_count", "named"),
    [(2, 0, "no GPU"), (2, 1, "one GPU"), (4, 3, "3 GPUs"), (1, 0, None), (1, 1, None), (3, 3, None), (2, 8, None)],
)
def test_each_process_needs_a_gpu_of_its_own(tmp_path: Path, processes: int, gpu_count: int, named: str | None) -> None:
    settings = settings_of(tmp_path, {"mixed_precision": "no", "kohyatpl": {"launch": {"processes": processes}}})
    problems = list(machine_problems(settings, gpu_count))
    if named is None:
        assert problems == []
        return
    problem = only(problems)
    assert problem.code == "machine.gpus"
    assert f"{processes} processes" in problem.message
    assert named in problem.message
    assert problem.where == "kohyatpl.launch.processes"
    assert problem.fix == f"Set it to {max(gpu_count, 1)}."


def test_nothing_is_said_of_a_machine_that_cannot_be_asked(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"mixed_precision": "bf16", "kohyatpl": {"launch": {"processes": 8}}})
    assert list(machine_problems(settings, None)) == []


@pytest.mark.parametrize(
    ("family", "options", "code", "named"),
    [
        ("sd15", {"optimizer_type": "AdamW8bit"}, "machine.optimizer", ("AdamW8bit", "optimizer_type", "CUDA")),
        ("sd15", {"optimizer_type": "PagedAdamW"}, "machine.optimizer", ("PagedAdamW",)),
        ("sd15", {"use_8bit_adam": True}, "machine.optimizer", ("use_8bit_adam",)),
        ("sd15", {"xformers": True}, "machine.attention", ("xformers", "sdpa")),
        ("sd3", {"blocks_to_swap": 2}, "machine.offload", ("blocks_to_swap",)),
        (
            "flux",
            {"cpu_offload_checkpointing": True, "gradient_checkpointing": True},
            "machine.offload",
            ("cpu_offload_checkpointing",),
        ),
        ("hunyuan-image", {"mixed_precision": "bf16"}, "machine.precision", ("bf16",)),
    ],
)
def test_what_a_cpu_cannot_do_is_an_error_there_alone(
    tmp_path: Path, family: str, options: dict[str, Any], code: str, named: tuple[str, ...]
) -> None:
    settings = settings_for(tmp_path, family, **options)
    problem = only(machine_problems(settings, 0))
    assert (problem.severity, problem.code) == ("error", code)
    assert all(text in text_of(problem) for text in named)
    assert list(machine_problems(settings, 1)) == []


@pytest.mark.parametrize("family", ["sd3", "flux", "chroma", "lumina", "anima"])
def test_these_families_train_in_bf16_on_a_cpu_too(tmp_path: Path, family: str) -> None:
    assert list(machine_problems(settings_for(tmp_path, family, mixed_precision="bf16"), 0)) == []
    assert only(machine_problems(settings_for(tmp_path, family, mixed_precision="fp16"), 0)).code == "machine.precision"


@pytest.mark.parametrize(("capability", "is_said"), [(7.5, True), (8.0, False), (9.0, False)])
def test_a_gpu_that_only_emulates_bf16_is_named(tmp_path: Path, capability: float, is_said: bool) -> None:
    gpus = (Gpu("Fast", 80_000, 9.0), Gpu("Other", 16_000, capability))
    found = list(machine_problems(settings_for(tmp_path, mixed_precision="bf16"), 2, gpus))
    assert [(problem.severity, problem.code) for problem in found] == (
        [("warning", "machine.precision")] if is_said else []
    )
    assert all("Other" in problem.message and "fp16" in problem.fix for problem in found)
    assert list(machine_problems(settings_for(tmp_path, mixed_precision="fp16"), 2, gpus)) == []


def test_why_a_gpu_is_not_seen_is_said_in_the_place_of_a_missing_one(tmp_path: Path) -> None:
    unseen = "the trainer's PyTorch 2.13.0+cpu is a build for CPUs"
    settings = settings_for(tmp_path, mixed_precision="fp16", kohyatpl={"launch": {"processes": 2}})
    precision, processes = machine_problems(settings, 0, unseen=unseen)
    for problem in (precision, processes):
        assert unseen in problem.message
        assert "no driver" not in problem.message
    assert unseen in precision.fix
