"""What balance says of an epoch is what `plan` says once the folders are renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from loratpl.balance import balance_project
from loratpl.dataset.scan import scan
from loratpl.journal import rename_all
from loratpl.plan.outlook import Outlook, look_ahead
from loratpl.plan.planner import make_plan
from loratpl.project import ProjectPaths
from tests.given import settings_of

SIZES = ((64, 64), (96, 64), (64, 128))


def _project(root: Path, folders: dict[str, int]) -> ProjectPaths:
    for folder, images in folders.items():
        (root / folder).mkdir(parents=True)
        for number in range(images):
            Image.new("RGB", SIZES[number % 3]).save(root / folder / f"{number}.png")
    return ProjectPaths(root)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"train_batch_size": 4},
        {"train_batch_size": 4, "gradient_accumulation_steps": 3},
        {"train_batch_size": 3, "kohyatpl": {"launch": {"processes": 2}}},
        {"gradient_accumulation_steps": 3},
        {"train_batch_size": 1, "validation_split": 0.3, "validation_seed": 1},
        {"train_batch_size": 2, "validation_split": 0.3, "validation_seed": 1},
        {"max_train_steps": 7, "max_train_epochs": None},
    ],
)
@pytest.mark.parametrize("reg", [{}, {"reg_dir/3_cat": 4, "reg_dir/1_dog": 3, "reg_dir/2_bird": 50}])
def test_it_is_what_the_plan_says_afterwards(tmp_path: Path, values: dict[str, Any], reg: dict[str, int]) -> None:
    project = _project(tmp_path, {"image_dir/1_ohwx cat": 7, "image_dir/1_zwx dog": 3, "image_dir/9_x": 5, **reg})
    small = {"resolution": "64", "min_bucket_reso": 64, "max_bucket_reso": 128}
    settings = settings_of(tmp_path, {**small, **{k: v for k, v in values.items() if v is not None}})
    balanced = balance_project(project, project.image_dir, project.reg_dir, settings.block, steps=30)
    outlook = look_ahead(balanced.folders, settings)
    rename_all(project.journal_path, balanced.renames)
    plan = make_plan(scan(project.image_dir, project.reg_dir), settings)
    assert (outlook.batches_per_epoch, outlook.steps_per_epoch) == (plan.batches_per_epoch, plan.steps_per_epoch)
    assert outlook.train_views == plan.train_images
    assert outlook.train_views + sum(outlook.reg_views.values()) == sum(bucket.images for bucket in plan.buckets)
    assert set(outlook.reg_views) == {item.new_folder for item in balanced.folders if item.is_reg}


def test_regularisation_images_that_the_trainer_never_reaches_are_counted_as_such(tmp_path: Path) -> None:
    project = _project(tmp_path, {"image_dir/1_ohwx cat": 4, "reg_dir/1_cat": 30, "reg_dir/9_dog": 5})
    settings = settings_of(tmp_path)
    balanced = balance_project(project, project.image_dir, project.reg_dir, settings.block)
    assert look_ahead(balanced.folders, settings) == Outlook(1, 8, 8, 4, {"1_cat": 4, "9_dog": 0})


@pytest.mark.parametrize("values", [{"train_batch_size": 2}, {"resolution": "much"}])
def test_nothing_is_promised_while_something_is_in_the_way(tmp_path: Path, values: dict[str, Any]) -> None:
    project = _project(tmp_path, {"image_dir/1_a": 4})
    (project.image_dir / "1_a" / "broken.png").write_bytes(b"no picture")
    settings = settings_of(tmp_path, values)
    balanced = balance_project(project, project.image_dir, project.reg_dir, settings.block)
    outlook = look_ahead(balanced.folders, settings)
    assert (outlook.batches_per_epoch, outlook.steps_per_epoch, outlook.train_views) == (None, None, 5)
