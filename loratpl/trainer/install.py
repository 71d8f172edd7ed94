"""Installs the trainer: built beside, checked, moved into place, the marker last."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from loratpl.errors import BusyError, Problem, TrainerError
from loratpl.trainer.checkout import SourceFiles, copy_checkout, fetch_checkout
from loratpl.trainer.environment import installed_versions, locked_versions, make_environment, parse_options
from loratpl.trainer.failures import ROOM_FIX
from loratpl.trainer.paths import PinPaths, TrainerPaths
from loratpl.trainer.pin import Pin, load_lock
from loratpl.trainer.status import Marker, TrainerStatus, status_at
from loratpl.trainer.stopping import stopped_by_signals
from loratpl.trainer.torch_choice import AUTO, choose_torch, require_choice

SOURCE_VARIABLE = "KOHYATPL_SD_SCRIPTS"
COMFORTABLE_BYTES = 8_000_000_000
Progress = Callable[[str], None]


def source_from_environment() -> Path | None:
    """Returns the checkout that `KOHYATPL_SD_SCRIPTS` names."""
    named = os.environ.get(SOURCE_VARIABLE)
    return Path(named).expanduser() if named else None


def install(pin: Pin, source_dir: Path | None, progress: Progress, *, torch: str = AUTO) -> TrainerStatus:
    """Returns the status of the trainer once it is installed.

    A healthy installation is left as it is. Two installs at once: the second waits and then finds the work done.

    Args:
        pin: What to install.
        source_dir: A checkout of it; fetched from its home when None.
        progress: Is told what is going on.
        torch: Which build of PyTorch, see `choose_torch`.

    Raises:
        UsageError: `torch` cannot be understood.
        TrainerError: It cannot be installed; nothing counts as installed then that did not before.
        StoppedError: A signal asked for the end; the same holds.
    """
    require_choice(torch)
    paths = TrainerPaths.of(pin)
    with installing(pin, paths, progress):
        return _install_locked(pin, paths, source_dir, progress, torch)


@contextlib.contextmanager
def installing(pin: Pin, paths: TrainerPaths, progress: Progress) -> Iterator[None]:
    """Holds the lock of installs, after having waited for whoever holds it.

    Raises:
        TrainerError: There is no environment for this Python, or the disk does not take what the body writes.
        StoppedError: A signal asked for the end.
    """
    import filelock

    if not pin.allows_this_python():
        raise _python_out_of_range(pin)
    try:
        paths.root_dir.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(paths.lock_path)
        with stopped_by_signals(paths.root_dir):
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                progress("another install is at work; waiting for it")
                lock.acquire()
            try:
                yield
            finally:
                lock.release()
    except OSError as error:
        raise TrainerError(
            Problem(
                "trainer.install.disk",
                f"The trainer cannot be written to {paths.root_dir.parent}: {error.strerror or error}.",
                str(error.filename or paths.root_dir),
                ROOM_FIX,
            )
        ) from error


def remove(pin: Pin) -> int:
    """Returns how many bytes were freed by removing the installed trainer; 0 when there was none.

    Raises:
        BusyError: Somebody installs at this moment.
        TrainerError: A file cannot be removed.
    """
    return remove_at(TrainerPaths.of(pin))


def remove_at(paths: TrainerPaths) -> int:
    """Returns as `remove` how many bytes were freed, of any commit's installation."""
    import filelock

    if not any(folder.exists() for folder in (paths.root_dir, *_leftovers(paths))):
        return 0
    try:
        with filelock.FileLock(paths.lock_path, timeout=0):
            # The marker first: what is left of an interrupted removal does not count as installed.
            paths.marker_path.unlink(missing_ok=True)
            folders = [folder for folder in (paths.root_dir, *_leftovers(paths)) if folder.exists()]
            freed_bytes = sum(size_bytes(folder) for folder in folders)
            for folder in folders:
                shutil.rmtree(folder)
            return freed_bytes
    except filelock.Timeout as error:
        raise being_installed(paths) from error
    except OSError as error:
        raise TrainerError(
            Problem(
                "trainer.install.disk",
                f"The trainer cannot be removed: {error.filename}: {error.strerror or error}.",
                str(error.filename or paths.root_dir),
                "End every training that uses it, then run the command again.",
            )
        ) from error


def being_installed(paths: TrainerPaths) -> BusyError:
    """Returns what is said to whoever would change an installation that somebody else is at."""
    message = "The trainer is being installed right now."
    return BusyError(Problem("run.busy", message, str(paths.lock_path), "Wait until it is done."))


