"""The trainer at another commit than the original pin's: its environment, its options, its packages frozen."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from loratpl.errors import Problem, TrainerError
from loratpl.trainer.checkout import SourceFiles, listed
from loratpl.trainer.environment import locked_versions, make_environment, parse_options
from loratpl.trainer.manifest import SCRIPTS
from loratpl.trainer.paths import ORIGINAL_PIN, TrainerPaths
from loratpl.trainer.pin import Pin, load_lock
from loratpl.trainer.requirements import (
    CarriedLock,
    carried_over,
    frozen_lock,
    installed_packages,
    requirement_lines,
)
from loratpl.trainer.torch_choice import TorchChoice, choose_torch

REQUIREMENTS_NAME = "requirements.txt"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuiltCommit:
    """What was built.

    Attributes:
        pin: The commit, with what it requires.
        manifest, lock: The texts of its manifest and of its environment lock.
        torch: The name of the build of PyTorch that was chosen.
        notes: What of its requirements was not carried over and why, a sentence each.
    """

    pin: Pin
    manifest: str
    lock: str
    torch: str
    notes: tuple[str, ...]


def build_commit(
    pin: Pin, files: SourceFiles, partial: TrainerPaths, original: Pin, progress: Progress, *, torch: str
) -> BuiltCommit:
    """Returns what was built at `partial`, where the commit's files are already.

    Args:
        pin: The commit.
        files: What of it is there.
        partial: Where.
        original: The pin that kohyatpl comes with, whose lock is the one that is changed.
        progress: Is told what is going on.
        torch: Which build of PyTorch, see `choose_torch`.

    Raises:
        TrainerError: kohyatpl cannot drive that commit, or its packages cannot be had.
    """
    _refuse_missing_scripts(pin, (*files.hashes, *files.left_out))
    requirements, others = _requirements(partial.source_dir)
    pin = replace(pin, requirements=requirements)
    carried = carried_over(load_lock(ORIGINAL_PIN.lock_path), original.requirements, requirements)
    choice = choose_torch(torch, locked_versions(carried.text()))
    _make_environment(partial, carried, choice, TrainerPaths.of(pin).install_log_path, progress)
    progress("asking all seven training scripts for their options")
    manifest = _manifest_of(partial, pin)
    lock = frozen_lock(carried, installed_packages(partial), _header(pin))
    return BuiltCommit(pin, manifest, lock, choice.name, (*carried.notes, *map(_other_line, others)))


def _refuse_missing_scripts(pin: Pin, names: tuple[str, ...]) -> None:
    missing = [script for script in SCRIPTS if script not in names]
    if missing:
        raise TrainerError(
            Problem(
                "trainer.pin.scripts",
                f"Commit {pin.short_commit} lacks training scripts that kohyatpl drives: {listed(missing)}.",
                pin.commit,
                "Choose a later commit; `kohyatpl trainer pin` says which one is in force.",
            )
        )


def _requirements(source_dir: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    path = source_dir / REQUIREMENTS_NAME
    try:
        return requirement_lines(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainerError(
            Problem(
                "trainer.pin.requirements",
                f"The commit has no {REQUIREMENTS_NAME} that can be read, so nobody knows its packages: {error}.",
                REQUIREMENTS_NAME,
                "Choose another commit; in a sparse checkout, add the file to what is checked out.",
            )
        ) from error


def _make_environment(
    partial: TrainerPaths, carried: CarriedLock, choice: TorchChoice, log_path: Path, progress: Progress
) -> None:
    with log_path.open("wb") as log:
        try:
            make_environment(partial, carried.text(), choice, log.write, progress)
        except TrainerError as error:
            if not carried.is_changed or any(found.code != "trainer.environment.packages" for found in error.problems):
                raise
        else:
            return
        progress("the commit's packages do not go with all of our versions; looking for others")
        _clear(partial)
        make_environment(partial, carried.loosened(), choice, log.write, progress)


def _clear(partial: TrainerPaths) -> None:
    """Deletes everything but the trainer's files."""
    for path in partial.root_dir.iterdir():
        if path.is_file():
            path.unlink()
        elif path != partial.source_dir:
            shutil.rmtree(path)


def _manifest_of(partial: TrainerPaths, pin: Pin) -> str:
    """Asking the parsers proves the environment too: they import everything that a training does."""
    try:
        return parse_options(partial, pin)
    except ValueError as error:
        raise _options_unreadable(pin, str(error)) from error
    except TrainerError as error:
        raise _options_unreadable(pin, error.problems[0].message) from error


def _options_unreadable(pin: Pin, reason: str) -> TrainerError:
    return TrainerError(
        Problem(
            "trainer.pin.options",
            f"The options of the scripts at {pin.short_commit} are not such as kohyatpl knows: {reason.rstrip('.')}.",
            pin.commit,
            "Choose another commit; the pin in force has not changed.",
        )
    )


def _header(pin: Pin) -> str:
    now = datetime.now(timezone.utc).date()
    return (
        f"The environment of sd-scripts {pin.commit}, as it was installed on {now}\n"
        f"with Python {platform.python_version()} on {platform.system()} {platform.machine()}."
    )


def _other_line(line: str) -> str:
    return f"The line `{line}` names no package; it was left out."
