"""The numbers that a training told: of its steps, its epochs, its validations and its memory.

Runs that went on from one another are taken in from the first to the last, each up to the state that the next one
went on from; where two tell of the same moment, the later one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loratpl.report.ledger.event_lines import RunPart, number, step_of, whole
from loratpl.report.story.story import EpochMean, MemoryReading, Number, Series, StepNumbers
from loratpl.run.pace import StepSeconds

# The trainer's names of the numbers of whole epochs: their step is the number of the epoch.
_OF_EPOCH = "/epoch_"
# No training has more; a damaged file could make them up.
_MAX_NAMES = 200

# The columns of every step, and what an event calls them; the seconds are known when a run is read to its end.
_FIXED: dict[str, str | None] = {"times": "time", "losses": "loss", "average_losses": "average_loss", "seconds": None}


@dataclass
class Column:
    """One number of each step; None before it was first told, and where it was not."""

    values: list[Number] = field(default_factory=list)

    def put(self, index: int, value: Number) -> None:
        """Sets the number of the step at `index`, which is the last or a later one than any before."""
        values = self.values
        if len(values) != index:
            values.extend([None] * (index - len(values)))
        # Learning rates are the same for thousands of steps: once in memory is enough.
        values.append(values[-1] if values and values[-1] == value else value)

    def told(self, length: int) -> tuple[Number, ...]:
        """Returns the numbers of all steps."""
        return (*self.values, *[None] * (length - len(self.values)))


@dataclass
class Numbers:
    """Gathers the numbers of a training, run by run and event by event.

    Attributes:
        last_step: The last one that the present run told of.
        told: How many of its steps were taken in.
        is_cut: Whether names of numbers were left out, for there were too many.
    """

    last_step: int = 0
    told: int = 0
    is_cut: bool = False
    _steps: list[int] = field(default_factory=list)
    _columns: dict[str, Column] = field(default_factory=lambda: {name: Column() for name in _FIXED})
    _rates: dict[str, Column] = field(default_factory=dict)
    _series: dict[str, dict[int, Number]] = field(default_factory=dict)
    _epochs: dict[int, EpochMean] = field(default_factory=dict)
    _memory: list[MemoryReading] = field(default_factory=list)
    _part: RunPart | None = None
    _seconds: StepSeconds = field(default_factory=StepSeconds)
    _first_index: int = 0

    def begin(self, part: RunPart) -> None:
        """Is told that the events of a run follow."""
        self._part, self._seconds, self._first_index = part, StepSeconds(), len(self._steps)
        self.last_step, self.told = part.after, 0

    def end(self) -> None:
        """Is told that those of the present run are over."""
        seconds = self._seconds.of_steps()
        column = self._columns["seconds"]
        for index in range(self._first_index, len(self._steps)):
            column.put(index, seconds.get(self._steps[index]))

    def take(self, event: Mapping[str, Any]) -> None:
        """Adds one event of the present run."""
        kind = event.get("event")
        if kind == "step":
            self._take_step(event)
            return
        self._seconds.take(event)
        if not self._is_held:
            return
        if kind == "epoch":
            epoch = whole(event.get("epoch"))
            if epoch is not None:
                self._epochs[epoch] = EpochMean(epoch, self.last_step, number(event.get("average_loss")))
        elif kind == "numbers":
            self._take_values(event)
        elif kind == "memory":
            self._take_memory(event)

    @property
    def _is_held(self) -> bool:
        return self._part is not None and self._part.holds(self.last_step)

    def _take_step(self, event: Mapping[str, Any]) -> None:
        step, part = step_of(event), self._part
        # Within an accumulation the number is that of the last update: it is told of with its first event.
        if step is None or part is None or step <= self.last_step:
            return
        self.last_step = step
        if not part.holds(step) or (self._steps and step <= self._steps[-1]):
            return
        self.told += 1
        self._seconds.take(event)
        index = len(self._steps)
        self._steps.append(step)
        for name, key in _FIXED.items():
            if key is not None:
                self._columns[name].put(index, number(event.get(key)))
        rates = event.get("lr")
        for name, value in (rates if isinstance(rates, dict) else {}).items():
            column = self._rates.get(name)
            if column is None:
                if not self._is_room_for(name, self._rates):
                    continue
                column = self._rates[name] = Column()
            column.put(index, number(value))
        if "values" in event:
            self._take_values(event)

    def _take_values(self, event: Mapping[str, Any]) -> None:
        values = event.get("values")
        for name, value in (values if isinstance(values, dict) else {}).items():
            if not self._is_room_for(name, self._series):
                continue
            step = None if _OF_EPOCH in name else whole(event.get("step"))
            self._series.setdefault(name, {})[self.last_step if step is None else step] = number(value)

    def _take_memory(self, event: Mapping[str, Any]) -> None:
        process, gpu = whole(event.get("process_bytes")), whole(event.get("gpu_bytes"))
        time = number(event.get("time"))
        if time is not None and (process is not None or gpu is not None):
            step = whole(event.get("step"))
            self._memory.append(MemoryReading(time, self.last_step if step is None else step, process, gpu))

    def _is_room_for(self, name: str, known: Mapping[str, Any]) -> bool:
        is_room = name in known or len(known) < _MAX_NAMES
        self.is_cut |= not is_room
        return is_room

    # --- what was gathered

    def of_steps(self) -> StepNumbers:
        """Returns the numbers of all steps."""
        length = len(self._steps)
        columns = {name: column.told(length) for name, column in self._columns.items()}
        rates = {name: column.told(length) for name, column in self._rates.items()}
        return StepNumbers(tuple(self._steps), rates=rates, **columns)

    def epochs(self) -> tuple[EpochMean, ...]:
        """Returns the means of the epochs in their order."""
        return tuple(self._epochs[epoch] for epoch in sorted(self._epochs))

    def series(self) -> tuple[Series, ...]:
        """Returns everything else, by the trainer's names."""
        found = []
        for name, points in self._series.items():
            steps = tuple(sorted(points))
            found.append(Series(name, steps, tuple(points[step] for step in steps)))
        return tuple(found)

    def memory(self) -> tuple[MemoryReading, ...]:
        """Returns the readings in the order in which they were told."""
        return tuple(self._memory)
