"""What only the finished plan can tell, found by everything that plans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import Problem
from loratpl.project import open_project
from loratpl.render.prepare import judge, prepare
from tests.check.given_rules import codes, text_of
from tests.given import only, write_config
from tests.stand_in import write_picture


def _problems(root: Path, **options: Any) -> list[Problem]:
    write_config(root, {"resolution": "256", "mixed_precision": "no", "network_alpha": 1, **options})
    (root / "image_dir" / "1_a").mkdir(parents=True)
    for number in range(4):
        write_picture(root / "image_dir" / "1_a" / f"{number}.png")
    judged = judge(open_project(root), gpu_count=lambda: 1, packages=lambda: None)
    assert judged.plan is not None
    return [problem for problem in judged.problems if not problem.code.startswith("dataset.")]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_train_steps": 4, "lr_warmup_steps": 500}, ("lr_warmup_steps", "500", "max_train_steps", "4 steps")),
        ({"max_train_epochs": 2, "lr_warmup_steps": 9}, ("lr_warmup_steps", "max_train_epochs", "8 steps")),
        ({"max_train_steps": 4, "initial_step": 4}, ("initial_step", "max_train_steps")),
        ({"max_train_epochs": 1, "initial_step": 40}, ("initial_step", "max_train_epochs")),
    ],
)
def test_a_run_that_is_too_short_is_an_error(tmp_path: Path, options: dict[str, Any], named: tuple[str, ...]) -> None:
    problem = only(_problems(tmp_path, **options))
    assert (problem.severity, problem.code) == ("error", "config.steps")
    assert all(text in text_of(problem) for text in named)


def test_going_on_from_a_finished_state_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "train_state.json").write_text(json.dumps({"current_step": 4}), encoding="utf-8")
    problem = only(_problems(tmp_path, max_train_steps=4, resume="state"))
    assert (problem.severity, problem.code) == ("error", "config.steps")
    assert "resume" in problem.where


@pytest.mark.parametrize(
    "options",
    [
        {"max_train_steps": 4, "lr_warmup_steps": 4},
        {"max_train_steps": 4, "lr_warmup_steps": 0.5},
        {"max_train_steps": 4, "initial_step": 3},
        {"max_train_steps": 8, "lr_warmup_steps": 8, "lr_scheduler": "constant_with_warmup"},
    ],
)
def test_a_run_that_is_long_enough_is_right(tmp_path: Path, options: dict[str, Any]) -> None:
    assert _problems(tmp_path, **options) == []


def test_an_earlier_lora_of_the_same_name_is_named_beforehand_and_refused_by_the_run_alone(odd_path: Path) -> None:
    (odd_path / "output").mkdir()
    (odd_path / "output" / "t.safetensors").write_bytes(b"an earlier LoRA")
    problem = only(_problems(odd_path, max_train_steps=4, output_name="t"))
    assert (problem.severity, problem.code, problem.where) == (
        "error", "project.output.exists", "output/t.safetensors",
    )  # fmt: skip
    assert codes(p for p in prepare(open_project(odd_path)).warnings if p.code == problem.code) == [
        ("warning", "project.output.exists")
    ]
