"""How long a training will take, from runs of the same machine that were like it.

A step is taken to last in proportion to the pixels that it sees (resolution and batch). That is near enough for batches
and for small changes of the resolution; attention grows faster than its pictures, and the start of each kernel does not
grow at all, so the further away a run was the wider the range becomes. So it does for every setting that differs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from loratpl.config.settings import Settings
from loratpl.plan.disk.samples import planned_samples
from loratpl.plan.outputs import planned_files
from loratpl.plan.pace.facts import UNKNOWN_DEVICE, Facts, Pace, facts_of, pixels_to_cache
from loratpl.plan.planner import TrainingPlan

# By how much a setting that differs may change a step, as a factor: nothing that is measured, but wide enough.
DOUBTS = {
    "mixed_precision": 3.0,
    "fp8": 2.0,
    "precision": 1.8,
    "trained_parts": 1.6,
    "gradient_checkpointing": 1.5,
    "attention": 1.6,
    "blocks_to_swap": 1.6,
    "cache_latents": 1.6,
    "torch_compile": 1.5,
    "threads": 1.6,
    "network_module": 1.3,
    "cache_text_encoder_outputs": 1.3,
    "optimizer_type": 1.2,
    "network_dim": 1.15,
    "train_batch_size": 1.1,
    "gradient_accumulation_steps": 1.1,
}
# A step is between pixels ** 0.7 and pixels ** 1.3.
_PIXELS_DOUBT_EXPONENT = 0.3
# What may be off by more than this is no prediction.
MAX_DOUBT = 4.0
# Runs are alike whose doubt is this near to the best one's.
_AS_GOOD = 1.1
MAX_RUNS = 5
# Steps follow each other in heat and in what else the machine does: no more than so many count as independent.
_INDEPENDENT_STEPS = 9
# No run repeats itself better than this, and the fewer steps were timed the less is known of those that follow: the
# machine gets warm, and other programs come and go.
_LEAST_SPREAD = 0.03
_SPREAD_OF_ONE_STEP = 0.3
# Loading and saving depend on the disk and on what it still has in memory.
_FIXED_SPREAD = 1.3


@dataclass(frozen=True, slots=True)
class Course:
    """What a training consists of besides the kind of its steps; `samples` is how often sample images are drawn."""

    steps: int
    epochs: int
    checkpoints: int
    samples: int
    cached_px: float


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """How long a training will take.

    Attributes:
        seconds: In all, between `low_s` and `high_s`.
        step_s: Of one step.
        start_s: Until the first step begins.
        steps: How many are to be done.
        runs: How many runs it is taken from.
        newest: The day of the last of them, YYYY-MM-DD.
        differences: What was different there, "train_batch_size 2".
        scale: Pixels of a step, as a multiple of those of the runs.
        left_out: What will take time and is not in it.
        is_measured: It comes from a run that was made for it.
    """

    seconds: float
    low_s: float
    high_s: float
    step_s: float
    start_s: float
    steps: int
    runs: int
    newest: str
    differences: tuple[str, ...] = ()
    scale: float = 1.0
    left_out: tuple[str, ...] = ()
    is_measured: bool = False

    def as_json(self) -> dict[str, Any]:
        """Returns the estimate as other programs read it."""
        return {
            "seconds": round(self.seconds, 1),
            "low_s": round(self.low_s, 1),
            "high_s": round(self.high_s, 1),
            "step_s": round(self.step_s, 4),
            "start_s": round(self.start_s, 1),
            "runs": self.runs,
            "newest": self.newest,
            "differences": list(self.differences),
            "scale": round(self.scale, 3),
            "left_out": list(self.left_out),
            "measured": self.is_measured,
        }


def estimate_time(settings: Settings, plan: TrainingPlan, history: Sequence[Pace], device: str) -> TimeEstimate | None:
    """Returns how long a plan will take on a device, None without a run that was like it.

    Args:
        settings: Resolved and without errors.
        plan: Made for these settings.
        history: As the store has it, the newest last.
        device: Of `this_device`; where that is unknown, what the newest run was trained on.
    """
    if device == UNKNOWN_DEVICE and history:
        device = history[-1].facts.device
    return estimate(facts_of(settings, plan, device), course_of(settings, plan), history)


def course_of(settings: Settings, plan: TrainingPlan) -> Course:
    """Returns what the training of a plan consists of."""
    samples = planned_samples(settings, plan)
    return Course(
        steps=plan.total_steps,
        epochs=plan.epochs,
        checkpoints=len(planned_files(settings, plan)) - 1,
        samples=0 if samples.prompts == () else len(samples.steps),
        cached_px=pixels_to_cache(settings, plan),
    )


@dataclass(frozen=True, slots=True)
class _Likeness:
    """A run beside what is to be predicted; `doubt` is the factor by which its steps may mislead."""

    pace: Pace
    scale: float
    differences: tuple[str, ...]
    doubt: float

    @property
    def step_s(self) -> float:
        return self.pace.step_s * self.scale

    def low_step_s(self) -> float:
        return self.step_s * (1 - self._spread(self.pace.step_s - self.pace.low_step_s)) / self.doubt

    def high_step_s(self) -> float:
        return self.step_s * (1 + self._spread(self.pace.high_step_s - self.pace.step_s)) * self.doubt

    def _spread(self, distance_s: float) -> float:
        independent = math.sqrt(min(self.pace.steps, _INDEPENDENT_STEPS))
        seen = distance_s / self.pace.step_s / independent
        return max(seen, _SPREAD_OF_ONE_STEP / math.sqrt(self.pace.steps), _LEAST_SPREAD)


def estimate(facts: Facts, course: Course, history: Iterable[Pace]) -> TimeEstimate | None:
    """Returns how long a training of these facts will take, None without a run that was like it."""
    likenesses = [found for pace in history if (found := _likeness(pace, facts)) is not None]
    if not likenesses:
        return None
    likenesses.sort(key=lambda found: found.pace.time, reverse=True)
    best = min(likenesses, key=lambda found: found.doubt)
    alike = [f for f in likenesses if f.differences == best.differences and f.doubt <= best.doubt * _AS_GOOD]
    return _from_runs(alike[:MAX_RUNS], course)


def _likeness(pace: Pace, facts: Facts) -> _Likeness | None:
    run = pace.facts
    if any(getattr(run, name) != getattr(facts, name) for name in ("family", "device", "processes", "tiny_unet")):
        return None
    names = [name for name in DOUBTS if getattr(run, name) != getattr(facts, name)]
    scale = facts.pixels_per_step / run.pixels_per_step
    doubt = math.prod(DOUBTS[name] for name in names) * max(scale, 1 / scale) ** _PIXELS_DOUBT_EXPONENT
    if doubt > MAX_DOUBT:
        return None
    return _Likeness(pace, scale, tuple(_told(name, getattr(run, name)) for name in names), doubt)


def _told(name: str, value: object) -> str:
    """What a run had: "train_batch_size 2", "no gradient_checkpointing", "sdpa".

    >>> _told("network_dim", 8), _told("cache_latents", True), _told("attention", "sdpa"), _told("fp8", "")
    ('network_dim 8', 'cache_latents', 'sdpa', 'no fp8')
    """
    if value in ("", 0, False):
        return f"no {name}"
    if value is True:
        return name
    return str(value) if name in ("attention", "fp8", "precision", "gradient_checkpointing") else f"{name} {value}"


def _from_runs(runs: Sequence[_Likeness], course: Course) -> TimeEstimate:
    paces = [run.pace for run in runs]
    starts = [pace.load_s + _caching_s(pace, course) for pace in paces]
    pauses_s, left_out = _pauses(paces, course)
    step_s = median(run.step_s for run in runs)
    fixed_s = median(starts) + pauses_s
    fixed_low_s = (min(starts) + pauses_s) / _FIXED_SPREAD
    fixed_high_s = (max(starts) + pauses_s) * _FIXED_SPREAD
    return TimeEstimate(
        seconds=fixed_s + course.steps * step_s,
        low_s=fixed_low_s + course.steps * min(run.low_step_s() for run in runs),
        high_s=fixed_high_s + course.steps * max(run.high_step_s() for run in runs),
        step_s=step_s,
        start_s=median(starts),
        steps=course.steps,
        runs=len(runs),
        newest=max(pace.time for pace in paces).astimezone().date().isoformat(),
        differences=runs[0].differences,
        scale=median(run.scale for run in runs),
        left_out=left_out,
    )


def _caching_s(pace: Pace, course: Course) -> float:
    return pace.caching_s * course.cached_px / pace.cached_px if pace.cached_px else 0.0


def _pauses(paces: Sequence[Pace], course: Course) -> tuple[float, tuple[str, ...]]:
    """Seconds between and after the steps, and what of them no run can tell."""
    end_s = _median_of(pace.end_s for pace in paces)
    checkpoint_s = _median_of(pace.checkpoint_s for pace in paces)
    checkpoint_s = end_s if checkpoint_s is None else checkpoint_s  # which is a checkpoint and a little more
    sample_s = _median_of(pace.sample_s for pace in paces)
    epoch_s = _median_of(pace.epoch_s for pace in paces)
    total_s = (end_s or 0.0) + (epoch_s or 0.0) * max(course.epochs - 1, 0)
    total_s += (checkpoint_s or 0.0) * course.checkpoints + (sample_s or 0.0) * course.samples
    left_out = []
    if course.checkpoints and checkpoint_s is None:
        left_out.append("checkpoints")
    if course.samples and sample_s is None:
        left_out.append("sample images")
    return total_s, tuple(left_out)


def _median_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
