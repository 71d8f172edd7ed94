"""The user's own pin: its three files replace kohyatpl's together, by one rename, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from loratpl.trainer.paths import PinPaths
from loratpl.trainer.pin import Pin, pin_text


def put_in_force(pin: Pin, manifest: str, lock: str) -> None:
    """Writes the files of a pin and puts them in force; killed at any moment, one whole pin is.

    The lock of installs must be held.
    """
    own = PinPaths.of_user()
    _settle(own)
    own.partial.root_dir.mkdir(parents=True)
    _write(own.partial.pin_path, pin_text(pin))
    _write(own.partial.manifest_path, manifest)
    _write(own.partial.lock_path, lock)
    if os.path.lexists(own.root_dir):
        own.root_dir.rename(own.replaced.root_dir)
    own.partial.root_dir.rename(own.root_dir)
    _discard(own.replaced)


def go_back() -> None:
    """Removes the user's own pin, whatever state it is in; kohyatpl's is in force then.

    The lock of installs must be held.
    """
    own = PinPaths.of_user()
    _settle(own)
    _discard(own)


def _settle(own: PinPaths) -> None:
    """Ends what was interrupted, without changing which pin is in force."""
    _delete(own.partial.root_dir)
    _delete(own.discarded.root_dir)
    if os.path.lexists(own.root_dir):
        _discard(own.replaced)
    elif os.path.lexists(own.replaced.root_dir):
        own.replaced.root_dir.rename(own.root_dir)


def _discard(paths: PinPaths) -> None:
    """Deletes a pin; under a name that is never in force, since deleting takes several steps."""
    _delete(paths.discarded.root_dir)
    if os.path.lexists(paths.root_dir):
        paths.root_dir.rename(paths.discarded.root_dir)
        _delete(paths.discarded.root_dir)


def _delete(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
