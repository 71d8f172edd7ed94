"""What is known of a run while it is live, put together from its events: no clock, no terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from loratpl.run.phases import TRAINING

# So many points are kept of the loss, however long the run is: more than the widest panel has columns.
TREND_POINTS = 256
# Faster steps than this are taken together: the times of events are in whole milliseconds.
MIN_SAMPLE_S = 0.1
PACE_SAMPLES = 100
# A rate is told from so many samples; until there are as many after a pause, the one before it holds.
ENOUGH_SAMPLES = 3
# What took so many times as long as the others was no step alone: a validation, workers that start anew.
OUTLIER_FACTOR = 5.0


class Trend:
    """The course of a number over a whole run, in few points: when they become too many, each two become one."""

    def __init__(self, max_points: int = TREND_POINTS) -> None:
        self._max_points = max_points
        self._points: list[float] = []
        self._per_point = 1
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        """Takes one more number in."""
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count == self._per_point:
            self._points.append(self._sum / self._count)
            self._sum, self._count = 0.0, 0
        if len(self._points) == self._max_points:
            halves = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [(one + other) / 2 for one, other in halves]
            self._per_point *= 2

    def points(self, count: int) -> list[float]:
        """Returns the course in at most `count` points.

        >>> trend = Trend()
        >>> for value in (1.0, 3.0, 5.0, 7.0):
        ...     trend.add(value)
        >>> trend.points(2), trend.points(9)
        ([2.0, 6.0], [1.0, 3.0, 5.0, 7.0])
        """
        points = self._points
        if len(points) <= count:
            return list(points)
        cuts = [round(index * len(points) / count) for index in range(count + 1)]
        return [_mean(points[begin:end]) for begin, end in pairwise(cuts)]


class Pace:
    """How long a step takes now: from the last steps, without pauses and without what only looks like a step."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=PACE_SAMPLES)
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None
        self._newest: tuple[int, float] | None = None
        self._before_pause: float | None = None

    def step(self, number: int, time: float) -> None:
        """Takes in that a step ended at a time in seconds."""
        self._first, self._newest = self._first or (number, time), (number, time)
        if self._last is not None:
            steps, seconds = number - self._last[0], time - self._last[1]
            if 0 <= seconds < MIN_SAMPLE_S and steps > 0:
                return
            if steps > 0 and seconds > 0:
                self._samples.append((seconds, steps))
        self._last = (number, time)

    def pause(self) -> None:
        """Takes in that something other than training goes on; what comes after it may be of another pace."""
        self._before_pause = self.seconds_per_step
        self._samples.clear()
        self._last = None

    @property
    def seconds_per_step(self) -> float | None:
        """The pace, None before there is one."""
        if self._before_pause is not None and len(self._samples) < ENOUGH_SAMPLES:
            return self._before_pause
        if not self._samples:
            return self._over_all()
        paces = sorted(seconds / steps for seconds, steps in self._samples)
        limit = OUTLIER_FACTOR * paces[len(paces) // 2]
        kept = [sample for sample in self._samples if sample[0] / sample[1] <= limit]
        return sum(seconds for seconds, _ in kept) / sum(steps for _, steps in kept)

    def _over_all(self) -> float | None:
        """With a pause after each step there is nothing better."""
        if self._first is None or self._newest is None or self._newest[0] <= self._first[0]:
            return None
        return max(0.0, self._newest[1] - self._first[1]) / (self._newest[0] - self._first[0])


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint or a state: its name, after which step and when it was saved, or why it was not."""

    name: str
    step: int
    time: float
    error: str = ""


class RunView:
    """A run as its events tell it; takes events of any shape, for a file of them may be damaged.

    Attributes:
        total: Steps of the whole training, None before it is known.
        begins_at: Unix time of the first event, as `phase_begins_at` is of the phase's.
        first_step: The step that the training goes on from, 0 where it begins.
        epoch_steps: Steps of an epoch, as far as that is known.
    """

    def __init__(self) -> None:
        self.run_id = ""
        self.trainer_pid: int | None = None
        self.device = ""
        self.phase = ""
        self.begins_at: float | None = None
        self.phase_begins_at: float | None = None
        self.step, self.first_step = 0, 0
        self.stepped_at: float | None = None
        self.total: int | None = None
        self.epochs: int | None = None
        self.epochs_done = 0
        self.epoch_steps: float | None = None
        self.loss: float | None = None
        self.average_loss: float | None = None
        self.trend, self.pace = Trend(), Pace()
        self.checkpoint: Saved | None = None
        self.state: Saved | None = None
        self.problems = 0
        self.last_problem = ""
        self._takers: dict[str, Callable[[Mapping[str, Any], float], None]] = {
            "run": self._take_run,
            "training": self._take_training,
            "phase": self._take_phase,
            "step": self.take_step,
            "epoch": self._take_epoch,
            "checkpoint": self._take_checkpoint,
            "state": self._take_state,
            "problem": self._take_problem,
        }

    @property
    def epoch(self) -> int | None:
        """The epoch in progress, counted from 1; None where that is not known."""
        if self.epochs_done or not self.epoch_steps:
            epoch = self.epochs_done + 1
        else:
            epoch = int(max(self.step - 1, 0) / self.epoch_steps) + 1
        return None if self.epochs is None else min(epoch, self.epochs)

    def enter(self, phase: str, time: float) -> None:
        """Takes in that another phase has begun."""
        if phase != self.phase:
            self.phase, self.phase_begins_at = phase, time
            if phase != TRAINING:
                self.pace.pause()

    def feed(self, event: Mapping[str, Any]) -> None:
        """Takes in one event."""
        time = _number(event, "time") or 0.0
        if self.begins_at is None and time:
            self.begins_at = time
        kind = event.get("event")
        taker = self._takers.get(kind) if isinstance(kind, str) else None
        if taker is not None:
            taker(event, time)

    def take_step(self, event: Mapping[str, Any], time: float) -> None:
        """Takes in a step."""
        number = _whole(event, "step")
        if number is None:
            return
        self.step, self.stepped_at = number, time
        self.loss, self.average_loss = _number(event, "loss"), _number(event, "average_loss")
        self.pace.step(number, time)
        if self.loss is not None:
            self.trend.add(self.loss)

    def _take_run(self, event: Mapping[str, Any], time: float) -> None:
        run_id = event.get("run_id")
        self.run_id = run_id if isinstance(run_id, str) else ""
        self.begins_at = time
        self.trainer_pid = _whole(event, "trainer_pid")
        self.total, self.epochs = _whole(event, "total_steps"), _whole(event, "epochs")
        self.first_step = self.step = _whole(event, "start_step") or 0
        per_epoch = _whole(event, "steps_per_epoch")
        if per_epoch:
            self.epoch_steps = per_epoch
        elif self.total and self.epochs:
            self.epoch_steps = self.total / self.epochs

    def _take_training(self, event: Mapping[str, Any], _time: float) -> None:
        self.device = str(event.get("device") or "")
        self.total = _whole(event, "max_train_steps") or self.total
        self.step = _whole(event, "step") or self.step

    def _take_phase(self, event: Mapping[str, Any], time: float) -> None:
        phase = event.get("phase")
        if isinstance(phase, str):
            self.enter(phase, time)

    def _take_epoch(self, event: Mapping[str, Any], _time: float) -> None:
        self.epochs_done = _whole(event, "epoch") or self.epochs_done

    def _take_checkpoint(self, event: Mapping[str, Any], time: float) -> None:
        self.checkpoint = Saved(_name(event, "path"), _whole(event, "step") or self.step, time)

    def _take_state(self, event: Mapping[str, Any], time: float) -> None:
        error = event.get("error")
        saved = Saved(_name(event, "state_dir"), _whole(event, "step") or self.step, time, str(error or ""))
        self.pace.pause()
        self.state = saved

    def _take_problem(self, event: Mapping[str, Any], _time: float) -> None:
        self.problems += 1
        self.last_problem = str(event.get("message") or event.get("code") or "")


# Beyond every time and loss.
MAX_NUMBER = 1e15


def _whole(event: Mapping[str, Any], key: str) -> int | None:
    value = event.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(event: Mapping[str, Any], key: str) -> float | None:
    value = event.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) <= MAX_NUMBER else None  # neither NaN nor infinite


def _name(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return PurePath(value).name if isinstance(value, str) else ""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
