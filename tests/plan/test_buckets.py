"""The buckets and the choice among them, by the trainer's rules."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from loratpl.plan.buckets import BucketError, BucketRules, Buckets, Size, bucket_sizes, check_rules
from tests.given import outcome

SD15 = BucketRules((512, 512), enabled=True, min_px=256, max_px=1024, step_px=64, no_upscale=False)
_SIDE = st.integers(1, 4000)
_RULES = st.builds(
    BucketRules,
    resolution=st.tuples(st.integers(64, 1400), st.integers(64, 1400)),
    enabled=st.just(True),
    min_px=st.integers(64, 512),
    max_px=st.integers(512, 2048),
    step_px=st.sampled_from((64, 128, 192)),
    no_upscale=st.booleans(),
)


def _checked(rules: BucketRules) -> BucketRules:
    try:
        return check_rules(rules, 64)
    except BucketError:
        assume(False)
        raise


def test_the_buckets_of_sd15() -> None:
    wide = [(576, 448), (640, 384), (704, 320), (768, 320), (832, 256), (896, 256), (960, 256), (1024, 256)]
    assert bucket_sizes(SD15) == sorted([(512, 512), *wide, *((height, width) for width, height in wide)])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((768, 512), (640, 384)),
        ((512, 512), (512, 512)),
        ((64, 64), (512, 512)),
        ((4000, 4000), (512, 512)),
        ((512, 768), (384, 640)),
        ((832, 256), (832, 256)),
        ((10_000, 10), (1024, 256)),
        ((10, 10_000), (256, 1024)),
    ],
)
def test_a_picture_goes_to_the_bucket_of_the_nearest_shape(size: Size, expected: Size) -> None:
    assert Buckets(SD15).of(size) == expected


@settings(deadline=None)
@given(rules=_RULES, size=st.tuples(_SIDE, _SIDE))
def test_no_bucket_before_the_chosen_one_is_as_near_and_none_is_nearer(rules: BucketRules, size: Size) -> None:
    rules = _checked(replace(rules, no_upscale=False))
    sizes, chosen = bucket_sizes(rules), Buckets(rules).of(size)
    if size in sizes:
        assert chosen == size
        return
    distances = [abs(width / height - size[0] / size[1]) for width, height in sizes]
    assert sizes.index(chosen) == distances.index(min(distances))


@settings(deadline=None)
@given(
    rules=_RULES,
    sizes=st.lists(st.tuples(_SIDE, _SIDE)),
    ratios=st.lists(st.integers(0, 60), max_size=6),
    repeats=st.integers(1, 3),
)
def test_many_at_once_go_where_each_goes_by_itself(
    rules: BucketRules, sizes: list[Size], ratios: list[int], repeats: int
) -> None:
    rules, known = _checked(rules), bucket_sizes(_checked(replace(rules, no_upscale=False)))
    for number in ratios:  # exactly a bucket, and exactly between two
        first, second = known[number % len(known)], known[(number + 1) % len(known)]
        sizes += [first, (first[0] * second[1] + second[0] * first[1], 2 * first[1] * second[1])]
    sizes *= repeats
    expected, refused = outcome(BucketError, lambda: Counter(map(Buckets(rules).of, sizes)))
    counted, also_refused = outcome(BucketError, lambda: Buckets(rules).count(sizes))
    assert (counted, str(also_refused)) == (expected, str(refused))


@settings(deadline=None)
@given(rules=_RULES)
def test_every_bucket_keeps_to_the_rules(rules: BucketRules) -> None:
    rules = _checked(replace(rules, no_upscale=False))
    area, sizes = rules.resolution[0] * rules.resolution[1], bucket_sizes(rules)
    assert sizes == sorted(set(sizes))
    for width, height in sizes:
        assert (height, width) in sizes
        assert width * height <= area
        assert width % rules.step_px == height % rules.step_px == 0
        if width != height:  # the square of the area is there whatever the bounds are
            assert rules.min_px <= min(width, height) <= max(width, height) <= rules.max_px


def test_the_square_is_a_bucket_even_outside_the_bounds() -> None:
    rules = check_rules(BucketRules((256, 1024), True, 256, 1024, 128, False), 64)
    assert (512, 512) in bucket_sizes(rules)
    narrow = BucketRules((256, 256), enabled=True, min_px=320, max_px=1024, step_px=64, no_upscale=False)
    assert bucket_sizes(narrow) == [(256, 256)]


@settings(deadline=None)
@given(rules=_RULES, size=st.tuples(_SIDE, _SIDE))
def test_without_upscaling_a_bucket_is_never_larger_than_its_picture(rules: BucketRules, size: Size) -> None:
    rules = _checked(replace(rules, no_upscale=True))
    area = rules.resolution[0] * rules.resolution[1]
    bucket, refused = outcome(BucketError, lambda: Buckets(rules).of(size))
    if bucket is None:
        assert f"{size[0]}x{size[1]}" in str(refused)
        assert min(size) * min(1.0, math.sqrt(area / (size[0] * size[1]))) < 2 * rules.step_px
        return
    width, height = bucket
    assert 0 < width <= size[0]
    assert 0 < height <= size[1]
    assert width % rules.step_px == height % rules.step_px == 0
    if size[0] * size[1] <= area:
        assert (width, height) == (size[0] // rules.step_px * rules.step_px, size[1] // rules.step_px * rules.step_px)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((300, 200), (256, 192)),
        ((512, 512), (512, 512)),
        ((768, 512), (576, 384)),
        ((1024, 1024), (512, 512)),
        ((1920, 1080), (640, 384)),
        ((1080, 1920), (384, 640)),
    ],
)
def test_worked_examples_without_upscaling(size: Size, expected: Size) -> None:
    assert Buckets(replace(SD15, no_upscale=True)).of(size) == expected


@pytest.mark.parametrize("size", [(63, 512), (512, 63), (1, 1), (20_000, 50), (50, 20_000)])
def test_a_picture_too_narrow_for_any_bucket_is_refused(size: Size) -> None:
    with pytest.raises(BucketError, match=f"{size[0]}x{size[1]}"):
        Buckets(replace(SD15, no_upscale=True)).of(size)


@settings(deadline=None)
@given(size=st.tuples(_SIDE, _SIDE))
def test_without_buckets_every_picture_gets_the_resolution(size: Size) -> None:
    rules = BucketRules((512, 768), enabled=False, min_px=0, max_px=0, step_px=0, no_upscale=False)
    assert Buckets(check_rules(rules, 64)).of(size) == (512, 768)


@pytest.mark.parametrize(
    ("given_px", "expected_px"), [((256, 1024), (256, 1024)), ((300, 1000), (256, 1024)), ((319, 1025), (256, 1088))]
)
def test_the_bounds_are_rounded_outwards(given_px: Size, expected_px: Size) -> None:
    checked = check_rules(replace(SD15, min_px=given_px[0], max_px=given_px[1]), 64)
    assert (checked.min_px, checked.max_px) == expected_px


@pytest.mark.parametrize("no_upscale", [False, True])
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"step_px": 32}, "bucket_reso_steps 32 must be a multiple of 64"),
        ({"step_px": 0}, "bucket_reso_steps 0"),
        ({"step_px": -64}, "bucket_reso_steps -64"),
        ({"min_px": 576}, "min_bucket_reso 576 is above the resolution's smaller side 512"),
        ({"max_px": 448}, "max_bucket_reso 448 is below the resolution's larger side 512"),
        ({"resolution": (512, 2048)}, "max_bucket_reso 1024 is below the resolution's larger side 2048"),
        ({"resolution": (128, 512)}, "min_bucket_reso 256 is above the resolution's smaller side 128"),
        ({"resolution": (0, 512)}, "resolution 0,512"),
        ({"resolution": (512, -1)}, "resolution 512,-1"),
    ],
)
def test_rules_that_the_trainer_ends_on_are_refused(
    changes: dict[str, object], named: str, *, no_upscale: bool
) -> None:
    with pytest.raises(BucketError, match=named):
        check_rules(replace(SD15, **changes, no_upscale=no_upscale), 64)  # type: ignore[arg-type]


@pytest.mark.parametrize("min_px", [0, 32])
def test_a_bound_below_one_step_is_refused_where_it_is_used(min_px: int) -> None:
    with pytest.raises(BucketError, match=f"min_bucket_reso {min_px} is less than one step of 64"):
        check_rules(replace(SD15, min_px=min_px), 64)
    # Without upscaling the trainer makes no list of buckets: the bound is compared with the resolution alone.
    assert check_rules(replace(SD15, min_px=min_px, no_upscale=True), 64).min_px == 0


def test_a_bound_just_beside_the_resolution_is_rounded_before_it_is_judged() -> None:
    assert check_rules(replace(SD15, min_px=520, max_px=500), 64).min_px == 512


def test_a_resolution_without_buckets_must_be_positive_too() -> None:
    with pytest.raises(BucketError, match="resolution 0,0"):
        check_rules(replace(SD15, enabled=False, resolution=(0, 0)), 64)
