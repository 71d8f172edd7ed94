"""The names of the files that a training writes, and the steps after which it writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.plan.outputs import PlannedFile, planned_files
from loratpl.plan.planner import make_plan
from tests.given import settings_of
from tests.plan.made import squares


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"max_train_epochs": 3}, [("x-000001", 10), ("x-000002", 20), ("x", 30)]),
        ({"max_train_steps": 25}, [("x-000001", 10), ("x-000002", 20), ("x", 25)]),
        ({"max_train_epochs": 1}, [("x", 10)]),
        ({"max_train_epochs": 5, "save_every_n_epochs": 2}, [("x-000002", 20), ("x-000004", 40), ("x", 50)]),
        ({"max_train_epochs": 4, "save_every_n_epochs": 2}, [("x-000002", 20), ("x", 40)]),
        ({"max_train_epochs": 2, "save_every_n_epochs": 100}, [("x", 20)]),
        (
            {"max_train_steps": 25, "save_every_n_steps": 10},
            [("x-step00000010", 10), ("x-step00000020", 20), ("x", 25)],
        ),
        ({"max_train_steps": 10, "save_every_n_steps": 5}, [("x-step00000005", 5), ("x-step00000010", 10), ("x", 10)]),
        (
            {"max_train_steps": 25, "save_every_n_steps": 15, "save_every_n_epochs": 1},
            [("x-000001", 10), ("x-step00000015", 15), ("x-000002", 20), ("x", 25)],
        ),
        ({"max_train_epochs": 10, "save_n_epoch_ratio": 3}, [(f"x-{n:06}", 10 * n) for n in (3, 6, 9)] + [("x", 100)]),
        ({"max_train_epochs": 2, "save_n_epoch_ratio": 20}, [("x-000001", 10), ("x", 20)]),
        ({"max_train_epochs": 2, "save_n_epoch_ratio": 0}, [("x", 20)]),
        (
            {"max_train_epochs": 4, "save_n_epoch_ratio": 2, "save_every_n_epochs": 1},
            [("x-000002", 20), ("x", 40)],
        ),
    ],
)
def test_the_files_of_ten_batches_an_epoch(
    tmp_path: Path, values: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    settings = settings_of(tmp_path, {"output_name": "x", "output_dir": "out", **values})
    files = planned_files(settings, make_plan(squares(10), settings))
    assert files == tuple(PlannedFile(tmp_path / "out" / f"{name}.safetensors", step) for name, step in expected)


@pytest.mark.parametrize("suffix", ["ckpt", "pt", "safetensors"])
def test_the_kind_of_file_is_its_extension(tmp_path: Path, suffix: str) -> None:
    settings = settings_of(tmp_path, {"save_model_as": suffix, "output_name": "my lora"})
    files = planned_files(settings, make_plan(squares(1), settings))
    assert {file.path.suffix for file in files} == {f".{suffix}"}
    assert files[-1].path == tmp_path / "output" / f"my lora.{suffix}"
