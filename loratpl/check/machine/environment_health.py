"""What has happened to the trainer's environment since it was installed; told by its files alone."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.check.machine.trainer_environment import TrainerEnvironment, read_environment
from loratpl.errors import Problem
from loratpl.trainer.paths import TrainerPaths

if TYPE_CHECKING:
    from loratpl.trainer.status import Marker

_REPAIR = "`kohyatpl trainer install` puts it right."
# Without these the trainer starts all the same; a config that asks for one is told so apart (packages.py).
_OPTIONAL = frozenset({
    "bitsandbytes", "lion-pytorch", "prodigyopt", "prodigy-plus-schedule-free", "pytorch-optimizer", "schedulefree",
    "tensorboard-data-server", "peft",
})  # fmt: skip
_JUDGED_APART = "tensorboard"  # every training needs it, and check/machine/packages.py says what for
_SHOWN = 4
_CONFIG = "pyvenv.cfg"
# The folders whose import takes most of a start; what is true of them is true of the rest.
_SAMPLED = (
    "torch", "torch/nn/modules", "torch/optim", "torchvision", "transformers", "transformers/utils", "diffusers",
    "diffusers/models", "accelerate", "accelerate/utils", "huggingface_hub", "numpy",
)  # fmt: skip
_PYC_HEADER = struct.Struct("<4sIII")  # magic, flags, and of the source: time of change, size (PEP 552)
_PYTHON_NAME = re.compile(r"python(\d+\.\d+)")


def environment_problems(paths: TrainerPaths, marker: Marker, env: Mapping[str, str]) -> Iterator[Problem]:
    """Yields what is wrong with an installed environment beyond what `trainer status` tells without asking it.

    Args:
        paths: Of the installation.
        marker: What was installed.
        env: The environment variables that a training will have.
    """
    if not marker.packages:  # nothing was installed into it that could have changed
        return
    environment = read_environment(paths)
    if environment is None and not (paths.venv_dir / _CONFIG).exists():
        return  # all of it is gone, or it is none of ours; the interpreter is what `trainer status` looks for
    broken = _broken(paths, environment)
    if environment is None or broken:
        where, message = str(paths.venv_dir), broken or "The trainer's environment has no packages in it."
        yield Problem("trainer.environment.broken", message, where, _REPAIR)
        return
    yield from _package_problems(environment, marker)
    yield from _byte_code_problems(environment, marker, env)


def _broken(paths: TrainerPaths, environment: TrainerEnvironment | None) -> str | None:
    if not paths.python_path.is_file():
        return None  # `trainer status` says so
    try:
        lines = (paths.venv_dir / _CONFIG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "The trainer's environment has lost its pyvenv.cfg: its interpreter would not find its packages."
    values = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    home = values.get("home", "")
    if not Path(home).is_dir():
        return f"The trainer's environment was made from the Python in {home}, which is gone."
    if environment is None:
        return None
    # A system that replaces its Python lets the environment's link lead to another version, which looks elsewhere.
    real = _PYTHON_NAME.match(paths.python_path.resolve().name)
    own = _PYTHON_NAME.match(environment.site_dir.parent.name)
    if real and own and real.group(1) != own.group(1):
        return (
            f"The trainer's environment was made for Python {own.group(1)}, and its interpreter is Python "
            f"{real.group(1)} now: it would not find its packages."
        )
    return None


def _package_problems(environment: TrainerEnvironment, marker: Marker) -> Iterator[Problem]:
    there, where = environment.versions, str(environment.site_dir)
    missing = [name for name in marker.packages if name not in there and name != _JUDGED_APART]
    changed = [
        f"{name} is {there[name]} and was installed as {version}"
        for name, version in marker.packages.items()
        if name in there and there[name] != version
    ]
    if missing:
        is_needed = any(name not in _OPTIONAL for name in missing)
        message = f"The trainer's environment has lost {_some(missing)}."
        yield Problem("trainer.environment.changed", message, where, _REPAIR, "error" if is_needed else "warning")
    if changed:
        yield Problem(
            "trainer.environment.changed",
            f"Somebody has changed packages of the trainer's environment: {_some(changed)}. What is checked and "
            "planned here was proven with the installed ones.",
            where,
            _REPAIR,
            "warning",
        )


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return f"{', '.join(texts[:_SHOWN])}{more}"


def _byte_code_problems(environment: TrainerEnvironment, marker: Marker, env: Mapping[str, str]) -> Iterator[Problem]:
    """Importing the trainer takes 4 s with byte code and 14 s without, and again at every start that cannot keep it."""
    if not _lacks_byte_code(environment.site_dir, marker.python, env):
        return
    if env.get("PYTHONDONTWRITEBYTECODE"):
        cost = "and PYTHONDONTWRITEBYTECODE keeps it so: every start takes about 10 s longer"
    elif not os.access(environment.site_dir, os.W_OK):
        cost = "and you may not write there: every start takes about 10 s longer"
    else:
        cost = "so that the next start takes about 10 s longer"
    yield Problem(
        "trainer.environment.byte_code",
        f"The packages of the trainer's environment are not compiled to byte code, {cost}.",
        str(environment.site_dir),
        f'Run `"{environment.paths.python_path}" -m compileall -q -q -j 0 "{environment.site_dir}"`.',
        "warning",
    )


def _lacks_byte_code(site_dir: Path, python: str, env: Mapping[str, str]) -> bool:
    """Returns whether most of the modules that a start imports have no byte code, or one of another source."""
    tag = "cpython-" + "".join(python.split(".")[:2])
    sources = compiled = 0
    for name in _SAMPLED:
        found = _modules(site_dir / name)
        kept = _byte_code_dir(site_dir / name, env)
        codes = set(_names(kept))
        sources += len(found)
        compiled += sum(f"{module}.{tag}.pyc" in codes for module in found)
        if "__init__" in found and _is_stale(site_dir / name / "__init__.py", kept / f"__init__.{tag}.pyc"):
            compiled -= len(found)  # copied without its times: the whole folder counts as changed
    return sources > 0 and compiled < sources / 2


def _modules(folder: Path) -> list[str]:
    return [name.removesuffix(".py") for name in _names(folder) if name.endswith(".py")]


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _byte_code_dir(folder: Path, env: Mapping[str, str]) -> Path:
    prefix = env.get("PYTHONPYCACHEPREFIX")
    return Path(prefix, *folder.parts[1:]) if prefix else folder / "__pycache__"


def _is_stale(source: Path, code: Path) -> bool:
    try:
        with code.open("rb") as file:
            _, flags, changed_at, size_bytes = _PYC_HEADER.unpack(file.read(_PYC_HEADER.size))
        stat = source.stat()
    except (OSError, struct.error):
        return False  # missing, which is counted apart
    if flags & 1:  # compared by a hash, which is not worked out here
        return False
    return (changed_at, size_bytes) != (int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF)
