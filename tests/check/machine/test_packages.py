"""What a config needs of the trainer's environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.machine.packages import known_packages, locked_packages, package_build_problems, package_problems
from loratpl.check.machine.trainer_environment import read_environment
from loratpl.trainer.pin import load_lock
from loratpl.trainer.status import TrainerStatus
from tests.check.given_rules import codes, settings_for, text_of
from tests.check.machine.made_environment import make_environment
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
    problem = only(package_problems(settings, {"torch", "tensorboard"}))
    assert (problem.severity, problem.code) == ("error", "trainer.package")
    assert all(text in text_of(problem) for text in (package, *named))
    assert list(package_problems(settings, {package.replace("-", "_").upper(), "tensorboard"})) == []
    assert list(package_problems(settings, None)) == []


@pytest.mark.parametrize("log_with", [None, "tensorboard", "all"])
@pytest.mark.parametrize(("package", "is_enough"), [("torch", False), ("tensorboard", True), ("tensorboardX", True)])
def test_a_log_that_nobody_would_keep_is_an_error(
    tmp_path: Path, log_with: str | None, package: str, is_enough: bool
) -> None:
    settings = settings_for(tmp_path, **({"log_with": log_with, "wandb_api_key": "k"} if log_with else {}))
    problems = list(package_problems(settings, {"wandb", package}))
    assert codes(problems) == ([] if is_enough else [("error", "trainer.package")])
    assert all("tensorboard" in p.message and "kohyatpl trainer install" in p.fix for p in problems)


def test_another_log_needs_no_tensorboard(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, log_with="wandb", wandb_api_key="k")
    assert list(package_problems(settings, {"wandb"})) == []


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


@pytest.mark.skipif(sys.platform == "win32", reason="the made environment is laid out as on POSIX")
def test_what_lies_in_the_environment_counts_before_the_marker(stand_in: StandIn) -> None:
    site_dir = stand_in.paths.venv_dir / "lib" / "python3.11" / "site-packages"
    (site_dir / "wandb-0.20.1.dist-info").mkdir(parents=True)
    assert known_packages() == frozenset({"wandb"})


@pytest.mark.skipif(sys.platform == "win32", reason="the made environment is laid out as on POSIX")
@pytest.mark.parametrize(
    ("family", "options", "wanted", "is_right"),
    [
        ("sd15", {"xformers": True}, "torch (==2.12.1)", False),
        ("sd15", {"xformers": True}, "torch==2.12.1", False),
        ("anima", {"attn_mode": "xformers"}, "torch==2.12.1", False),
        ("sd15", {"xformers": True}, "torch==2.13.0", True),
        ("sd15", {"xformers": True}, "torch>=2.10", True),
        ("sd15", {}, "torch==2.12.1", True),
    ],
)
def test_xformers_must_be_built_for_the_pytorch_that_is_there(
    tmp_path: Path, family: str, options: dict[str, Any], wanted: str, is_right: bool
) -> None:
    made = make_environment(tmp_path / "trainer", torch="2.13.0+cu130", cuda="13.0")
    made.set_version("xformers", "0.0.40")
    metadata = made.site_dir / "xformers-0.0.40.dist-info" / "METADATA"
    metadata.write_text(f"Name: xformers\nRequires-Dist: numpy\nRequires-Dist: {wanted}\n", encoding="utf-8")
    environment = read_environment(made.paths)
    assert environment is not None
    problems = list(package_build_problems(settings_for(tmp_path, family, **options), environment))
    assert codes(problems) == ([] if is_right else [("error", "trainer.package.build")])
    assert all(text in p.message for p in problems for text in ("0.0.40", "2.12.1", "2.13.0+cu130"))


@pytest.mark.skipif(sys.platform == "win32", reason="the made environment is laid out as on POSIX")
@pytest.mark.parametrize(
    ("options", "cuda", "is_right"),
    [
        ({"optimizer_type": "AdamW8bit"}, "13.2", False),
        ({"use_8bit_adam": True}, "13.2", False),
        ({"optimizer_type": "AdamW8bit"}, "13.0", True),
        ({"optimizer_type": "AdamW"}, "13.2", True),
        ({"optimizer_type": "AdamW8bit"}, None, True),  # on a CPU another rule refuses it
    ],
)
def test_bitsandbytes_must_have_a_library_for_the_cuda_that_is_there(
    tmp_path: Path, options: dict[str, Any], cuda: str | None, is_right: bool
) -> None:
    made = make_environment(tmp_path / "trainer", torch="2.13.0", cuda=cuda)
    made.set_version("bitsandbytes", "0.48.2")
    for number in ("cpu", "cuda126", "cuda130"):
        library = made.site_dir / "bitsandbytes" / f"libbitsandbytes_{number}.so"
        library.parent.mkdir(exist_ok=True)
        library.touch()
    environment = read_environment(made.paths)
    assert environment is not None
    problems = list(package_build_problems(settings_for(tmp_path, **options), environment))
    assert codes(problems) == ([] if is_right else [("error", "trainer.package.build")])
    assert all(text in text_of(p) for p in problems for text in ("0.48.2", "13.2", "AdamW"))


def test_the_installed_packages_are_built_for_each_other(tmp_path: Path, installed_trainer: TrainerStatus) -> None:
    environment = read_environment(installed_trainer.paths)
    assert environment is not None
    for options in ({"optimizer_type": "AdamW8bit"}, {"xformers": True}):
        assert list(package_build_problems(settings_for(tmp_path, **options), environment)) == []


def test_the_marker_counts_before_the_lock(stand_in: StandIn) -> None:
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
