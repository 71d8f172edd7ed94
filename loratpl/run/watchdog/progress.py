"""Where a run is: its phase, its step, and how long steps take."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Any

_STEPS_KEPT = 51


class Progress:
    """What the events of a run say of where it is."""

    def __init__(self) -> None:
        self.phase = ""
        self.step = 0
        self.has_trained = False
        self._changed_at: float | None = None
        self._step_s: deque[float] = deque(maxlen=_STEPS_KEPT)

    @property
    def step_s(self) -> float | None:
        """What a step usually takes in seconds, None before the second one."""
        return median(self._step_s) if self._step_s else None

    def take(self, event: Mapping[str, Any]) -> None:
        """Adds one event."""
        kind = event.get("event")
        if kind == "phase":
            self.phase = str(event.get("phase"))
        elif kind == "step" and isinstance(event.get("step"), int):
            self._enter_step(event["step"], event.get("time"))

    def _enter_step(self, step: int, time: object) -> None:
        # Within an accumulation the number stays that of the last update.
        if (step == self.step and self.has_trained) or not isinstance(time, (int, float)):
            return
        if self._changed_at is not None and time > self._changed_at:  # a clock can be put back
            self._step_s.append(time - self._changed_at)
        self.step, self.has_trained, self._changed_at = step, True, float(time)
