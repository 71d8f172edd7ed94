"""What a config needs of the trainer's environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.packages import known_packages, locked_packages, package_problems
from loratpl.trainer.pin import load_lock
from tests.check.given_rules import codes, settings_for, text_of
from tests.given import only
from tests.stand_in import StandIn

_LOCKED = locked_packages(load_lock())


@pytest.mark.parametrize(
    ("family", "options", "package", "named"),
    [
        ("sd15", {"optimizer_type": "AdamW8bit"}, "bitsandbytes", ("AdamW8bit", "optimizer_type", "AdamW")),
        ("sd15", {"optimizer_type": "pagedadamw"}, "bitsandbytes", ("pagedadamw",)),
        ("sd15", {"use_8bit_adam": True}, "bitsandbytes", ("use_8bit_adam",)),
        ("sd15", {"optimizer_type": "Lion"}, "lion-pytorch", ("Lion",)),
        ("sd15", {"use_lion_optimizer": True}, "lion-pytorch", ("use_lion_optimizer",)),
        ("sd15", {"optimizer_type": "Prodigy"}, "prodigyopt", ("Prodigy",)),
        ("sd15", {"optimizer_type": "DAdaptLion"}, "dadaptation", ("DAdaptLion", "Prodigy")),
        ("sd15", {"optimizer_type": "AdamWScheduleFree"}, "schedulefree", ("AdamWScheduleFree",)),
        ("sd15", {"optimizer_type": "pytorch_optimizer.CAME"}, "pytorch-optimizer", ("CAME",)),
        ("sd15", {"optimizer_type": "prodigyplus.ProdigyPlusScheduleFree"}, "prodigy-plus-schedule-free", ()),
        ("sd15", {"network_module": "lycoris.kohya"}, "lycoris-lora", ("lycoris.kohya", "networks.lora")),
        ("sd15", {"xformers": True}, "xformers", ("sdpa",)),
        ("sd15", {"log_with": "wandb", "wandb_api_key": "k"}, "wandb", ("log_with", "tensorboard")),
        ("sd15", {"log_with": "all", "wandb_api_key": "k"}, "wandb", ("log_with all",)),
        ("sd15", {"deepspeed": True}, "deepspeed", ("deepspeed",)),
        ("anima", {"attn_mode": "flash"}, "flash-attn", ("attn_mode", "torch")),
        ("hunyuan-image", {"attn_mode": "xformers"}, "xformers", ("attn_mode",)),
        ("anima", {"attn_mode": "sageattn"}, "sageattention", ("attn_mode",)),
        ("lumina", {"use_flash_attn": True}, "flash-attn", ("use_flash_attn",)),
        ("lumina", {"use_sage_attn": True}, "sageattention", ("use_sage_attn",)),
    ],
)
def test_a_package_that_is_not_there_is_named_with_what_needs_it(
    tmp_path: Path, family: str, options: dict[str, Any], package: str, named: tuple[str, ...]
) -> None:
    settings = settings_for(tmp_path, family, **options)
    problem = only(package_problems(settings, {"torch"}))
    assert (problem.severity, problem.code) == ("error", "trainer.package")
    assert all(text in text_of(problem) for text in (package, *named))
    assert list(package_problems(settings, {package.replace("-", "_").upper()})) == []
    assert list(package_problems(settings, None)) == []


@pytest.mark.parametrize(
    "options",
    [{}, {"optimizer_type": "AdamW8bit"}, {"optimizer_type": "Prodigy"}, {"optimizer_type": "Lion"},
     {"log_with": "tensorboard"}, {"network_module": "my.own"}, {"optimizer_type": "mine.Own"}],
)  # fmt: skip
def test_the_environment_has_what_most_configs_ask_for(tmp_path: Path, options: dict[str, Any]) -> None:
    assert list(package_problems(settings_for(tmp_path, **options), _LOCKED)) == []


def test_the_lock_is_read_as_it_would_be_installed_here() -> None:
    lines = (
        "torch==2.13.0",
        "Pillow_x==1 ; platform_machine == 'x86_64'",
        "a==1 ; sys_platform != 'beos'",
        "b==1 ; sys_platform == 'beos'",
    )
    assert locked_packages("\n".join(lines)) == {"torch", "pillow-x", "a"}


def test_the_installed_environment_counts_before_the_lock(stand_in: StandIn) -> None:
    assert known_packages() == frozenset(stand_in.status.marker.packages if stand_in.status.marker else ())


@pytest.mark.parametrize("marker", [None, "no json", "[]", '{"commit": "x"}'])
def test_without_an_installation_the_lock_counts(marker: str | None, stand_in: StandIn) -> None:
    path = stand_in.status.paths.marker_path
    path.unlink()
    if marker is not None:
        path.write_text(marker, encoding="utf-8")
    assert known_packages() == _LOCKED


@pytest.mark.parametrize("env", [{"WANDB_API_KEY": "k"}, {"WANDB_MODE": "offline"}, {"WANDB_MODE": "disabled"}])
def test_wandb_without_a_key_is_said(tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    wandb: dict[str, Any] = {"log_with": "wandb"}
    assert codes(package_problems(settings_for(tmp_path, **wandb), None)) == [("warning", "config.wandb.key")]
    assert list(package_problems(settings_for(tmp_path, **wandb, kohyatpl={"env": env}), None)) == []
    assert list(package_problems(settings_for(tmp_path, **wandb, wandb_api_key="k"), None)) == []
    Path(os.environ["HOME"], ".netrc").write_text("machine api.wandb.ai login user password k\n", encoding="utf-8")
    assert list(package_problems(settings_for(tmp_path, **wandb), None)) == []
