"""What a config asks of a machine that does not have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.check.machine import machine_problems
from loratpl.errors import ExitCode, exit_code_of
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
