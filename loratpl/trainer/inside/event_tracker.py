"""The tracker that receives the exact numbers of every step from accelerate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from run_events import number
from training_watch import TrainingWatch


def make_tracker_class() -> type[Any]:
    """Returns the tracker class; accelerate is imported here, after the signal handlers are in place."""
    from accelerate.tracking import GeneralTracker

    class EventTracker(GeneralTracker):  # type: ignore[misc]  # accelerate has no types
        """Writes what it is told as events, and ends a training that has gone wrong."""

        name = "kohyatpl"
        requires_logging_directory = False
        main_process_only = True

        def __init__(self, watch: TrainingWatch) -> None:
            super().__init__()
            self._watch = watch

        @property
        def tracker(self) -> EventTracker:
            return self

        def store_init_configuration(self, values: Mapping[str, Any]) -> None:
            """Nothing: the record of the run holds the configuration."""

        def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
            """Writes the numbers of a step or an epoch."""
            numbers = {key: number(value) for key, value in values.items() if isinstance(value, (int, float))}
            if "loss/current" in numbers:
                self._log_step(numbers, step)
                if not math.isfinite(values["loss/current"]):
                    self._watch.break_off(values["loss/current"])
            elif "loss/epoch_average" in numbers:
                self._watch.events.write("epoch", epoch=step, average_loss=numbers["loss/epoch_average"])
            elif numbers:
                self._watch.events.write("numbers", step=step, values=numbers)

        def _log_step(self, numbers: dict[str, float | None], step: int | None) -> None:
            rates = {key.removeprefix("lr/"): value for key, value in numbers.items() if key.startswith("lr/")}
            told = {"step": step, "loss": numbers["loss/current"], "average_loss": numbers.get("loss/average")}
            others = {key: value for key, value in numbers.items() if not key.startswith(("loss/", "lr/"))}
            self._watch.events.write("step", **told, lr=rates, **({"values": others} if others else {}))
            if step is not None:
                self._watch.reach(step)

    return EventTracker
