"""Caches that the trainer made of mended files: they are not of the originals, and go when these come back."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from loratpl.dataset.scan import IMAGE_EXTENSIONS
from loratpl.fix.caches import FolderCaches
from loratpl.fix.log import Done, FixRun


class DerivedCaches:
    """The caches that a run's undoing takes out; what the run itself had taken out is put back, and never one."""

    def __init__(self, run: FixRun) -> None:
        self._originals_dir = run.originals_dir
        self._own: dict[str, set[str]] = defaultdict(set)
        for action in run.actions:
            self._own[action.folder].update(change.source for change in action.changes if change.source)
        self._caches: dict[Path, FolderCaches] = {}

    def drop(self, folder: Path, action: Done) -> None:
        """Takes out the caches of what an action changed, unless that is put back already.

        Raises:
            OSError: The disk refuses.
        """
        for change in action.changes:
            is_changed = change.kept is not None and change.source is not None and change.target is not None
            if not is_changed or not os.path.lexists(self._originals_dir / (change.kept or "")):
                continue
            for name in {change.source or "", change.target or ""}:
                for cache in self._of(folder, name):
                    if cache not in self._own[action.folder]:
                        (folder / cache).unlink(missing_ok=True)

    def _of(self, folder: Path, name: str) -> tuple[str, ...]:
        if folder not in self._caches:
            self._caches[folder] = FolderCaches(os.listdir(folder))  # noqa: PTH208 - names
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - the trainer's rule
        is_picture = suffix.lower() in IMAGE_EXTENSIONS
        return self._caches[folder].of_pixels(stem) if is_picture else self._caches[folder].of_caption(stem)
