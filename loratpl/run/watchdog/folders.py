"""Folders that are removed while they are written to.

The trainer makes its output folder again at each saving. TensorBoard's writer does not: it opens its file by name at
every step, and the training ends with the first that finds no folder (sd-scripts 48d368fa with tensorboard 2.15 and
later). So the folders of the log are made again, in time where a step takes longer than a look.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loratpl.errors import Problem
from loratpl.project import RunPaths
from loratpl.run.watchdog.finding import shown


class FolderWatch:
    """Looks at the folders that the run writes to; tells once of each."""

    def __init__(self, output_dir: Path, paths: RunPaths, base_dir: Path) -> None:
        self._output_dir, self._paths, self._base_dir = output_dir, paths, base_dir
        self._logged: tuple[Path, ...] = ()
        self._was_there: set[Path] = set()
        self._told: set[Path] = set()

    def take(self, event: Mapping[str, Any]) -> None:
        """Learns with the first step which folders TensorBoard's writers use."""
        if event.get("event") == "step" and not self._logged:
            self._logged = (self._paths.run_dir, *_folders_below(self._paths.tensorboard_dir))

    def look(self) -> Iterator[Problem]:
        """Yields a warning for what is gone, and makes the folders of the log again."""
        if self._is_gone(self._output_dir):
            yield self._output_gone()
        gone = [folder for folder in self._logged if self._is_gone(folder)]
        if gone:
            self._told.update(gone)
            yield self._log_gone(gone[0], is_back=_make(gone))

    def _is_gone(self, folder: Path) -> bool:
        if folder.is_dir():
            self._was_there.add(folder)
            self._told.discard(folder)
            return False
        return folder in self._was_there and folder not in self._told

    def _output_gone(self) -> Problem:
        self._told.add(self._output_dir)
        name = shown(self._output_dir, self._base_dir)
        return Problem(
            "run.folder.gone",
            f"{name} was removed while the training writes to it: the checkpoints that were in it are gone with it. "
            "The trainer makes the folder again when it saves.",
            name,
            "Bring the checkpoints back from where they were moved to; if the folder was a disk that has been taken "
            "away, stop (Ctrl-C) and go on with `kohyatpl run --resume` when it is there again.",
            "warning",
        )

    def _log_gone(self, folder: Path, *, is_back: bool) -> Problem:
        name = shown(folder, self._base_dir)
        return Problem(
            "run.folder.gone",
            f"{name} was removed while the training writes to it, with the log so far, and the state to resume from if "
            f"it lay there. {_BACK if is_back else _LOST}",
            name,
            "Put back what was moved away; a new state is saved when the next one is due, or at once with Ctrl-C.",
            "warning",
        )


_BACK = "It was made again; if a step fell in between, the trainer ends on it."
_LOST = "It cannot be made again: the trainer ends with the next step."


def _make(folders: Sequence[Path]) -> bool:
    """Makes folders again and returns whether all of them are there."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
    return all(folder.is_dir() for folder in folders)


def _folders_below(folder: Path) -> list[Path]:
    """Returns a folder and all folders below it, in the order in which they can be made."""
    return [Path(place) for place, _, _ in os.walk(folder)]
