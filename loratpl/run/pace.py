"""How fast a run was, from what happened in it; kept so that the next one's time can be told beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from loratpl.config.settings import Settings
from loratpl.plan.pace.facts import Pace, device_named, facts_of, pixels_to_cache
from loratpl.plan.pace.store import append_pace
from loratpl.plan.planner import TrainingPlan
from loratpl.project import RunPaths
from loratpl.records import EventReader, Memory
from loratpl.run.phases import CACHING, ENDED, SAMPLING, SAVING, STARTING
from loratpl.trainer.paths import UserPaths

# What is worth keeping: fewer steps say more about the start than about the training.
MIN_STEPS = 10
# The first steps choose algorithms, fill caches and get memory.
_WARMING_UP = 2
# The machine slept, or somebody stopped the process for a while.
_NO_STEP = 10.0
_EPOCH = "epoch"
_STATE = "saving a state"
# What the times of events can tell apart.
_RESOLUTION_S = 1e-3
_AFTER_S = _RESOLUTION_S / 10
_PAUSES = frozenset({SAVING, SAMPLING, _EPOCH})


def keep_pace(settings: Settings, plan: TrainingPlan, paths: RunPaths, note: Callable[[str], None]) -> None:
    """Adds the pace of a run that has ended to this machine's; whatever goes wrong, the run stays what it is."""
    try:
        pace = pace_of(settings, plan, EventReader(paths.events_path).new())
        if pace is not None:
            append_pace(UserPaths.of_user(), pace)
    except Exception as error:  # noqa: BLE001 - the training is over and proven: nothing here may undo that
        note(f"How fast this run was could not be kept: {type(error).__name__}: {error}.")


def memory_of(event: Mapping[str, Any], before: Memory | None = None) -> Memory:
    """Returns the most that a `memory` event and those before it say; what is no number of bytes says nothing.

    A GPU that has failed cannot be asked at the end: what it was known to hold stays known.
    """
    most: dict[str, int | None] = {}
    for name in Memory.model_fields:
        told = (event.get(name), getattr(before, name, None))
        most[name] = max((value for value in told if isinstance(value, int) and value >= 0), default=None)
    return Memory(**most)


def pace_of(
    settings: Settings, plan: TrainingPlan, events: Iterable[Mapping[str, Any]], *, min_steps: int = MIN_STEPS
) -> Pace | None:
    """Returns how fast a run was, None where it did fewer than `min_steps` steps.

    Args:
        settings: What was trained with.
        plan: What was planned for these settings.
        events: Those of the run.
        min_steps: At least 1.
    """
    seen = _Seen()
    for event in events:
        seen.take(event)
    if seen.started_at is None or len(seen.step_times) < max(min_steps, 1):
        return None
    times = _timed(list(_gaps(seen)))
    if not times.steps:
        return None
    memory = seen.memory or Memory()
    load_s, caching_s = _start(seen, times.step_s)
    ordered = sorted(times.steps)
    return Pace(
        time=datetime.fromtimestamp(seen.last_step_at, timezone.utc),
        facts=facts_of(settings, plan, device_named(seen.device)),
        steps=len(ordered),
        step_s=times.step_s,
        median_step_s=median(ordered),
        low_step_s=_share_of(ordered, 0.1),
        high_step_s=_share_of(ordered, 0.9),
        load_s=round(load_s, 3),
        caching_s=round(caching_s, 3),
        cached_px=pixels_to_cache(settings, plan),
        epoch_s=times.pause_s({_EPOCH}),
        checkpoint_s=times.pause_s({SAVING}, {SAVING, _EPOCH}),
        sample_s=times.pause_s({SAMPLING}, {SAMPLING, _EPOCH}),
        end_s=None if seen.ended_at is None else max(0.0, round(seen.ended_at - seen.last_step_at, 3)),
        process_peak_bytes=memory.process_peak_bytes,
        gpu_peak_bytes=memory.gpu_peak_bytes,
    )


@dataclass
class _Seen:
    """What of a run's events its pace is made of; times are in seconds since the epoch."""

    started_at: float | None = None
    training_at: float | None = None
    ended_at: float | None = None
    device: str = ""
    last_step_at: float = 0.0
    step_times: dict[int, float] = field(default_factory=dict)
    phases: list[tuple[float, str]] = field(default_factory=list)
    pauses: list[tuple[float, str]] = field(default_factory=list)
    memory: Memory | None = None

    def take(self, event: Mapping[str, Any]) -> None:
        """Adds one event; one that is not as ours are is passed over."""
        time = event.get("time")
        if not isinstance(time, (int, float)) or not math.isfinite(time):
            return
        kind = event.get("event")
        if kind == "phase":
            self._enter(time, str(event.get("phase")))
        elif kind == "training":
            self.training_at, self.device = time, str(event.get("device"))
        elif kind == "step" and isinstance(event.get("step"), int) and event["step"] > 0:
            # Within an accumulation the number is that of the last update: the first event is the update's.
            self.step_times.setdefault(event["step"], time)
            self.last_step_at = time
        elif kind in ("epoch", "numbers"):  # numbers are those of a validation
            # Told after the last step, though it may bear the same time.
            self.pauses.append((max(time, self.last_step_at + _AFTER_S), _EPOCH))
        elif kind == "state":
            self.pauses.append((time, _STATE))
        elif kind == "memory":
            self.memory = memory_of(event, self.memory)

    def _enter(self, time: float, phase: str) -> None:
        self.phases.append((time, phase))
        if phase == STARTING and self.started_at is None:
            self.started_at = time
        elif phase == ENDED:
            self.ended_at = time
        elif phase in _PAUSES:
            self.pauses.append((time, phase))


