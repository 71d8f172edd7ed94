"""`trainer pin`: another commit is built beside the pin in force and then takes its place, or gives it back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from loratpl.errors import KohyatplError, Problem, TrainerError
from loratpl.trainer import own_pin
from loratpl.trainer.checkout import SourceFiles
from loratpl.trainer.commits import copy_commit, fetch_commit, find_commit
from loratpl.trainer.differences import Differences, differences
from loratpl.trainer.environment import locked_versions
from loratpl.trainer.install import (
    Progress,
    being_installed,
    installing,
    marker_of,
    move_into_place,
    new_attempt,
    remove_leftovers,
)
from loratpl.trainer.manifest import Manifest, load_manifest, parse_manifest
from loratpl.trainer.other_commit import REQUIREMENTS_NAME, build_commit
from loratpl.trainer.paths import ORIGINAL_PIN, PinPaths, TrainerPaths
from loratpl.trainer.pin import Pin, load_lock, load_pin
from loratpl.trainer.status import TrainerStatus, status
from loratpl.trainer.torch_choice import AUTO

_COMMIT_START = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class Repinned:
    """What came of pinning.

    Attributes:
        before, pin: The pin that was in force and the one that is.
        is_original: Whether that is the one that kohyatpl comes with.
        differences: What changed between them.
        trainer: How the trainer of the pin in force is.
        warnings: What the user should know.
    """

    before: Pin
    pin: Pin
    is_original: bool
    differences: Differences
    trainer: TrainerStatus
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _InForce:
    """Everything of a pin that another one is compared with."""

    pin: Pin
    manifest: Manifest
    lock: str

    @classmethod
    def at(cls, paths: PinPaths) -> _InForce:
        return cls(load_pin(paths.pin_path), load_manifest(paths.manifest_path), load_lock(paths.lock_path))


def repin(name: str, source_dir: Path | None, progress: Progress, *, torch: str = AUTO) -> Repinned:
    """Returns what came of putting another commit in force, its trainer installed.

    Args:
        name: A commit id, whole or its beginning, a branch or a tag.
        source_dir: A repository that has it; fetched from the trainer's home when None.
        progress: Is told what is going on.
        torch: Which build of PyTorch, see `choose_torch`.

    Raises:
        TrainerError: There is no such commit, or kohyatpl cannot drive it; the pin in force stays.
        StoppedError: A signal asked for the end; the same holds.
    """
    original = load_pin(ORIGINAL_PIN.pin_path)
    with _telling_how_to_go_on(name), installing(original, TrainerPaths.of(original), progress):
        in_force = _InForce.at(PinPaths.in_force())
        for known in (in_force.pin, original):
            # No network for what is at hand.
            if source_dir is None and _COMMIT_START.fullmatch(name) and known.commit.startswith(name):
                return _known(known, in_force, original)
        return _repin_locked(name, source_dir, progress, torch, in_force, original)


def go_back() -> Repinned:
    """Returns what came of putting the pin in force that kohyatpl comes with.

    Raises:
        BusyError: Somebody installs at this moment.
        TrainerError: The user's pin cannot be removed.
    """
    import filelock

    original = load_pin(ORIGINAL_PIN.pin_path)
    paths = TrainerPaths.of(original)
    if PinPaths.in_force().is_original:
        return _known(original, _InForce.at(ORIGINAL_PIN), original)
    try:
        paths.lock_path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(paths.lock_path, timeout=0):
            try:
                in_force = _InForce.at(PinPaths.in_force())
            except TrainerError:  # what cannot be read can be removed all the same
                in_force = _InForce.at(ORIGINAL_PIN)
            return _known(original, in_force, original)
    except filelock.Timeout as error:
        raise being_installed(paths) from error
    except OSError as error:
        raise TrainerError(
            Problem(
                "trainer.install.disk",
                f"Your own pin cannot be removed: {error.filename}: {error.strerror or error}.",
                str(error.filename or PinPaths.of_user().root_dir),
                f"Make that place writable, or delete {PinPaths.of_user().root_dir} yourself.",
            )
        ) from error


def _known(pin: Pin, in_force: _InForce, original: Pin) -> Repinned:
    """A pin whose files are there already; the original's are kohyatpl's own, never the user's."""
    after = in_force
    is_original = pin.commit == original.commit
    if is_original:
        if not PinPaths.in_force().is_original:
            own_pin.go_back()
        after = _InForce.at(ORIGINAL_PIN)
    changes = differences(in_force.manifest, after.manifest, in_force.lock, after.lock)
    return Repinned(in_force.pin, after.pin, is_original, changes, status(after.pin), ())


