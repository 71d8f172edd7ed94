"""A loss that leaves its level, told from one that is only noisy."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

import pytest

from loratpl.errors import Problem
from loratpl.run.watchdog.divergence import Divergence

# What healthy trainings look like: per step, of a batch of one, with timesteps drawn at random.
Loss = Callable[[random.Random], float]


def of_a_timestep(source: random.Random) -> float:
    return (0.003 + 0.6 * math.exp(-4.5 * source.random())) * math.exp(source.gauss(0, 0.45))


def lognormal(source: random.Random) -> float:
    return 0.1 * math.exp(source.gauss(0, 1.1))


def calm(source: random.Random) -> float:
    return 0.1 * math.exp(source.gauss(0, 0.2))


def of_two_kinds_of_pictures(source: random.Random) -> float:
    return source.choice((0.03, 0.3)) * math.exp(source.gauss(0, 0.5))


def with_spikes(source: random.Random) -> float:
    return calm(source) * (1000 if source.random() < 0.01 else 1)


def told(losses: Iterable[float | None]) -> tuple[int, Problem] | None:
    """Returns the step at which a series is told, and what is said."""
    judge = Divergence()
    for step, loss in enumerate(losses, 1):
        problem = judge.take({"event": "step", "step": step, "loss": loss})
        if problem is not None:
            return step, problem
    return None


@pytest.mark.parametrize("loss", [of_a_timestep, lognormal, calm, of_two_kinds_of_pictures, with_spikes])
def test_noise_alone_is_no_divergence(loss: Loss) -> None:
    for seed in range(8):
        source = random.Random(seed)
        assert told(loss(source) for _ in range(3000)) is None


def test_a_loss_that_falls_is_no_divergence() -> None:
    source = random.Random(3)
    assert told(3 * lognormal(source) * math.exp(-step / 500) for step in range(2000)) is None


@pytest.mark.parametrize("loss", [of_a_timestep, lognormal, calm])
@pytest.mark.parametrize("start", [60, 300, 2000])
@pytest.mark.parametrize(
    "after",
    [
        pytest.param(lambda _loss, source, _step: math.exp(source.gauss(0, 0.1)), id="stuck at 1"),
        pytest.param(lambda loss, source, step: 5 * 1.01**step * loss(source), id="five times and rising"),
    ],
)
def test_a_loss_that_leaves_its_level_is_told_within_a_hundred_steps(
    loss: Loss, start: int, after: Callable[[Loss, random.Random, int], float]
) -> None:
    for seed in range(5):
        source = random.Random(seed)
        healthy = [loss(source) for _ in range(start)]
        found = told([*healthy, *(after(loss, source, step) for step in range(300))])
        assert found is not None
        assert start < found[0] <= start + 100


def test_a_slow_rise_is_told_as_well() -> None:
    source = random.Random(1)
    found = told(calm(source) * 1.002**step for step in range(3000))
    assert found is not None
    assert found[0] < 1000


def test_it_says_which_level_was_left_and_what_to_do_and_only_once() -> None:
    judge = Divergence()
    losses = [0.1] * 100 + [1.0] * 200
    events = [{"event": "step", "step": step, "loss": loss} for step, loss in enumerate(losses, 1)]
    (problem,) = [found for event in events if (found := judge.take(event))]
    assert (problem.code, problem.severity) == ("run.loss.diverges", "warning")
    assert "times the 0.1 " in problem.message
    assert "learning rate" in problem.fix


def test_what_is_no_loss_is_passed_over() -> None:
    losses: list[float | None] = [None, math.nan, math.inf, 0.0] * 100
    assert told(losses) is None
    assert Divergence().take({"event": "epoch", "epoch": 1, "average_loss": 3.0}) is None
