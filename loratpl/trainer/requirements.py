"""The environment lock for another commit: ours, with what that commit's requirements.txt changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loratpl import process
from loratpl.errors import Problem, TrainerError
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.torch_choice import PACKAGES

ANSWER_TIMEOUT_S = 60.0

# The trainer's name of a package that our lock has by another one (docs/development.md, "The environment lock").
_OURS = {"opencv-python": "opencv-python-headless"}
# Why a package of our lock is newer than the trainer asks for; another commit may raise it, not lower it.
_AT_LEAST_OURS = {"safetensors": "from 0.8.0 on it writes atomically, so that a kill while saving destroys nothing"}

_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*([^;]*?)\s*(;.*)?")
_COMMENT = re.compile(r"(^|\s)#.*$")
_VERSION = re.compile(r"\d+(?:\.\d+)*")
# Without a version the old one that `venv` brings on Python 3.10 and 3.11 would do.
_IN_NEW_ENVIRONMENTS = ("setuptools",)
# The package that is the trainer itself: its scripts run where they lie.
_ITSELF = ("-e .", ".")

_DISTRIBUTIONS_CODE = (
    "import importlib.metadata as m, json; "
    "print(json.dumps([[d.name, d.version, d.requires or []] for d in m.distributions()]))"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One package that is asked for.

    Attributes:
        name: As our lock has it.
        extras, versions, marker: The rest of the line: "[torch]", "==0.32.1", "; sys_platform != 'darwin'".
    """

    name: str
    extras: str
    versions: str
    marker: str

    def line(self, *, with_versions: bool = True) -> str:
        """Returns the line for an installer."""
        versions = self.versions if with_versions else ""
        return f"{self.name}{self.extras}{versions}{f' {self.marker}' if self.marker else ''}"


@dataclass(frozen=True, slots=True)
class CarriedLock:
    """What to install for another commit.

    Attributes:
        packages: By name.
        asked_for: The names that the commit's own requirements have.
        is_changed: Whether anything differs from our lock.
        notes: What was not carried over and why, a sentence each.
    """

    packages: Mapping[str, Requirement]
    asked_for: frozenset[str]
    is_changed: bool
    notes: tuple[str, ...]

    def text(self) -> str:
        """Returns the requirements, a line each."""
        return "".join(f"{package.line()}\n" for package in self.packages.values())

    def loosened(self) -> str:
        """Returns the requirements without the versions that only other packages ask for.

        Ours fit the original's packages; others may need others.
        """
        fixed = {*self.asked_for, *PACKAGES, *_AT_LEAST_OURS, *_IN_NEW_ENVIRONMENTS}
        packages = self.packages.values()
        return "".join(f"{package.line(with_versions=package.name in fixed)}\n" for package in packages)


