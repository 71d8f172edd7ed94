"""What is still to be written: planned sizes, and those of what has been written, which are better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loratpl.config.settings import Settings
from loratpl.plan.disk.lora import LoraSize, lora_size
from loratpl.plan.disk.need import state_bytes
from loratpl.plan.outputs import Change, PlannedFile, changes, planned_states
from loratpl.plan.planner import TrainingPlan


@dataclass(frozen=True, slots=True)
class NextSaving:
    """The next time that the trainer saves by itself; `size_bytes` is what it writes before it removes anything."""

    step: int
    size_bytes: int


class Sizes:
    """The bytes of a run's weights files and states, and when they are written; 0 for a size that is not known."""

    def __init__(self, settings: Settings, plan: TrainingPlan, files: Sequence[PlannedFile]) -> None:
        size = lora_size(settings)
        self.file_bytes, self.state_bytes = 0, 0
        if isinstance(size, LoraSize):
            self.file_bytes = size.file_bytes
            self.state_bytes = state_bytes(settings, size, plan.processes) or 0
        self._changes = tuple(changes(files, planned_states(settings, plan)))

    def take(self, event: Mapping[str, Any]) -> None:
        """Learns how large a file or a state has become."""
        size = event.get("size_bytes")
        if not isinstance(size, int) or size <= 0:
            return
        if event.get("event") == "checkpoint":
            self.file_bytes = size
        elif event.get("event") == "state" and event.get("state_dir"):
            self.state_bytes = size

    def next_saving(self, step: int) -> NextSaving | None:
        """Returns what is saved next after a step has been done, None where nothing is."""
        coming = [change for change in self._changes if change.output.step > step and not change.is_removal]
        if not coming:
            return None
        first = min(change.output.step for change in coming)
        return NextSaving(first, sum(self._size(change) for change in coming if change.output.step == first))

    def rest_bytes(self, step: int) -> int:
        """Returns the most by which the files that are written after a step add to what is there, at any time."""
        now = most = 0
        for change in self._changes:
            at = change.output.removed_at if change.is_removal else change.output.step
            if at is not None and at > step:
                now += -self._size(change) if change.is_removal else self._size(change)
                most = max(most, now)
        return most

    def _size(self, change: Change) -> int:
        return self.file_bytes if isinstance(change.output, PlannedFile) else self.state_bytes
