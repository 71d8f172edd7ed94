"""Python packages that a config needs and the trainer's environment may not have."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from loratpl.check.machine.trainer_environment import TrainerEnvironment, normal_name, numbers_of, read_environment
from loratpl.check.optimizer import optimizer_name, optimizer_path
from loratpl.config.settings import Settings
from loratpl.errors import Problem, TrainerError
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.pin import load_lock, load_pin

# Where the name of a module is not that of its package.
_PACKAGE_OF = {
    "bitsandbytes": "bitsandbytes", "came_pytorch": "came-pytorch", "dadaptation": "dadaptation",
    "lion_pytorch": "lion-pytorch", "lycoris": "lycoris-lora", "prodigyopt": "prodigyopt",
    "prodigyplus": "prodigy-plus-schedule-free", "pytorch_optimizer": "pytorch-optimizer",
    "schedulefree": "schedulefree",
}  # fmt: skip
# What accelerate and the trainer take as well.
_WILL_DO = {"tensorboard": frozenset({"tensorboardx"})}
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==[^;\n]*(?:;(.*))?$", re.MULTILINE)
_PINNED_TORCH = re.compile(r"^Requires-Dist: torch\s*\(?==\s*([0-9.]+)", re.MULTILINE)
_NOT_HERE = re.compile(r"sys_platform != '(\w+)'|sys_platform == '(\w+)'")


def locked_packages(lock: str) -> frozenset[str]:
    r"""Returns the packages that a lock of the trainer's environment installs on this system.

    >>> sorted(locked_packages("torch==2.13.0\ncolorama==0.4 ; sys_platform == 'beos'\n"))
    ['torch']
    """
    return frozenset(normal_name(name) for name, marker in _LOCKED.findall(lock) if _is_here(marker))


def _is_here(marker: str) -> bool:
    found = _NOT_HERE.search(marker)
    if found is None:
        return True
    without, only = found.groups()
    return sys.platform == only if only else sys.platform != without


def package_problems(settings: Settings, packages: Collection[str] | None) -> Iterator[Problem]:
    """Yields what the config asks for that needs a package which is not there.

    Args:
        settings: The run's.
        packages: What the trainer's environment has; nothing is said where that is not known (None, or not one).
    """
    yield from _wandb_problems(settings)
    if not packages:
        return
    there = {normal_name(name) for name in packages}
    for option, what, package, fix in _needs(settings):
        if package not in there and not there & _WILL_DO.get(package, frozenset()):
            yield Problem(
                "trainer.package",
                f"{what} needs the Python package {package}, which is not in the trainer's environment.",
                settings.where(option),
                fix,
            )


def _needs(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    """Every option that needs a package: option, what to call it, package, what to do without it."""
    path = optimizer_path(settings)
    package = _PACKAGE_OF.get(path.partition(".")[0])
    if package:
        option = next((n for n in ("use_8bit_adam", "use_lion_optimizer") if settings[n]), "optimizer_type")
        same = 'Write `"optimizer_type": "Prodigy"`.' if package == "dadaptation" else _without("AdamW")
        yield option, f"The optimiser {optimizer_name(settings)}", package, same
    module = _PACKAGE_OF.get(str(settings["network_module"]).partition(".")[0])
    if module:
        fix = "Use one of the trainer's own modules, `networks.lora` for example."
        yield "network_module", f"network_module {settings['network_module']}", module, fix
    if settings["xformers"]:
        yield "xformers", "xformers", "xformers", 'Write `"sdpa": true` in its place: it is as fast, and part of torch.'
    yield from _log_needs(settings)
    if settings["deepspeed"]:
        yield "deepspeed", "deepspeed", "deepspeed", "Take `deepspeed` out."
    yield from _attention_needs(settings)


def _log_needs(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    log_with = settings["log_with"]
    if log_with in ("wandb", "all"):
        yield "log_with", f"log_with {log_with}", "wandb", 'Write `"log_with": "tensorboard"`.'
    # Unset means TensorBoard where there is a folder for it, and a run always has one. accelerate leaves a tracker out
    # whose package is missing, so that no log would be kept and nothing said.
    if log_with in (None, "tensorboard", "all"):
        what = "The log of the training (log_with tensorboard)"
        yield "log_with", what, "tensorboard", "`kohyatpl trainer install` puts it back."


def _without(optimizer: str) -> str:
    return f'Write `"optimizer_type": "{optimizer}"`, or another one that is there.'


def _attention_needs(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    sdpa = 'Write `"attn_mode": "torch"`.'
    packages = {"xformers": "xformers", "flash": "flash-attn", "sageattn": "sageattention"}
    mode = settings["attn_mode"]
    if mode in packages:
        yield "attn_mode", f"attn_mode {mode}", packages[mode], sdpa
    if settings["use_flash_attn"]:
        yield "use_flash_attn", "use_flash_attn", "flash-attn", "Take `use_flash_attn` out."
    if settings["use_sage_attn"]:
        yield "use_sage_attn", "use_sage_attn", "sageattention", "Take `use_sage_attn` out."


def _wandb_problems(settings: Settings) -> Iterator[Problem]:
    if settings["log_with"] not in ("wandb", "all") or "WANDB_API_KEY" in settings.secrets:
        return
    env = {**os.environ, **settings.block.env}
    netrc = Path(env.get("NETRC") or Path.home() / ".netrc")
    if env.get("WANDB_API_KEY") or env.get("WANDB_MODE") in ("offline", "disabled") or _knows_wandb(netrc):
        return
    yield Problem(
        "config.wandb.key",
        "log_with wandb needs a key, and there is none: wandb would ask for it, and nobody would answer.",
        settings.where("log_with"),
        "Set the environment variable WANDB_API_KEY, or run `wandb login`; `WANDB_MODE=offline` needs none.",
        "warning",
    )


def _knows_wandb(netrc: Path) -> bool:
    try:
        return "api.wandb.ai" in netrc.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def known_packages() -> frozenset[str] | None:
    """Returns what the trainer's environment has: what lies in it, was installed into it, or would be installed.

    None where none of it can be read; that is said elsewhere.
    """
    try:
        paths = TrainerPaths.of(load_pin())
        marker = json.loads(paths.marker_path.read_bytes())
        environment = read_environment(paths)
        return frozenset(marker["packages"] if environment is None else environment.versions)
    except (OSError, ValueError, KeyError, TypeError, TrainerError):
        pass
    try:
        return locked_packages(load_lock())
    except TrainerError:
        return None


def package_build_problems(settings: Settings, environment: TrainerEnvironment) -> Iterator[Problem]:
    """Yields what the config asks for and is there, but was not built for the PyTorch that is there.

    xformers is built for one release of PyTorch and ends on any other; bitsandbytes carries a library for each CUDA
    version, and fails at its first use where the right one is missing.
    """
    torch = environment.torch()
    if torch is None:
        return
    wanted = _PINNED_TORCH.search(environment.metadata("xformers")) if _uses_xformers(settings) else None
    if wanted and wanted.group(1) != torch.version.partition("+")[0]:
        version = environment.versions["xformers"]
        option = "xformers" if settings["xformers"] else "attn_mode"
        yield Problem(
            "trainer.package.build",
            f"xformers {version} is built for PyTorch {wanted.group(1)}, and the trainer's is {torch.version}.",
            settings.where(option),
            'Write `"sdpa": true` in its place: it is as fast, and part of torch.'
            if settings["xformers"]
            else 'Write `"attn_mode": "torch"`.',
        )
    if torch.cuda is None or not optimizer_path(settings).startswith("bitsandbytes."):
        return
    libraries = sorted((environment.site_dir / "bitsandbytes").glob("libbitsandbytes_cuda*"))
    number = "".join(map(str, numbers_of(torch.cuda)))
    if libraries and not any(path.stem == f"libbitsandbytes_cuda{number}" for path in libraries):
        yield Problem(
            "trainer.package.build",
            f"The optimiser {optimizer_name(settings)} is of bitsandbytes {environment.versions.get('bitsandbytes')}, "
            f"which has no library for the CUDA {torch.cuda} of the trainer's PyTorch.",
            settings.where("use_8bit_adam" if settings["use_8bit_adam"] else "optimizer_type"),
            _without("AdamW"),
        )


def _uses_xformers(settings: Settings) -> bool:
    return bool(settings["xformers"]) or settings["attn_mode"] == "xformers"
