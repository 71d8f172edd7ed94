"""Which part of a picture its bucket keeps, and what the buckets do to their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.dataset.scan import Dataset
from loratpl.plan.buckets import BucketRules, Buckets, Placement, Size
from loratpl.plan.cropping import Box, Crop, bucket_uses, crops_of, kept_box, losing_most, upscaled_most
from loratpl.plan.planner import TrainingPlan, make_plan
from tests.given import settings_of
from tests.plan.made import concept, dataset

SQUARE = (512, 512)
WIDE = (768, 512)  # resized to 640 × 427 and cut to 640 × 384
SMALL = (256, 256)  # becomes twice as large in a bucket of 512 × 512
_RULES = (
    BucketRules((512, 512), enabled=True, min_px=256, max_px=1024, step_px=64, no_upscale=False),
    BucketRules((1024, 768), enabled=True, min_px=256, max_px=2048, step_px=32, no_upscale=True),
    BucketRules((768, 768), enabled=False, min_px=256, max_px=1024, step_px=64, no_upscale=False),
)


def _plan(folder: Path, pictures: Dataset, values: dict[str, Any] | None = None) -> TrainingPlan:
    return make_plan(pictures, settings_of(folder, values))


def _names(crops: tuple[Crop, ...]) -> list[str]:
    return [crop.view.picture.path.name for crop in crops]


@settings(deadline=None)
@given(rules=st.sampled_from(_RULES), size=st.tuples(st.integers(64, 6000), st.integers(64, 6000)))
def test_the_part_that_is_kept_is_the_middle_and_has_the_shape_of_its_bucket(rules: BucketRules, size: Size) -> None:
    placement = Buckets(rules).place(size)
    box = kept_box(placement)
    # As much on either side; a pixel that cannot be halved is lost at the right or at the bottom.
    assert placement.resized[0] - box.right - box.left in (0, 1)
    assert placement.resized[1] - box.bottom - box.top in (0, 1)
    assert 0 <= box.left < box.right <= placement.resized[0]
    assert 0 <= box.top < box.bottom <= placement.resized[1]
    kept = (box.right - box.left, box.bottom - box.top)
    assert all(0 <= wanted - side <= 1 for side, wanted in zip(kept, placement.bucket, strict=True))
    assert placement.kept == pytest.approx(kept[0] * kept[1] / (placement.resized[0] * placement.resized[1]))


def test_of_an_odd_rest_the_lower_right_loses_more() -> None:
    assert kept_box(Placement(bucket=(640, 384), resized=(640, 427))) == Box(0, 21, 640, 405)
    assert kept_box(Placement(bucket=(384, 640), resized=(387, 640))) == Box(1, 0, 385, 640)


def test_buckets_count_pictures_and_weigh_their_means_by_views(tmp_path: Path) -> None:
    pictures = dataset(concept(3, SQUARE, WIDE), concept(1, SMALL, name="ohwx dog"))
    uses = bucket_uses(crops_of(_plan(tmp_path, pictures).datasets))
    assert [(use.size, use.pictures, use.views) for use in uses] == [(SQUARE, 2, 4), ((640, 384), 1, 3)]
    assert [use.kept for use in uses] == pytest.approx([1.0, 384 / 427])
    assert [use.scale for use in uses] == pytest.approx([(3 * 1 + 2) / 4, 427 / 512])


def test_pictures_of_the_validation_are_in_no_bucket(tmp_path: Path) -> None:
    pictures = dataset(concept(1, *[SQUARE] * 10))
    plan = _plan(tmp_path, pictures, {"validation_split": 0.2, "validation_seed": 1})
    crops = crops_of(plan.datasets)
    assert len(crops) == 10
    assert [(use.pictures, use.views) for use in bucket_uses(crops)] == [(8, 8)]


def test_buckets_are_sorted_by_shape(tmp_path: Path) -> None:
    pictures = dataset(concept(1, (1000, 200), SQUARE, (200, 1000), WIDE))
    sizes = [use.size for use in bucket_uses(crops_of(_plan(tmp_path, pictures).datasets))]
    assert sizes == [(256, 1024), SQUARE, (640, 384), (1024, 256)]


def test_the_picture_that_loses_most_is_first_and_named_once(tmp_path: Path) -> None:
    pictures = dataset(concept(1, WIDE, (3000, 300), SQUARE))
    two = {"kohyatpl": {"datasets": [{"resolution": "512"}, {"resolution": "768"}]}}
    crops = crops_of(_plan(tmp_path, pictures, two).datasets)
    assert len(crops) == 6
    assert _names(losing_most(crops)) == ["001.png", "000.png"]
    assert _names(losing_most(crops, 0.15)) == ["001.png"]
    worst = losing_most(crops)[1]
    assert worst.kept == min(crop.kept for crop in crops if crop.view.picture.path.name == "000.png")


def test_the_picture_that_grows_most_is_first(tmp_path: Path) -> None:
    pictures = dataset(concept(1, (400, 400), SMALL, SQUARE))
    two = {"kohyatpl": {"datasets": [{"resolution": "512"}, {"resolution": "768"}]}}
    found = upscaled_most(crops_of(_plan(tmp_path, pictures, two).datasets), 1.6)
    assert [(crop.view.picture.path.name, crop.dataset) for crop in found] == [("001.png", 1), ("000.png", 1)]
    assert found[0].scale == 3.0
