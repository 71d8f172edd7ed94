"""Environment variables that change a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.check.machine.variables import hidden_by, variable_problems
from tests.check.given_rules import settings_for, text_of
from tests.given import only


@pytest.mark.parametrize(
    ("env", "named", "severity"),
    [
        ({"CUDA_VISIBLE_DEVICES": ""}, ("CUDA_VISIBLE_DEVICES", "CPU", "all 2 GPUs"), "warning"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ("'-1'",), "warning"),
        ({"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}, ("gradient_accumulation_steps", "4", "(1)"), "error"),
        ({"LOCAL_RANK": "0"}, ("LOCAL_RANK", "kohyatpl.launch.processes"), "error"),
        ({"WORLD_SIZE": "2"}, ("WORLD_SIZE",), "error"),
        ({"OMPI_COMM_WORLD_SIZE": "8"}, ("OMPI_COMM_WORLD_SIZE", "mpirun"), "error"),
        ({"PYTHONOPTIMIZE": "1"}, ("PYTHONOPTIMIZE",), "warning"),
    ],
)
def test_a_variable_that_changes_the_training_is_named(
    tmp_path: Path, env: dict[str, str], named: tuple[str, ...], severity: str
) -> None:
    (variable,) = env
    outside = only(variable_problems(settings_for(tmp_path), 2, env))
    assert outside.severity == severity
    assert outside.where == variable
    assert all(text in text_of(outside) for text in named)
    settings = settings_for(tmp_path, kohyatpl={"env": env})
    assert only(variable_problems(settings, 2, env)).where == f"kohyatpl.env.{variable}"


@pytest.mark.parametrize(
    "env",
    [{}, {"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}, {"CUDA_VISIBLE_DEVICES": "GPU-8932f937-d72c"},
     {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1"}, {"LOCAL_RANK": "-1"}, {"WORLD_SIZE": "1"},
     {"PYTHONOPTIMIZE": ""}, {"OMP_NUM_THREADS": "1"}, {"LD_PRELOAD": "libjemalloc.so"}],
)  # fmt: skip
def test_a_variable_that_changes_nothing_is_left_alone(tmp_path: Path, env: dict[str, str]) -> None:
    assert list(variable_problems(settings_for(tmp_path), 2, env)) == []


def test_ranks_belong_to_several_processes(tmp_path: Path) -> None:
    launch: dict[str, Any] = {"launch": {"processes": 2}}
    assert list(variable_problems(settings_for(tmp_path, kohyatpl=launch), 2, {"LOCAL_RANK": "0"})) == []


@pytest.mark.parametrize("count", [0, None])
def test_nothing_is_hidden_where_nothing_is(count: int | None) -> None:
    assert hidden_by(count, {"CUDA_VISIBLE_DEVICES": ""}) == ""
