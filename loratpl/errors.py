"""What can go wrong, and the exit code each kind of it has.

::

    KohyatplError
    ├── UsageError      2   the command line
    ├── ConfigError     3   the config file
    ├── ProjectError    4   the project's folders, the pictures, the plan
    ├── TrainerError    5   the pinned checkout, its environment, the machine
    ├── RunError        6   the training failed, or what came out is not what was planned
    ├── BusyError       7   another run or install holds the lock
    └── StoppedError    130 / 143 / 129   Ctrl-C, SIGTERM, SIGHUP

Every one of them carries problems; `error_from` picks the class when the problems are of several kinds.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Severity = Literal["error", "warning"]


class ExitCode(enum.IntEnum):
    """What the shell sees; docs/reference.md lists them for users."""

    DONE = 0
    BUG = 1
    USAGE = 2
    CONFIG = 3
    PROJECT = 4
    TRAINER = 5
    RUN = 6
    BUSY = 7
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: what is wrong, where, and what mends it.

    Attributes:
        code: Stable, dotted; its first word is one of `EXIT_CODE_OF`'s keys.
        message: What is wrong and why it matters, in whole sentences.
        where: A path relative to the project, a config key with its line, or "" where no place can be named.
        fix: One sentence that says what to do; a command in backticks where there is one.
        severity: An error stops the command, a warning does not.
    """

    code: str
    message: str
    where: str = ""
    fix: str = ""
    severity: Severity = "error"


# The first word of a problem's code decides the exit code.
EXIT_CODE_OF = {
    "usage": ExitCode.USAGE,
    "config": ExitCode.CONFIG,
    "project": ExitCode.PROJECT,
    "dataset": ExitCode.PROJECT,
    "plan": ExitCode.PROJECT,
    "machine": ExitCode.TRAINER,
    "trainer": ExitCode.TRAINER,
    "run": ExitCode.RUN,
}


class KohyatplError(Exception):
    """The base of all errors that a user can mend; shown without a traceback.

    `data` is what the command's JSON shall hold all the same, the record of a failed run for example.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, *problems: Problem, data: Mapping[str, Any] | None = None) -> None:
        super().__init__("\n".join(problem.message for problem in problems))
        self.problems = problems
        self.data: Mapping[str, Any] = data or {}


class UsageError(KohyatplError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class ConfigError(KohyatplError):
    """The config cannot be read, or says something that the trainer would reject or ignore."""

    exit_code = ExitCode.CONFIG


class ProjectError(KohyatplError):
    """The project's folders or pictures are not what a training needs."""

    exit_code = ExitCode.PROJECT


class TrainerError(KohyatplError):
    """The checkout or its environment is missing, wrong or unhealthy."""

    exit_code = ExitCode.TRAINER


class RunError(KohyatplError):
    """The training failed, or what came out is not what was planned."""

    exit_code = ExitCode.RUN


class BusyError(KohyatplError):
    """Another run, rename or install holds the lock."""

    exit_code = ExitCode.BUSY


class StoppedError(KohyatplError):
    """The user or the system asked to stop; `exit_code` follows the signal (128 + its number)."""

    def __init__(self, signal_number: int, *problems: Problem, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(*problems, data=data)
        self.stop_code = 128 + signal_number


_CLASS_OF: dict[ExitCode, type[KohyatplError]] = {
    kind.exit_code: kind for kind in (UsageError, ConfigError, ProjectError, TrainerError, RunError)
}


def exit_code_of(problems: Iterable[Problem]) -> ExitCode:
    """Returns the exit code of these problems: the lowest of their errors' codes, DONE without errors.

    >>> exit_code_of([Problem("dataset.empty", "no pictures"), Problem("config.key.unknown", "typo")])
    <ExitCode.CONFIG: 3>
    >>> exit_code_of([Problem("trainer.missing", "none", severity="warning")])
    <ExitCode.DONE: 0>
    """
    codes = [EXIT_CODE_OF[p.code.partition(".")[0]] for p in problems if p.severity == "error"]
    return min(codes, default=ExitCode.DONE)


def error_from(problems: Iterable[Problem], *, data: Mapping[str, Any] | None = None) -> KohyatplError:
    """Returns the error that carries all these problems, of the class of the lowest exit code among them."""
    found = tuple(problems)
    return _CLASS_OF[exit_code_of(found)](*found, data=data)


def raise_errors(problems: Iterable[Problem]) -> None:
    """Raises the fitting `KohyatplError` with every problem when at least one of them is an error."""
    found = tuple(problems)
    if any(problem.severity == "error" for problem in found):
        raise error_from(found)
