"""Which bucket each picture goes to: pure arithmetic, the trainer's rules.

Source: sd-scripts 48d368fa, `library/model_util.py:make_bucket_resolutions` and `library/train_util.py:BucketManager`.
All sizes are (width, height) in pixels.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Size = tuple[int, int]
# Ratios that are nearer to each other than this, as a share, may be told apart wrongly by a rounded middle.
_ROUNDING = 1e-9
# So many pictures tell whether sizes repeat.
_SAMPLE = 1_000


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


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture goes: it is resized, and the middle of it that its bucket holds is trained.

    Attributes:
        bucket: The bucket's size; never larger than `resized`, but by a rounding pixel.
        resized: The whole picture's size before it is cropped.
    """

    bucket: Size
    resized: Size

    @property
    def kept(self) -> float:
        """The share of the picture's area that is trained, 0 to 1; the rest is cropped away."""
        return min(self.bucket[0] / self.resized[0], 1.0) * min(self.bucket[1] / self.resized[1], 1.0)

    def scale_of(self, size: Size) -> float:
        """Returns how much larger a picture of this size becomes: above 1 it is upscaled."""
        return max(self.resized[0] / size[0], self.resized[1] / size[1])


class Buckets:
    """Chooses the bucket of each picture; `rules` must have passed `check_rules`."""

    def __init__(self, rules: BucketRules) -> None:
        self._rules = rules
        sizes = [rules.resolution]
        if rules.enabled:
            sizes = [] if rules.no_upscale else bucket_sizes(rules)
        self._sizes = frozenset(sizes)
        first: dict[float, Size] = {}
        for size in sizes:
            first.setdefault(size[0] / size[1], size)  # of two buckets alike the trainer takes the first
        # A picture of exactly the second's size goes there all the same.
        self._seconds = self._sizes - set(first.values())
        self._ratios = sorted(first)
        self._by_ratio = [first[ratio] for ratio in self._ratios]
        self._order = {size: index for index, size in enumerate(sizes)}
        self._known: dict[Size, Size] = {}
        self._placed: dict[Size, Placement] = {}

    def of(self, size: Size) -> Size:
        """Returns the bucket of a picture of that size.

        Raises:
            BucketError: The picture is too narrow for any bucket.
        """
        bucket = self._known.get(size)
        if bucket is None:
            bucket = self._known[size] = self._choose(size)
        return bucket

    def count(self, sizes: Sequence[Size]) -> Counter[Size]:
        """Returns how many pictures of these sizes each bucket gets: what `of` says, for many at once.

        Where a picture's ratio lies clearly between those of two buckets, one look into a sorted list tells the nearer.

        Raises:
            BucketError: A picture is too narrow for any bucket.
        """
        if not self._ratios:
            return self._count_without_upscaling(sizes)
        if self._seconds:
            apart = [size for size in sizes if size in self._seconds]
            sizes = [size for size in sizes if size not in self._seconds]
        else:
            apart = []
        edges, named = self._edges()
        places = Counter([bisect_left(edges, width / height) for width, height in sizes])
        found = Counter(apart)
        for place, count in places.items():
            bucket = named[place]
            if bucket is not None:
                found[bucket] += count
        if any(named[place] is None for place in places):
            near = (size for size in sizes if named[bisect_left(edges, size[0] / size[1])] is None)
            found.update(map(self.of, near))
        return found

    def _edges(self) -> tuple[list[float], list[Size | None]]:
        """Returns sorted ratios, and the bucket of what lies before each; None around the middle of two buckets."""
        edges: list[float] = []
        named: list[Size | None] = []
        for lower, upper, bucket in zip(self._ratios, self._ratios[1:], self._by_ratio, strict=False):
            middle = (lower + upper) / 2
            edges += [middle * (1 - _ROUNDING), middle * (1 + _ROUNDING)]
            named += [bucket, None]
        return edges, [*named, self._by_ratio[-1]]

    def place(self, size: Size) -> Placement:
        """Returns the bucket of a picture of that size, and what size it is given before it is cropped to it.

        Raises:
            BucketError: The picture is too narrow for any bucket.
        """
        placement = self._placed.get(size)
        if placement is None:
            placement = self._placed[size] = Placement(self.of(size), self._resized(size))
        return placement

    def _resized(self, size: Size) -> Size:
        if self._rules.enabled and self._rules.no_upscale:
            return self._shrunk(size)
        (width, height), bucket = size, self.of(size)
        scale = bucket[1] / height if width / height > bucket[0] / bucket[1] else bucket[0] / width
        return int(width * scale + 0.5), int(height * scale + 0.5)

    def _choose(self, size: Size) -> Size:
        if self._rules.enabled and self._rules.no_upscale:
            return self._without_upscaling(size)
        if size in self._sizes:
            return size
        ratio = size[0] / size[1]
        above = bisect_left(self._ratios, ratio)
        if above == len(self._ratios):
            return self._by_ratio[-1]
        if above == 0:
            return self._by_ratio[0]
        lower, upper = ratio - self._ratios[above - 1], self._ratios[above] - ratio
        if lower != upper:
            return self._by_ratio[above - 1 if lower < upper else above]
        return min(self._by_ratio[above - 1 : above + 1], key=self._order.__getitem__)

    def _count_without_upscaling(self, sizes: Sequence[Size]) -> Counter[Size]:
        """Cameras make many pictures of one size: where a look at the first shows that, each size is placed once."""
        first = sizes[:_SAMPLE]
        if 2 * len(set(first)) > len(first):
            return Counter(self._without_upscaling_all(sizes))
        found: Counter[Size] = Counter()
        counts = Counter(sizes)
        for bucket, count in zip(self._without_upscaling_all(tuple(counts)), counts.values(), strict=True):
            found[bucket] += count
        return found

    def _without_upscaling_all(self, sizes: Sequence[Size]) -> Iterator[Size]:
        """What `_without_upscaling` says of each, written out: for many pictures that is twice as fast."""
        step, sqrt = self._rules.step_px, math.sqrt
        area = self._rules.resolution[0] * self._rules.resolution[1]
        for size in sizes:
            width, height = size
            if width * height > area:
                ratio = width / height
                exact = sqrt(area * ratio)
                width, by_height = int(exact + 0.5), int(area / exact + 0.5)
                width -= width % step
                by_height -= by_height % step
                height, by_width = int(width / ratio + 0.5), int(by_height * ratio + 0.5)
                height -= height % step
                by_width -= by_width % step
                if height and by_height and abs(width / height - ratio) >= abs(by_width / by_height - ratio):
                    width, height = by_width, by_height
                elif not by_height:
                    height = 0
            else:
                width -= width % step
                height -= height % step
            # What is too narrow is refused with its reason.
            yield (width, height) if width and height else self.of(size)

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
