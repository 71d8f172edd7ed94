"""Steps as they are written down and done; each can be done again where it was interrupted, and nothing is doubled.

The order of a batch: new contents wait beside their files and originals are kept (`prepare`), both are on the disk, the
log says so, and only then everything takes its place (`place`). What was interrupted before the log said so never
happened; what was interrupted after is brought to its end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from loratpl.fix.actions import Action, CannotMendError, Step
from loratpl.fix.files import is_free, is_there, keep, state_of, write_new
from loratpl.fix.log import Change, Done
from loratpl.journal.file import PARKING_PREFIX

_Signature = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An action that can be done at once.

    Attributes:
        folder: Where.
        done: As the log will have it.
        signatures: What its files are known again by, by name: someone may change them meanwhile.
        waiting: Files that were made for it, to be taken away where it is not done.
    """

    folder: Path
    done: Done
    signatures: dict[str, _Signature | None] = field(default_factory=dict)
    waiting: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a run keeps things.

    Attributes:
        originals_dir: For what was there before.
        token: Part of the names of files that wait.
        base_of: For each folder, its path in the log and its place below the originals.
    """

    originals_dir: Path
    token: str
    base_of: dict[Path, tuple[str, str]]

    def prepare(self, number: int, action: Action) -> Prepared:
        """Returns an action whose new contents wait and whose originals are kept; no file has changed.

        Raises:
            CannotMendError: It is not done, for a reason of its files.
            OSError: The disk refuses.
        """
        waiting: list[Path] = []
        signatures: dict[str, _Signature | None] = {}
        try:
            changes = [
                self._prepare_step(action.folder, step, f"{number}-{index}", signatures, waiting)
                for index, step in enumerate(action.steps)
            ]
        except BaseException:
            discard(waiting)
            raise
        done = Done(folder=self.base_of[action.folder][0], text=action.text, changes=changes)
        return Prepared(action.folder, done, signatures, tuple(waiting))

    def _prepare_step(
        self, folder: Path, step: Step, number: str, signatures: dict[str, _Signature | None], waiting: list[Path]
    ) -> Change:
        for name in (step.source, step.target):
            if name is not None and name not in signatures:
                signatures[name] = _signature(folder / name)
        if step.source is not None and signatures[step.source] is None:
            raise CannotMendError("it is gone")
        if step.source is None:
            content = _content(folder / (step.copied_from or ""))
            return self._made(folder, step, step.make(content) if step.make else content, None, number, waiting)
        source = folder / step.source
        if step.target is None:
            is_folder = stat.S_ISDIR(source.lstat().st_mode)
            kept = self._kept(folder, step.source, None if is_folder else waiting)
            return Change(source=step.source, target=None, kept=kept, is_cache=step.is_cache)
        before = state_of(source)
        content = _content(source) if step.make else b""
        new = step.make(content) if step.make else b""
        if new == content:
            return Change(source=step.source, target=step.target, before=before, after=before)
        mode = stat.S_IMODE(source.stat().st_mode)
        change = self._made(folder, step, new, mode, number, waiting)
        kept = self._kept(folder, step.source, waiting)
        return change.model_copy(update={"kept": kept, "before": before})

    def _made(
        self, folder: Path, step: Step, content: bytes, mode: int | None, number: str, waiting: list[Path]
    ) -> Change:
        partial = folder / f"{PARKING_PREFIX}{self.token}-{number}"
        write_new(partial, content, mode)
        waiting.append(partial)
        return Change(source=step.source, target=step.target, partial=partial.name, after=state_of(partial))

    def _kept(self, folder: Path, name: str, waiting: list[Path] | None) -> str:
        """Keeps a file, and returns its place below the originals; a folder is moved there later."""
        place = f"{self.base_of[folder][1]}/{name}"
        kept = self.originals_dir / place
        if waiting is None:
            kept.parent.mkdir(parents=True, exist_ok=True)
        else:
            keep(folder / name, kept)
            waiting.append(kept)
        return place


def place(folder: Path, originals_dir: Path, change: Change, *, is_sure: bool = False) -> bool:
    """Does one change, or the rest of it; returns whether it is done.

    False where somebody else has changed what it was meant for: that is left as it is.

    Args:
        folder: Where its files lie.
        originals_dir: Of the run.
        change: What is done.
        is_sure: Nothing was interrupted, and the files are known to be as they were.

    Raises:
        OSError: The disk refuses.
    """
    source = None if change.source is None else folder / change.source
    target = None if change.target is None else folder / change.target
    if target is None:
        return source is None or _take_out(source, originals_dir / (change.kept or ""))
    if change.partial is None:
        return source is None or source == target or _rename(source, target)
    partial = folder / change.partial
    if source == target:
        return _replace(partial, target, None if is_sure else change.before)
    if os.path.lexists(partial):
        if not is_free(target, source):
            partial.unlink()
            return False
        if source is not None and os.path.lexists(target):  # one name on this disk, and it is kept elsewhere
            source.unlink()
        partial.rename(target)
    is_old = source is not None and os.path.lexists(target) and os.path.lexists(source) and is_there(source, target)
    if source is not None and is_old and (is_sure or state_of(source) == change.before):
        source.unlink()
    return os.path.lexists(target)


def _replace(partial: Path, target: Path, expected: str | None) -> bool:
    """Puts new content in the place of a file, where it waits; `expected` is what the file was, None: not asked."""
    if not os.path.lexists(partial):
        return True
    if expected is not None and state_of(target) != expected:
        partial.unlink()
        return False
    partial.replace(target)
    return True


def _take_out(source: Path, kept: Path) -> bool:
    if not os.path.lexists(source):
        return True
    if source.is_dir() and not source.is_symlink():
        source.rename(kept)
    elif os.path.lexists(kept):
        source.unlink()
    return True


def _rename(source: Path, target: Path) -> bool:
    if not os.path.lexists(source):
        return True
    if not is_free(target, source):
        return False
    source.rename(target)
    return True


def is_unchanged(prepared: Prepared) -> bool:
    """Returns whether the files of an action are still the ones that it was prepared for."""
    return all(_signature(prepared.folder / name) == found for name, found in prepared.signatures.items())


def discard(paths: Iterable[Path]) -> None:
    """Takes away what was made for an action that is not done."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _signature(path: Path) -> _Signature | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise CannotMendError("it is no file any more")
        return path.read_bytes()
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.ENOENT}:
            raise CannotMendError(f"it cannot be read ({error.strerror})") from error
        raise
