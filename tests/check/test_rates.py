"""Rates and alpha that train nothing or burn are named; those of the field's own articles are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.check.rates import rate_problems
from tests.check.given_rules import settings_for, text_of
from tests.given import only

_PRODIGY = {"optimizer_type": "Prodigy"}


@pytest.mark.parametrize(
    ("options", "severity", "code", "named"),
    [
        ({"learning_rate": 0}, "error", "config.rate", ("learning_rate", "0", "1e-4")),
        ({"unet_lr": 0, "text_encoder_lr": 0}, "error", "config.rate", ("unet_lr", "text_encoder_lr")),
        ({"network_alpha": 0}, "warning", "config.rate", ("network_alpha", "0")),
        ({"network_alpha": 128, "network_dim": 4}, "warning", "config.rate", ("network_alpha", "network_dim", "32")),
        ({"learning_rate": 1}, "warning", "config.rate", ("learning_rate", "AdamW", "burn")),
        ({"learning_rate": 0.01, "network_alpha": 16}, "warning", "config.rate", ("learning_rate",)),
        ({"learning_rate": 0.005, "optimizer_type": "Lion"}, "warning", "config.rate", ("Lion",)),
        ({"learning_rate": 1e-8}, "warning", "config.rate", ("learning_rate", "hardly")),
        (_PRODIGY, "warning", "config.rate", ("optimizer_type", "learning_rate", "by default", "1.0")),
        ({**_PRODIGY, "learning_rate": 1e-4}, "warning", "config.rate", ("learning_rate", "1.0")),
        ({"optimizer_type": "DAdaptAdam", "learning_rate": 1e-4}, "warning", "config.rate", ("DAdaptAdam",)),
        ({**_PRODIGY, "unet_lr": 1, "text_encoder_lr": 0.5}, "warning", "config.ignored", ("unet_lr", "first")),
        (
            {"learning_rate": 1e-4, "unet_lr": 1e-3, "text_encoder_lr": 5e-5},
            "warning",
            "config.ignored",
            ("learning_rate", "unet_lr", "text_encoder_lr"),
        ),
        (
            {"learning_rate": 1e-4, "unet_lr": 1e-3, "network_train_unet_only": True},
            "warning",
            "config.ignored",
            ("learning_rate", "unet_lr 0.001 takes"),
        ),
    ],
)
def test_a_rate_that_cannot_be_meant_is_named(
    tmp_path: Path, options: dict[str, Any], severity: str, code: str, named: tuple[str, ...]
) -> None:
    problem = only(rate_problems(settings_for(tmp_path, **options)))
    assert (problem.severity, problem.code) == (severity, code)
    assert all(text in text_of(problem) for text in named)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 0, "unet_lr": 1e-4, "text_encoder_lr": 0},
        {"learning_rate": 1e-4, "unet_lr": 1e-4, "text_encoder_lr": 5e-5},
        {"learning_rate": 1e-4, "unet_lr": 1e-3},  # the text encoder is trained at learning_rate
        {"learning_rate": 1e-2, "network_dim": 128, "network_alpha": 1},
        {"network_dim": 32, "network_alpha": 32, "learning_rate": 1e-3},
        {**_PRODIGY, "learning_rate": 1},
        {**_PRODIGY, "learning_rate": 1, "unet_lr": 1, "text_encoder_lr": 1},
        {"optimizer_type": "Adafactor"},
        {"optimizer_type": "Adafactor", "learning_rate": 1},
        {"optimizer_type": "SGDNesterov", "learning_rate": 0.5},
        {"optimizer_type": "pytorch_optimizer.CAME", "learning_rate": 1},
        {"network_module": "networks.oft", "network_alpha": 0.001},
        {"network_module": "lycoris.kohya", "network_dim": 4, "network_alpha": 64},
        {"text_encoder_lr": 5e-6, "unet_lr": 1e-4},
    ],
)
def test_what_people_train_with_is_left_alone(tmp_path: Path, options: dict[str, Any]) -> None:
    assert list(rate_problems(settings_for(tmp_path, **options))) == []