def size_bytes(folder: Path) -> int:
    """Returns how many bytes the files below a folder have."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _install_locked(
    pin: Pin, paths: TrainerPaths, source_dir: Path | None, progress: Progress, torch: str
) -> TrainerStatus:
    found = status_at(paths, pin)
    if found.is_ready:
        progress("already installed")
        return found
    remove_leftovers(paths)
    try:
        partial = new_attempt(paths)
        marker = _build(pin, partial, source_dir, paths.install_log_path, progress, torch)
        move_into_place(partial, paths, marker)
    finally:
        remove_leftovers(paths)
    return status_at(paths, pin)


def new_attempt(paths: TrainerPaths) -> TrainerPaths:
    """Returns a place of its own: what a killed install has left running may write into that one's for a moment."""
    attempt = TrainerPaths(paths.partial.root_dir / secrets.token_hex(4))
    attempt.root_dir.mkdir(parents=True)
    return attempt


def remove_leftovers(paths: TrainerPaths) -> None:
    """Removes what killed installs left; the lock of installs must be held."""
    for folder in _leftovers(paths):
        shutil.rmtree(folder, ignore_errors=True)


def _leftovers(paths: TrainerPaths) -> tuple[Path, ...]:
    """Of other commits as well: the lock is one for all of them."""
    endings = (paths.partial.root_dir.suffix, paths.replaced_dir.suffix)
    return tuple(folder for ending in endings for folder in paths.root_dir.parent.glob(f"*{ending}"))


def move_into_place(partial: TrainerPaths, paths: TrainerPaths, marker: Marker) -> None:
    """Makes what was built the installation at `paths`; what was there before is put aside."""
    if paths.root_dir.exists():
        paths.root_dir.rename(paths.replaced_dir)
    partial.marker_path.write_text(marker.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.root_dir.rename(paths.root_dir)


def _build(
    pin: Pin, partial: TrainerPaths, source_dir: Path | None, log_path: Path, progress: Progress, torch: str
) -> Marker:
    lock = load_lock()
    wanted = locked_versions(lock)
    manifest_path = PinPaths.in_force().manifest_path
    free_bytes = shutil.disk_usage(partial.root_dir).free
    if free_bytes < COMFORTABLE_BYTES:
        progress(f"only {free_bytes / 1e9:.1f} GB are free there; a build for CUDA needs about 6 GB, one for CPUs 2")
    if source_dir is None:
        progress(f"fetching sd-scripts {pin.short_commit} from {pin.url} (about 15 MB)")
        files = fetch_checkout(partial.source_dir, pin, progress)
    else:
        progress(f"copying sd-scripts {pin.short_commit} from {source_dir}")
        files = copy_checkout(source_dir, partial.source_dir, pin)
    choice = choose_torch(torch, wanted)
    with log_path.open("wb") as log:
        make_environment(partial, lock, choice, log.write, progress)
    progress("asking all seven training scripts for their options")
    if parse_options(partial, pin) != manifest_path.read_text(encoding="utf-8"):
        raise TrainerError(
            Problem(
                "trainer.options.differ",
                "The installed trainer has other options than this version of kohyatpl was made for.",
                str(manifest_path),
                "Reinstall kohyatpl; its files and its pin do not belong together.",
            )
        )
    return marker_of(pin, partial, wanted, source=str(source_dir or pin.url), torch=choice.name, files=files)


def marker_of(
    pin: Pin, paths: TrainerPaths, wanted: Iterable[str], *, source: str, torch: str, files: SourceFiles
) -> Marker:
    """Returns the marker of what was built at `paths`; of its packages those that are `wanted` are written down.

    Raises:
        TrainerError: The environment does not tell its versions.
    """
    versions = installed_versions(paths)
    if versions is None:
        raise TrainerError(
            Problem(
                "trainer.environment.broken",
                "The new environment does not answer.",
                str(paths.venv_dir),
                "Try again.",
            )
        )
    return Marker(
        commit=pin.commit,
        torch=torch,
        source=source,
        installed_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        python=versions["python"],
        packages={name: versions["packages"][name] for name in sorted(wanted) if name in versions["packages"]},
        hashes=dict(files.hashes),
        left_out=list(files.left_out),
    )


def _python_out_of_range(pin: Pin) -> TrainerError:
    import platform

    low, high = (".".join(map(str, version)) for version in (pin.python_min, pin.python_max))
    return TrainerError(
        Problem(
            "trainer.python",
            f"The trainer's environment exists for Python {low} to {high}; this is Python {platform.python_version()}.",
            "python",
            f"Run kohyatpl with one of these, for example `python{high} -m pip install kohyatpl`.",
        )
    )