def _repin_locked(
    name: str, source_dir: Path | None, progress: Progress, torch: str, in_force: _InForce, original: Pin
) -> Repinned:
    # The name of the folder that it gets in the end is not known before the commit is.
    building = TrainerPaths(TrainerPaths.of(original).root_dir.with_name("pin"))
    remove_leftovers(building)
    try:
        partial = new_attempt(building)
        pin, files = _files(name, source_dir, partial, progress, (in_force.pin, original))
        for known in (in_force.pin, original):
            if pin.commit == known.commit:
                return _known(known, in_force, original)
        return _build(pin, files, partial, str(source_dir or pin.url), progress, torch, in_force, original)
    finally:
        remove_leftovers(building)


def _files(
    name: str, source_dir: Path | None, partial: TrainerPaths, progress: Progress, known: tuple[Pin, Pin]
) -> tuple[Pin, SourceFiles]:
    original = known[1]
    if source_dir is None:
        progress(f"fetching sd-scripts {name} from {original.url} (about 15 MB)")
        return fetch_commit(name, original, partial.source_dir, progress)
    pin = find_commit(name, original, source_dir)
    if pin.commit in (known[0].commit, original.commit):
        return pin, SourceFiles({}, ())
    progress(f"copying sd-scripts {pin.short_commit} from {source_dir}")
    return pin, copy_commit(source_dir, partial.source_dir, pin)


def _build(
    pin: Pin,
    files: SourceFiles,
    partial: TrainerPaths,
    source: str,
    progress: Progress,
    torch: str,
    in_force: _InForce,
    original: Pin,
) -> Repinned:
    built = build_commit(pin, files, partial, original, progress, torch=torch)
    names = (*files.hashes, *files.left_out)
    changes = differences(in_force.manifest, parse_manifest(built.manifest), in_force.lock, built.lock, names)
    packages = locked_versions(built.lock)
    marker = marker_of(built.pin, partial, packages, source=source, torch=built.torch, files=files)
    move_into_place(partial, TrainerPaths.of(pin), marker)
    own_pin.put_in_force(built.pin, built.manifest, built.lock)
    warnings = (_unproven(pin, original), *map(_not_carried, built.notes))
    return Repinned(in_force.pin, built.pin, False, changes, status(built.pin), warnings)


def _unproven(pin: Pin, original: Pin) -> Problem:
    return Problem(
        "trainer.pin.unproven",
        f"kohyatpl's checks and plans were proven with sd-scripts {original.title}; "
        f"at {pin.short_commit} the trainer may do something else than they say.",
        pin.commit,
        "Prove that it trains with `kohyatpl trainer verify`; `kohyatpl trainer pin --original` goes back.",
        "warning",
    )


def _not_carried(note: str) -> Problem:
    return Problem("trainer.pin.package", note, REQUIREMENTS_NAME, severity="warning")


@contextlib.contextmanager
def _telling_how_to_go_on(name: str) -> Iterator[None]:
    """What installs tell to run again is this command here."""
    try:
        yield
    except KohyatplError as error:
        error.problems = tuple(
            replace(found, fix=found.fix.replace("kohyatpl trainer install", f"kohyatpl trainer pin {name}"))
            for found in error.problems
        )
        raise
