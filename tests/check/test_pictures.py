"""Settings that depend on the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.check.pictures import picture_problems
from loratpl.dataset.scan import scan
from loratpl.errors import Problem
from tests.check.given_rules import codes, settings_for
from tests.given import only
from tests.stand_in import write_picture


def _problems(folder: Path, sizes: list[tuple[int, int]], reg: int = 0, **options: Any) -> list[Problem]:
    for parent, name, pictures in (("image_dir", "1_a", sizes), ("reg_dir", "1_b", [(64, 64)] * reg)):
        (folder / parent / name).mkdir(parents=True)
        for number, size in enumerate(pictures):
            write_picture(folder / parent / name / f"{number}.png", number, size)
    dataset = scan(folder / "image_dir", folder / "reg_dir")
    return list(picture_problems(settings_for(folder, **{"resolution": "64", **options}), dataset))


def test_a_weight_of_0_makes_regularisation_images_pointless(odd_path: Path) -> None:
    problem = only(_problems(odd_path, [(64, 64)], reg=2, prior_loss_weight=0))
    assert (problem.severity, problem.code) == ("warning", "config.ignored")
    assert "prior_loss_weight is 0: the 2 regularisation images" in problem.message


def test_a_weight_of_0_without_regularisation_images_is_no_matter(tmp_path: Path) -> None:
    assert _problems(tmp_path, [(64, 64)], prior_loss_weight=0) == []


@pytest.mark.parametrize(
    ("sizes", "options", "expected"),
    [
        ([(64, 64)], {}, []),
        ([(128, 128)], {}, []),
        ([(64, 64), (96, 64)], {}, [("warning", "config.crop")]),
        ([(96, 64)], {"enable_bucket": True}, []),
        ([(96, 64)], {"cache_latents": False}, [("error", "config.combination")]),
        ([(64, 64)], {"cache_latents": False}, []),
        ([(128, 128)], {"cache_latents": False, "random_crop": True}, []),
        ([(96, 64)], {"face_crop_aug_range": "1,2"}, []),
        ([(96, 64)], {"resolution": "96,64"}, []),
        ([(96, 64)], {"resolution": "no size"}, []),
    ],
)
def test_without_buckets_pictures_of_another_shape_are_cut_or_end_the_training(
    tmp_path: Path, sizes: list[tuple[int, int]], options: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = _problems(tmp_path, sizes, **{"enable_bucket": False, **options})
    assert codes(found) == expected
    assert all("enable_bucket is off" in problem.message and "of" in problem.message for problem in found)
