"""Optimisers and schedulers: unknown names and arguments are refused, what the trainer takes passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.check.optimizer import optimizer_problems
from loratpl.check.optimizer_table import (
    OPTIMIZER_ARGUMENTS,
    SCHEDULER_ARGUMENTS,
    SCHEDULER_CLASS_ARGUMENTS,
    SPOKEN_OPTIMIZERS,
)
from loratpl.check.scheduler import scheduler_problems
from tests.check.given_rules import codes, settings_for, text_of
from tests.given import only


def _optimizer(folder: Path, name: str, arguments: Any = None, **options: Any) -> list[Any]:
    settings = settings_for(folder, optimizer_type=name, optimizer_args=arguments, **options)
    return [*optimizer_problems(settings)]


@pytest.mark.parametrize("name", [*SPOKEN_OPTIMIZERS, *(name.lower() for name in SPOKEN_OPTIMIZERS)])
def test_the_trainers_names_may_be_written_in_any_case(tmp_path: Path, name: str) -> None:
    assert _optimizer(tmp_path, name) == []


@pytest.mark.parametrize("path", OPTIMIZER_ARGUMENTS)
def test_every_argument_of_a_class_is_taken_and_any_other_refused(tmp_path: Path, path: str) -> None:
    known = OPTIMIZER_ARGUMENTS[path]
    assert _optimizer(tmp_path, path, [f"{name}=0" for name in known if name != "warmup_init"]) == []
    problem = only(_optimizer(tmp_path, path, {"wieght_dceay_x": 0.1}))
    assert (problem.severity, problem.code) == ("error", "config.arguments")


@pytest.mark.parametrize(
    ("name", "arguments", "named"),
    [
        ("AdamW", "wieght_decay=0.01", ("`wieght_decay`", "`weight_decay`")),
        ("AdamW8bit", {"beta": [0.9, 0.99]}, ("`beta`", "`betas`")),
        ("Prodigy", "d_coeff=1", ("`d_coeff`", "`d_coef`")),
        ("AdamW", "lr=1e-4", ("lr", "`learning_rate`")),
        ("SGDNesterov", "nesterov=True", ("nesterov", "Take `nesterov` out")),
        ("AdamW", "zzzz=1", ("`zzzz`", "weight_decay")),
    ],
)
def test_an_argument_that_ends_the_trainer_is_refused(
    tmp_path: Path, name: str, arguments: Any, named: tuple[str, ...]
) -> None:
    problem = only(_optimizer(tmp_path, name, arguments))
    assert (problem.severity, problem.code) == ("error", "config.arguments")
    assert "optimizer_args" in problem.where
    assert all(text in text_of(problem) for text in named)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("AdmaW", '"AdamW"'),
        ("Adamw8", '"AdamW"'),
        ("adam", '"Adam"'),
        ("Prodigi", '"Prodigy"'),
        ("AdEMAMix8bit", '"bitsandbytes.optim.AdEMAMix8bit"'),
        ("torch.optim.AdamZ", '"AdamW"'),
        ("LBFGS", '"AdamW"'),
        ("SparseAdam", '"AdamW"'),
        ("Qqqqqqqqq", "full path"),
    ],
)
def test_an_optimiser_that_the_trainer_cannot_use_is_refused(tmp_path: Path, name: str, suggestion: str) -> None:
    problem = only(_optimizer(tmp_path, name))
    assert (problem.severity, problem.code) == ("error", "config.optimizer")
    assert name in problem.message
    assert suggestion in problem.fix or name in ("Adamw8", "torch.optim.AdamZ")


def test_an_optimiser_of_another_package_is_not_judged_and_that_is_said(tmp_path: Path) -> None:
    assert _optimizer(tmp_path, "pytorch_optimizer.CAME") == []
    found = _optimizer(tmp_path, "pytorch_optimizer.CAME", "weight_decay=0.1")
    assert codes(found) == [("warning", "config.arguments.unjudged")]
    assert "pytorch_optimizer.CAME" in found[0].message


def _scheduler(folder: Path, **options: Any) -> list[Any]:
    return list(scheduler_problems(settings_for(folder, **options)))


@pytest.mark.parametrize("name", [name for name in SCHEDULER_ARGUMENTS if name != "cosine_with_min_lr"])
def test_every_scheduler_and_its_arguments_are_taken_and_any_other_refused(tmp_path: Path, name: str) -> None:
    right = dict.fromkeys(SCHEDULER_ARGUMENTS[name], 1)
    assert _scheduler(tmp_path, lr_scheduler=name, lr_scheduler_args=right) == []
    problem = only(_scheduler(tmp_path, lr_scheduler=name, lr_scheduler_args={**right, "last_epohc": 1}))
    assert (problem.severity, problem.code) == ("error", "config.arguments")
    assert "`last_epoch`" in problem.message


@pytest.mark.parametrize("name", SCHEDULER_CLASS_ARGUMENTS)
@pytest.mark.parametrize("prefix", ["", "torch.optim.lr_scheduler."])
def test_every_class_of_torch_and_its_arguments_are_taken(tmp_path: Path, name: str, prefix: str) -> None:
    right = dict.fromkeys(SCHEDULER_CLASS_ARGUMENTS[name], 1)
    assert _scheduler(tmp_path, lr_scheduler_type=f"{prefix}{name}", lr_scheduler_args=right) == []
    found = _scheduler(tmp_path, lr_scheduler_type=f"{prefix}{name}", lr_scheduler_args={"qqqqq": 1})
    assert codes(found) == [("error", "config.arguments")]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"lr_scheduler": "cosin"}, ("'cosin'", '"lr_scheduler": "cosine"')),
        ({"lr_scheduler": "reduce_lr_on_plateau"}, ("cannot use",)),
        ({"lr_scheduler": "zzzzzzzz"}, ("It knows", "cosine")),
        ({"lr_scheduler_type": "CosineAnealingLR"}, ('"lr_scheduler_type": "CosineAnnealingLR"',)),
    ],
)
def test_a_scheduler_that_the_trainer_cannot_use_is_refused(
    tmp_path: Path, options: dict[str, Any], named: tuple[str, ...]
) -> None:
    problem = only(_scheduler(tmp_path, **options))
    assert (problem.severity, problem.code) == ("error", "config.scheduler")
    assert all(text in text_of(problem) for text in named)


def test_a_scheduler_of_another_package_is_not_judged_and_that_is_said(tmp_path: Path) -> None:
    own = {"lr_scheduler_type": "my_schedulers.Rex"}
    assert _scheduler(tmp_path, **own) == []
    found = _scheduler(tmp_path, **own, lr_scheduler_args="gamma=0.9")
    assert codes(found) == [("warning", "config.arguments.unjudged")]
