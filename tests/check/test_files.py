"""Files and folders that a config names and that are missing, wrong or closed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.files import file_problems, resumed_step
from tests.check.given_rules import codes, settings_for, text_of
from tests.given import only

_EVERY_EPOCH: dict[str, Any] = {"sample_every_n_epochs": 1}


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        ({"network_weights": "no.safetensors"}, "config.file.missing", ("network_weights", "no.safetensors")),
        ({"base_weights": ["no.safetensors"]}, "config.file.missing", ("base_weights", "no.safetensors")),
        ({"log_tracker_config": "no.toml"}, "config.file.missing", ("log_tracker_config",)),
        ({"sample_prompts": "no.txt", **_EVERY_EPOCH}, "config.file.missing", ("sample_prompts", "no.txt")),
        ({"sample_prompts": "prompts.md", **_EVERY_EPOCH}, "config.samples", ("prompts.md", "prompts.txt")),
        ({"resume": "no-state"}, "config.file.missing", ("resume", "no-state")),
        ({"resume": "bare-state"}, "config.file.missing", ("resume", "train_state.json", "initial_step")),
        ({"output_name": "n" * 300}, "config.value", ("output_name", "300")),
        ({"output_name": "日" * 100}, "config.value", ("output_name",)),
        ({"output_name": "a/b"}, "config.value", ("output_name", "output_dir")),
        ({"output_dir": "prompts.txt"}, "project.write", ("output_dir", "is a file")),
        ({"logging_dir": "prompts.txt/log"}, "project.write", ("logging_dir", "is a file")),
    ],
)
def test_a_file_that_is_not_what_it_must_be_is_an_error(
    odd_path: Path, options: dict[str, Any], code: str, named: tuple[str, ...]
) -> None:
    (odd_path / "prompts.txt").write_text("a cat\n", encoding="utf-8")
    (odd_path / "prompts.md").write_text("a cat\n", encoding="utf-8")
    (odd_path / "bare-state").mkdir()
    problem = only(file_problems(settings_for(odd_path, **options)))
    assert (problem.severity, problem.code) == ("error", code)
    assert all(text in text_of(problem) for text in named)


@pytest.mark.parametrize("lines", ["", "\n \n", "# nothing\n"])
def test_a_prompt_file_without_a_prompt_is_said(tmp_path: Path, lines: str) -> None:
    (tmp_path / "p.txt").write_text(lines, encoding="utf-8")
    assert codes(file_problems(settings_for(tmp_path, sample_prompts="p.txt", **_EVERY_EPOCH))) == [
        ("warning", "config.samples")
    ]


def test_what_is_there_is_right(odd_path: Path) -> None:
    for name in ("p.txt", "p.json", "n.safetensors", "t.toml"):
        (odd_path / name).write_text("a cat", encoding="utf-8")
    state = odd_path / "state"
    state.mkdir()
    (state / "train_state.json").write_text(json.dumps({"current_epoch": 1, "current_step": 7}), encoding="utf-8")
    given: dict[str, Any] = {
        "network_weights": "n.safetensors",
        "base_weights": ["n.safetensors"],
        "log_tracker_config": "t.toml",
    }
    settings = settings_for(odd_path, **given, resume="state", sample_prompts="p.json", **_EVERY_EPOCH)
    assert list(file_problems(settings)) == []
    assert resumed_step(settings) == 7
    assert list(file_problems(settings_for(odd_path, sample_prompts="no.txt"))) == []  # nothing is drawn


@pytest.mark.parametrize(
    ("state", "options", "expected"),
    [(None, {}, 0), ("no json", {}, 0), ("[1]", {}, 0), ('{"current_step": 5}', {}, 5),
     ('{"current_step": 5}', {"initial_step": 3}, 3)],
)  # fmt: skip
def test_the_step_that_a_training_goes_on_from(
    tmp_path: Path, state: str | None, options: dict[str, Any], expected: int
) -> None:
    (tmp_path / "state").mkdir()
    if state is not None:
        (tmp_path / "state" / "train_state.json").write_text(state, encoding="utf-8")
    assert resumed_step(settings_for(tmp_path, resume="state", **options)) == expected


def test_nothing_to_go_on_from_is_step_0(tmp_path: Path) -> None:
    assert resumed_step(settings_for(tmp_path)) == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    problem = only(file_problems(settings_for(tmp_path, logging_dir="closed/log")))
    assert problem.code == "project.write"
    assert "chmod" in problem.fix
