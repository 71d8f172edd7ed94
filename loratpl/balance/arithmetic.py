"""The arithmetic of repeats: counts and weights in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

Demand = tuple[int, float]
"""The pictures of a concept (at least 1) and its weight (above 0)."""


def repeats_for(views: float, weight: float, images: int, max_repeats: int | None = None) -> int:
    """Returns the repeats that bring `images` pictures nearest to `views` x `weight` views per epoch.

    That is max(1, round(views x weight / images)) with Python's rounding, as the balancer of the kohya_ss GUI has it.

    >>> repeats_for(5200, 1.0, 28), repeats_for(5200, 1.0, 14), repeats_for(10, 1.0, 400)
    (186, 371, 1)
    """
    repeats = max(1, round(views * weight / images))
    return repeats if max_repeats is None else min(repeats, max_repeats)


def is_within(views: int, target: int, weight: float, tolerance: float) -> bool:
    """Returns whether `views` are off from `target` x `weight` by no more than that share of it.

    >>> is_within(105, 100, 1.0, 0.05), is_within(106, 100, 1.0, 0.05), is_within(200, 100, 2.0, 0.05)
    (True, False, True)
    """
    wanted = target * _exact(weight)
    return abs(views - wanted) <= _exact(tolerance) * wanted


def smallest_epoch(demands: Sequence[Demand]) -> int:
    """Returns the smallest target in which the largest concept can show each of its pictures once.

    >>> smallest_epoch([(28, 1.0), (14, 1.0), (30, 2.0)])
    28
    """
    return max(math.ceil(images / _exact(weight)) for images, weight in demands)


def smallest_target(demands: Sequence[Demand], tolerance: float, max_repeats: int | None = None) -> int | None:
    """Returns the smallest target, from `smallest_epoch` up, at which all concepts are within the tolerance.

    A concept of n pictures and weight w is within the tolerance t of a target T when some r has
    |r n - w T| <= t w T: when T lies in an interval [r n / (w (1 + t)), r n / (w (1 - t))]. These overlap from
    r = (1 - t) / (2 t) on, which is 9.5 for 5 %, so no concept has more gaps than that and the search, which jumps from
    gap to gap, soon ends: at the latest at the largest n / (2 t w), where rounding cannot be off by more than t.

    Args:
        demands: Pictures and weight of each concept.
        tolerance: A share of the target, above 0 and at most 0.5.
        max_repeats: No folder may have more; None is returned where that leaves no such target.

    >>> smallest_target([(28, 1.0), (14, 1.0)], 0.05), smallest_target([(10, 1.0), (7, 1.0)], 0.05)
    (28, 20)
    """
    scaled = [_scaled(images, _exact(weight), _exact(tolerance)) for images, weight in demands]
    target, before = smallest_epoch(demands), 0
    while target != before:
        before = target
        for step, low, high in scaled:
            repeats = target * high // step
            if max_repeats is not None and repeats >= max_repeats:
                if max_repeats * step < target * low:
                    return None
            elif repeats * step < target * low:
                target = -(-(repeats + 1) * step // high)
    return target


def _scaled(images: int, weight: Fraction, tolerance: Fraction) -> tuple[int, int, int]:
    """Returns whole numbers (step, low, high): r repeats are right from target x low <= r x step <= target x high."""
    step = images * weight.denominator * tolerance.denominator
    low = weight.numerator * (tolerance.denominator - tolerance.numerator)
    high = weight.numerator * (tolerance.denominator + tolerance.numerator)
    return step, low, high


def _exact(number: float) -> Fraction:
    """Returns a number as it was written: 0.05 is 5 %, not the float beside it."""
    return Fraction(str(number))
