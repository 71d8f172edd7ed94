"""Which bucket each picture goes to: pure arithmetic, the trainer's rules.

Source: sd-scripts 48d368fa, `library/model_util.py:make_bucket_resolutions` and `library/train_util.py:BucketManager`.
All sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Size = tuple[int, int]


class BucketError(ValueError):
    """Bucket settings or a picture that the trainer ends on; the text says which."""


@dataclass(frozen=True, slots=True)
class BucketRules:
    """The dataset settings that decide about buckets.

    Attributes:
        resolution: The area to train at.
        enabled: Without it there is one bucket, the resolution.
        min_px, max_px: The smallest and largest side.
        step_px: Every side is a multiple of it.
        no_upscale: Pictures smaller than the resolution keep their size.
    """

    resolution: Size
    enabled: bool
    min_px: int
    max_px: int
    step_px: int
    no_upscale: bool


def check_rules(rules: BucketRules, family_step_px: int) -> BucketRules:
    """Returns the rules as the trainer uses them: sides rounded outwards to whole steps.

    Raises:
        BucketError: The trainer would end with them.
    """
    if min(rules.resolution) < 1:
        raise BucketError(f"resolution {rules.resolution[0]},{rules.resolution[1]} must be positive")
    if not rules.enabled:
        return rules
    if rules.step_px < 1 or rules.step_px % family_step_px:
        raise BucketError(f"bucket_reso_steps {rules.step_px} must be a multiple of {family_step_px}")
    min_px = rules.min_px - rules.min_px % rules.step_px
    max_px = rules.max_px + (-rules.max_px) % rules.step_px
    if min_px < 1 and not rules.no_upscale:  # otherwise there is no list of buckets to be made
        raise BucketError(f"min_bucket_reso {rules.min_px} is less than one step of {rules.step_px}")
    if min(rules.resolution) < min_px:
        raise BucketError(
            f"min_bucket_reso {rules.min_px} is above the resolution's smaller side {min(rules.resolution)}"
        )
    if max(rules.resolution) > max_px:
        raise BucketError(
            f"max_bucket_reso {rules.max_px} is below the resolution's larger side {max(rules.resolution)}"
        )
    return BucketRules(rules.resolution, True, min_px, max_px, rules.step_px, rules.no_upscale)


class Buckets:
    """Chooses the bucket of each picture; `rules` must have passed `check_rules`."""

    def __init__(self, rules: BucketRules) -> None:
        self._rules = rules
        self._sizes = bucket_sizes(rules) if rules.enabled and not rules.no_upscale else []
        self._known: dict[Size, Size] = {}

    def of(self, size: Size) -> Size:
        """Returns the bucket of a picture of that size.

        Raises:
            BucketError: The picture is too narrow for any bucket.
        """
        if size not in self._known:
            self._known[size] = self._choose(size)
        return self._known[size]

    def _choose(self, size: Size) -> Size:
        if not self._rules.enabled:
            return self._rules.resolution
        if self._rules.no_upscale:
            return self._without_upscaling(size)
        if size in self._sizes:
            return size
        ratio = size[0] / size[1]
        return min(self._sizes, key=lambda bucket: abs(bucket[0] / bucket[1] - ratio))

    def _without_upscaling(self, size: Size) -> Size:
        step = self._rules.step_px
        width, height = self._shrunk(size)
        bucket = (width - width % step, height - height % step)
        if min(bucket) < 1:
            raise BucketError(f"a picture of {size[0]}x{size[1]} is smaller than one bucket step of {step}")
        return bucket

    def _shrunk(self, size: Size) -> Size:
        """The picture's size after shrinking to the resolution's area with one side on a whole step."""
        width, height = size
        area = self._rules.resolution[0] * self._rules.resolution[1]
        if width * height <= area:
            return size
        ratio = width / height
        by_width = self._rounded(math.sqrt(area * ratio))
        by_height = self._rounded(area / math.sqrt(area * ratio))
        height_of_first = self._rounded(by_width / ratio)
        width_of_second = self._rounded(by_height * ratio)
        if not (height_of_first and by_height):
            raise BucketError(f"a picture of {width}x{height} is too narrow for the bucket step {self._rules.step_px}")
        error_first = abs(by_width / height_of_first - ratio)
        error_second = abs(width_of_second / by_height - ratio)
        if error_first < error_second:
            return by_width, int(by_width / ratio + 0.5)
        return int(by_height * ratio + 0.5), by_height

    def _rounded(self, value: float) -> int:
        whole = int(value + 0.5)
        return whole - whole % self._rules.step_px


def bucket_sizes(rules: BucketRules) -> list[Size]:
    """Returns every bucket of the rules, sorted.

    >>> sizes = bucket_sizes(BucketRules((512, 512), True, 256, 1024, 64, False))
    >>> len(sizes), (640, 384) in sizes
    (17, True)
    """
    area, step = rules.resolution[0] * rules.resolution[1], rules.step_px
    square = int(math.sqrt(area) // step) * step
    sizes = {(square, square)}
    for width in range(rules.min_px, rules.max_px + 1, step):
        height = min(rules.max_px, (area // width) // step * step)
        if height >= rules.min_px:
            sizes |= {(width, height), (height, width)}
    return sorted(sizes)
