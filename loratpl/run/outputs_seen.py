"""Which of the planned files are there by now: a file under its final name is a whole one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl.plan.outputs import PlannedFile
from loratpl.run.samples import SampleNames


@dataclass
class OutputsSeen:
    """Finds checkpoints and sample pictures as they appear; what was there at the start is none of them.

    Attributes:
        planned: Every weights file of the plan.
        sample_dir: Where the trainer draws its samples.
        sample_names: How it names them.
    """

    planned: Sequence[PlannedFile]
    sample_dir: Path
    sample_names: SampleNames
    _checkpoints: dict[Path, int] = field(default_factory=dict)
    _samples: set[str] = field(default_factory=set)
    last_checkpoint: Path | None = None

    def __post_init__(self) -> None:
        self._checkpoints = {file.path: _changed_at(file.path) for file in self.planned}
        self._samples = set(_names(self.sample_dir))

    def new_checkpoints(self, last_step: int) -> Iterator[dict[str, Any]]:
        """Yields an event for each planned file that was written since the last look.

        Args:
            last_step: The last one that was reported; a checkpoint is written before its step is.
        """
        for file in self.planned:
            if file.step > last_step + 1:
                return
            changed_at = _changed_at(file.path)
            if changed_at > self._checkpoints[file.path]:
                self._checkpoints[file.path] = changed_at
                self.last_checkpoint = file.path
                size_bytes = file.path.stat().st_size
                yield {"event": "checkpoint", "path": str(file.path), "step": file.step, "size_bytes": size_bytes}

    def new_samples(self, last_step: int) -> Iterator[dict[str, Any]]:
        """Yields an event for each picture that was drawn since the last look.

        Args:
            last_step: The last one that was reported: all that is known of a picture whose name is not the trainer's.
        """
        names = sorted(set(_names(self.sample_dir)) - self._samples)
        self._samples.update(names)
        for name in names:
            place = self.sample_names.place_of(name)
            known = {"step": last_step} if place is None else {"step": place[0], "prompt": place[1]}
            yield {"event": "sample", "path": str(self.sample_dir / name), **known}


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.suffix == ".png"]
    except OSError:
        return []
