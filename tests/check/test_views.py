"""How much of each picture is trained, and how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import Problem
from loratpl.project import open_project
from loratpl.render.prepare import Depth, judge
from tests.check.given_rules import codes
from tests.given import only, write_config
from tests.stand_in import write_picture

SQUARE = (256, 256)


def _problems(root: Path, folders: dict[str, list[tuple[int, int]]], **options: Any) -> list[Problem]:
    values = {"resolution": "256", "mixed_precision": "no", "network_alpha": 1, "max_train_steps": 4, **options}
    write_config(root, values)
    for name, sizes in folders.items():
        (root / name).mkdir(parents=True)
        for number, size in enumerate(sizes):
            write_picture(root / name / f"{number}.png", number, size)
    judged = judge(open_project(root), depth=Depth.PLAN, gpu_count=lambda: 1, packages=lambda: None)
    return [problem for problem in judged.problems if problem.code.startswith("dataset.")]


@pytest.mark.parametrize(
    ("size", "code", "text"),
    [
        ((3000, 60), "dataset.image.cropped", "92% of it is cut away to fit the bucket 1024x256"),
        ((60, 3000), "dataset.image.cropped", "92% of it is cut away to fit the bucket 256x1024"),
        ((100, 100), "dataset.image.small", "enlarged 2.6 times to fill the bucket 256x256"),
    ],
)
def test_a_picture_that_does_not_fit_is_a_warning(odd_path: Path, size: tuple[int, int], code: str, text: str) -> None:
    found = _problems(odd_path, {"image_dir/1_a": [SQUARE, size]}, resolution="512" if size[0] != 100 else "256")
    problem = next(problem for problem in found if problem.code == code)
    assert (problem.severity, problem.where) == ("warning", "image_dir/1_a/1.png")
    assert text in problem.message


@pytest.mark.parametrize("size", [SQUARE, (300, 200), (128, 128), (4000, 3000), (400, 250)])
def test_ordinary_pictures_are_fine(tmp_path: Path, size: tuple[int, int]) -> None:
    assert _problems(tmp_path, {"image_dir/1_a": [size]}, max_bucket_reso=512, min_bucket_reso=128) == []


def test_without_upscaling_no_picture_is_enlarged(tmp_path: Path) -> None:
    assert _problems(tmp_path, {"image_dir/1_a": [(128, 64)]}, bucket_no_upscale=True) == []


@pytest.mark.parametrize(
    ("folders", "concepts", "expected"),
    [
        ({"image_dir/2_a cat": [SQUARE] * 5, "image_dir/2_b dog": [SQUARE]}, {}, [("warning", "dataset.imbalance")]),
        ({"image_dir/2_a cat": [SQUARE] * 4, "image_dir/2_b dog": [SQUARE] * 2}, {}, []),
        ({"image_dir/2_a cat": [SQUARE] * 5, "image_dir/2_b dog": [SQUARE]}, {"a cat": {"weight": 5}}, []),
        ({"image_dir/1_a cat": [SQUARE] * 5, "image_dir/5_b dog": [SQUARE]}, {}, []),
    ],
)
def test_a_concept_that_is_seen_more_than_it_was_meant_to_is_a_warning(
    tmp_path: Path, folders: dict[str, Any], concepts: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = _problems(tmp_path, folders, kohyatpl={"concepts": concepts})
    assert codes(found) == expected
    for problem in found:
        assert "2_a cat is seen 5.0 times as often as 2_b dog" in problem.message
        assert "kohyatpl balance" in problem.fix


def test_regularisation_images_that_are_never_used_are_counted(tmp_path: Path) -> None:
    problem = only(_problems(tmp_path, {"image_dir/1_a cat": [SQUARE] * 3, "reg_dir/1_cat": [SQUARE] * 5}))
    assert (problem.severity, problem.code, problem.where) == ("warning", "dataset.reg.unused", "reg_dir")
    assert "2 of 5 regularisation images are never used" in problem.message


def test_one_folder_for_both_kinds_of_images_is_an_error(tmp_path: Path) -> None:
    found = _problems(tmp_path, {"image_dir/1_a cat": [SQUARE]}, reg_data_dir="image_dir")
    assert ("error", "dataset.reg.same") in codes(found)


@pytest.mark.parametrize(
    ("option", "name", "code", "text"),
    [
        ("train_data_dir", "image_dirr", "dataset.missing", "Did you mean `image_dir`?"),
        ("train_data_dir", "image_dir ", "dataset.missing", "Remove the blank"),
        ("train_data_dir", "pictures", "dataset.missing", "Make the folder"),
        ("reg_data_dir", "regg_dir", "dataset.reg.missing", "Did you mean `reg_dir`?"),
        ("reg_data_dir", "classes", "dataset.reg.missing", "may stay empty"),
    ],
)
def test_a_folder_that_is_not_there_is_an_error_with_the_one_that_is_meant(
    odd_path: Path, option: str, name: str, code: str, text: str
) -> None:
    folders = {"image_dir/1_a cat": [SQUARE], "reg_dir/1_cat": [SQUARE]}
    problem = next(item for item in _problems(odd_path, folders, **{option: name}) if item.code == code)
    assert problem.severity == "error"
    assert f"{option} names {name!r}" in problem.message
    assert text in problem.fix