def normalised(name: str) -> str:
    """Returns the name of a package as indexes compare it.

    >>> normalised("Lion_PyTorch")
    'lion-pytorch'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_lines(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    r"""Returns the packages that a requirements.txt asks for, and its lines that are something else.

    >>> requirement_lines("numpy # <=2.0\n# note\n-e .\n-r more.txt\ndiffusers[torch]==0.32.1\n")
    (('numpy', 'diffusers[torch]==0.32.1'), ('-r more.txt',))
    """
    lines = [_COMMENT.sub("", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if line and line not in _ITSELF]
    packages = tuple(line for line in lines if _REQUIREMENT.fullmatch(line))
    return packages, tuple(line for line in lines if line not in packages)


def _parsed(lines: Iterable[str]) -> dict[str, Requirement]:
    found = (_REQUIREMENT.fullmatch(line.strip()) for line in lines)
    parts = ([part or "" for part in match.groups()] for match in found if match)
    requirements = (
        Requirement(_OURS.get(normalised(name), normalised(name)), extras, "".join(versions.split()), marker)
        for name, extras, versions, marker in parts
    )
    return {requirement.name: requirement for requirement in requirements}


def carried_over(lock: str, original: Sequence[str], other: Sequence[str]) -> CarriedLock:
    """Returns our lock with the differences between two commits' requirements.

    Args:
        lock: The lock that kohyatpl comes with; it differs from the original's requirements on purpose.
        original: What the commit asks for that kohyatpl comes with.
        other: What the other commit asks for.
    """
    packages = _parsed(line for line in lock.splitlines() if not line.startswith("#"))
    before, after = _parsed(original), _parsed(other)
    notes: list[str] = []
    is_changed = False
    for name in before.keys() - after.keys() - {*PACKAGES, *_AT_LEAST_OURS}:
        is_changed |= packages.pop(name, None) is not None
    for name, wanted in after.items():
        if before.get(name) == wanted:
            continue
        ours = packages.get(name)
        reason = _kept_reason(wanted, ours)
        if reason is not None:
            notes.append(reason)
            continue
        marker = wanted.marker or (ours.marker if ours else "")
        packages[name] = Requirement(name, wanted.extras, wanted.versions, marker)
        is_changed = True
    return CarriedLock(packages, frozenset(after), is_changed, tuple(notes))


def _kept_reason(wanted: Requirement, ours: Requirement | None) -> str | None:
    """Returns why our version stays, None when the other commit's is taken."""
    if ours is None:
        return None
    if wanted.name in PACKAGES:
        return (
            f"The commit asks for {wanted.line()}; the environment has {ours.line()}. "
            "Another PyTorch is chosen with `--torch`."
        )
    if wanted.name in _AT_LEAST_OURS and _newest(wanted.versions) <= _newest(ours.versions):
        return f"{ours.line()} stays, where the commit asks for {wanted.line()}: {_AT_LEAST_OURS[wanted.name]}."
    return None


def _newest(versions: str) -> tuple[int, ...]:
    return max((tuple(map(int, version.split("."))) for version in _VERSION.findall(versions)), default=())


def frozen_lock(carried: CarriedLock, installed: Sequence[tuple[str, str, Sequence[str]]], header: str) -> str:
    """Returns the lock of what is installed.

    Packages that come with PyTorch alone are left out, since each build of it brings others.

    Args:
        carried: What was asked for.
        installed: Name, version and requirements of each package of the environment.
        header: What stands above, without the comment signs.
    """
    versions = {normalised(name): version.partition("+")[0] for name, version, _ in installed}
    needs = {
        normalised(name): {normalised(match.group(1)) for line in lines if (match := _REQUIREMENT.match(line))}
        for name, _, lines in installed
    }
    kept = {name: version for name, version in versions.items() if name in _reachable(carried.packages, needs)}
    lines = []
    for name in sorted({*kept, *carried.packages}):
        asked = carried.packages.get(name)
        marker = f" {asked.marker}" if asked and asked.marker else ""
        if name in kept:
            lines.append(f"{name}=={kept[name]}{marker}")
        elif asked and marker and asked.versions.startswith("=="):  # for another system than this one
            lines.append(f"{name}{asked.versions}{marker}")
    return "".join(f"{line}\n" for line in (*(f"# {line}" for line in header.splitlines()), *lines))


def _reachable(roots: Iterable[str], needs: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += () if name in PACKAGES else needs.get(name, ())
    return reached - {"pip"}


def installed_packages(paths: TrainerPaths) -> list[tuple[str, str, list[str]]]:
    """Returns name, version and requirements of each package of an environment.

    Raises:
        TrainerError: It does not answer.
    """
    try:
        answer = process.run_short([paths.python_path, "-I", "-c", _DISTRIBUTIONS_CODE], timeout_s=ANSWER_TIMEOUT_S)
        rows: list[list[Any]] = json.loads(answer.stdout)
    except (OSError, ValueError, process.ProcessTimeoutError) as error:
        raise TrainerError(
            Problem(
                "trainer.environment.broken",
                f"The new environment does not answer: {error}.",
                str(paths.venv_dir),
                "Run the command again.",
            )
        ) from error
    return [(name, version, requires) for name, version, requires in rows]