class StepSeconds:
    """What each step of a run took, from its events as they come."""

    def __init__(self) -> None:
        self._seen = _Seen()

    def take(self, event: Mapping[str, Any]) -> None:
        """Adds one event."""
        self._seen.take(event)

    def of_steps(self) -> dict[int, float]:
        """Returns the seconds of steps by number: of the run's first step nothing is known.

        Those in which something else was done as well are left out too, unless that is so of every step.
        """
        seen = replace(self._seen, training_at=None)
        plain = {gap.step: gap.seconds for gap in _gaps(seen) if not gap.pauses}
        return plain or {gap.step: gap.seconds for gap in _gaps(seen)}


@dataclass(frozen=True, slots=True)
class _Gap:
    """From one step to the next, which is `step`, and what else was done in it."""

    step: int
    seconds: float
    pauses: frozenset[str] = frozenset()


def _gaps(seen: _Seen) -> Iterator[_Gap]:
    """Yields the time of each step; the first one's, which began with the training, comes first."""
    pauses = sorted(seen.pauses)
    index = 0
    times = sorted(seen.step_times.items())
    if seen.training_at is not None:
        times.insert(0, (times[0][0] - 1, seen.training_at))
    for (before, began), (number, ended) in pairwise(times):
        while index < len(pauses) and pauses[index][0] < began:
            index += 1
        last = index
        while last < len(pauses) and pauses[last][0] < ended:
            last += 1
        if number == before + 1 and ended - began >= _RESOLUTION_S:  # a clock can be put back
            yield _Gap(number, round(ended - began, 3), frozenset(name for _, name in pauses[index:last]))
        index = last


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds of the steps that count, and the gaps that were more than a step."""

    steps: tuple[float, ...]
    step_s: float
    gaps: tuple[_Gap, ...] = ()

    def pause_s(self, *kinds: set[str]) -> float | None:
        """Returns what a pause of one of these kinds adds to a step, None where there was none."""
        added = [gap.seconds - self.step_s for gap in self.gaps if gap.pauses in kinds]
        return max(0.0, round(median(added), 3)) if added else None


def _timed(gaps: Sequence[_Gap]) -> _Times:
    """Without the first steps and those with a pause, as far as there are others."""
    warm = gaps[min(_WARMING_UP, max(len(gaps) - 1, 0)) :]
    plain = [gap for gap in warm if not gap.pauses]
    # Where every step ends an epoch, that is what a step takes.
    counted = plain or [replace(gap, pauses=frozenset()) for gap in warm]
    if not counted:
        return _Times((), 0.0)
    usual_s = median(gap.seconds for gap in counted)
    steps = tuple(gap.seconds for gap in counted if gap.seconds <= _NO_STEP * usual_s)
    return _Times(steps, round(fmean(steps), 6), tuple(gap for gap in warm if gap.pauses) if plain else ())


def _start(seen: _Seen, step_s: float) -> tuple[float, float]:
    """Seconds until the first step began: without the caching of latents, and that alone."""
    _, first_at = min(seen.step_times.items())
    total_s = max(0.0, first_at - (seen.started_at or first_at) - step_s)
    phases = [phase for phase in seen.phases if phase[0] <= first_at]
    ends = [*(time for time, _ in phases[1:]), first_at]
    lasted = {CACHING: 0.0, SAMPLING: 0.0}
    for (began, name), end in zip(phases, ends, strict=False):  # none before the first step: the clock was put back
        if name in lasted:
            lasted[name] += max(0.0, end - began)
    caching_s = min(lasted[CACHING], total_s)
    # Samples drawn before the first step are none of the start; they go on until that step is done.
    sampling_s = min(max(lasted[SAMPLING] - step_s, 0.0), total_s - caching_s)
    return total_s - caching_s - sampling_s, caching_s


def _share_of(ordered: Sequence[float], share: float) -> float:
    """The value below which a share of them lies, the nearest one of them."""
    return ordered[round(share * (len(ordered) - 1))]
