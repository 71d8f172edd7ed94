"""Pictures that the trainer never comes to, names that it cannot use, and pictures that are there twice."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from loratpl.check.dataset_files.names import long_name_problems
from loratpl.dataset.inspect import inspect_tree
from loratpl.project import ProjectPaths
from tests.check.dataset_files.given_tree import CAT, DOG, REG, cat_dir, clean_project, problems_of
from tests.check.given_rules import codes, settings_for, text_of
from tests.dataset.inspect.drawn import drawing, encoded, write
from tests.given import only

posix = pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made there")


def test_a_clean_project_has_no_problem(odd_path: Path) -> None:
    project = clean_project(odd_path)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "notes.md"):
        (cat_dir(project) / name).write_bytes(b"x")
        (project.image_dir / name).write_bytes(b"x")
    (project.image_dir / "__MACOSX").mkdir()
    (project.image_dir / "__MACOSX" / "._x.png").write_bytes(b"\0\5")
    write(project.image_dir / "__MACOSX" / "x.png")
    (project.image_dir / "notes").mkdir()
    assert problems_of(project) == []
    assert problems_of(project, "headers") == []
    assert problems_of(project, cache_latents_to_disk=True) == []


def test_a_picture_beside_the_concepts(odd_path: Path) -> None:
    project = clean_project(odd_path)
    write(project.image_dir / "9.png", 99)
    problem = only(problems_of(project))
    assert (problem.code, problem.severity, problem.where) == (
        "dataset.image.misplaced",
        "error",
        "image_dir/9.png",
    )
    assert "Move it into a concept folder" in problem.fix


def test_pictures_in_a_folder_of_a_concept(odd_path: Path) -> None:
    project = clean_project(odd_path)
    for number in range(3):
        write(cat_dir(project) / "more" / f"{number}.png", 90 + number)
    problem = only(problems_of(project))
    assert codes([problem]) == [("error", "dataset.image.misplaced")]
    assert f"The 3 pictures of image_dir/{CAT}/more would not be trained" in problem.message


def test_pictures_alone_in_image_dir(tmp_path: Path) -> None:
    project = ProjectPaths(tmp_path)
    for number in range(3):
        write(project.image_dir / f"{number}.png", number)
    problem = only(problems_of(project))
    assert (problem.code, problem.where) == ("dataset.folder.level", "image_dir")
    assert "The 3 pictures of image_dir would not be trained" in problem.message
    assert "`10_ohwx cat`" in problem.fix


def test_a_concept_folder_in_image_dirs_place(tmp_path: Path) -> None:
    project = ProjectPaths(tmp_path)
    write(project.image_dir / "10_x" / "1.png")
    from loratpl.check.dataset_files import dataset_file_problems

    tree = inspect_tree(project.image_dir / "10_x", None)
    problem = only(dataset_file_problems(project, settings_for(tmp_path), tree))
    assert problem.code == "dataset.folder.level"
    assert "10_x is named like a concept folder itself" in problem.message
    assert "Let `train_data_dir` name the folder that 10_x lies in" in problem.fix


def test_concepts_one_level_too_deep(odd_path: Path) -> None:
    project = clean_project(odd_path)
    for name in ("3_a", "4_b"):
        write(project.image_dir / "all" / name / "1.png", 90)
    problem = only(problems_of(project))
    assert (problem.code, problem.where) == ("dataset.folder.level", "image_dir/all")
    assert "(3_a, 4_b)" in problem.message


def test_a_link_to_a_folder_that_it_lies_in(odd_path: Path) -> None:
    project = clean_project(odd_path)
    (cat_dir(project) / "loop").symlink_to("..", target_is_directory=True)
    problem = only(problems_of(project))
    assert codes([problem]) == [("warning", "dataset.folder.loop")]
    assert problem.where == f"image_dir/{CAT}/loop"
    assert "Delete it" in problem.fix


@posix
@pytest.mark.parametrize(
    ("name", "words", "fix"),
    [
        ("9.gif", "does not read .gif files", "Convert it to png"),
        ("9.TIFF", "does not read .tiff files", "Convert it to png"),
        ("9.avif", "does not read .avif files", "Convert it to png"),
        ("9.jfif", "does not read .jfif files", "Rename it to `9.jpg`"),
        ("9.Png", "reads .png and .PNG, but not .Png", "Rename it to `9.png`"),
    ],
)
def test_extensions_that_the_trainer_does_not_read(odd_path: Path, name: str, words: str, fix: str) -> None:
    project = clean_project(odd_path)
    (cat_dir(project) / name).write_bytes(encoded(drawing()))
    problem = only(problems_of(project))
    assert (problem.code, problem.severity, problem.where) == (
        "dataset.image.left_out",
        "error",
        f"image_dir/{CAT}/{name}",
    )
    assert words in problem.message
    assert fix in problem.fix


def test_one_caption_for_two_pictures(odd_path: Path) -> None:
    project = clean_project(odd_path)
    write(cat_dir(project) / "0.jpg", 99)
    problem = only(problems_of(project))
    assert codes([problem]) == [("error", "dataset.image.same_stem")]
    assert "0.jpg and 0.png" in problem.message
    assert "0.txt" in problem.message
    (cat_dir(project) / "0.txt").unlink()
    assert codes(problems_of(project)) == [("warning", "dataset.image.same_stem")]
    cached = only(problems_of(project, cache_latents_to_disk=True))
    assert (cached.severity, "share one latent cache" in cached.message) == ("error", True)


def test_names_that_are_too_long_for_their_caches(tmp_path: Path) -> None:
    project = clean_project(tmp_path)
    long = write(cat_dir(project) / ("x" * 246 + ".png"), 99)
    assert problems_of(project) == []
    problem = only(problems_of(project, cache_latents_to_disk=True))
    assert codes([problem]) == [("error", "dataset.path.long")]
    assert "263 bytes" in problem.message
    assert "255" in problem.message
    assert "Shorten the name by 8 bytes" in problem.fix
    long.rename(long.with_name("x" * 238 + ".png"))
    assert problems_of(project, cache_latents_to_disk=True) == []


def test_paths_that_are_too_long_for_windows(tmp_path: Path) -> None:
    project = clean_project(tmp_path)
    deep = cat_dir(project).rename(project.image_dir / ("1_" + "x" * 240))
    tree = inspect_tree(project.image_dir, None)
    folder = next(folder for folder in tree.folders if folder.path == deep)
    settings = settings_for(tmp_path)
    assert codes(long_name_problems(project, settings, folder, "win32")) == [("warning", "dataset.path.long")] * 4
    assert list(long_name_problems(project, settings, folder, "linux")) == []


@pytest.mark.parametrize(
    ("copy", "words"),
    [
        (f"image_dir/{CAT}/x.png", "seen twice as often"),
        (f"image_dir/{DOG}/x.png", "two concepts"),
        (f"reg_dir/{REG}/x.png", "works against itself"),
    ],
)
def test_the_same_picture_twice(odd_path: Path, copy: str, words: str) -> None:
    project = clean_project(odd_path)
    shutil.copyfile(cat_dir(project) / "0.png", project.root_dir / copy)
    problem = only(problems_of(project))
    assert codes([problem]) == [("warning", "dataset.image.duplicate")]
    assert words in problem.message
    assert {copy, f"image_dir/{CAT}/0.png"} == {
        name for name in (copy, f"image_dir/{CAT}/0.png") if name in text_of(problem)
    }


def test_a_picture_in_two_concepts_and_twice_in_one_of_them(tmp_path: Path) -> None:
    project = clean_project(tmp_path)
    for name in ("x", "y"):
        shutil.copyfile(cat_dir(project) / "0.png", project.image_dir / DOG / f"{name}.png")
    across, within = problems_of(project)
    assert "two concepts" in across.message
    assert f"{DOG}/y.png is the same picture as image_dir/{DOG}/x.png" in within.message


def test_pictures_that_look_nearly_the_same_are_one_warning(tmp_path: Path) -> None:
    project = clean_project(tmp_path)
    picture = drawing(99, (320, 240))
    for number, quality in enumerate((95, 85, 75)):
        (cat_dir(project) / f"near{number}.jpg").write_bytes(encoded(picture, ".jpg", quality=quality))
    problem = only(problems_of(project))
    assert codes([problem]) == [("warning", "dataset.image.alike")]
    assert "near0.jpg, near1.jpg, near2.jpg" in problem.message


def test_pictures_of_one_shape_in_other_colours_do_not_look_the_same(tmp_path: Path) -> None:
    project = clean_project(tmp_path)
    picture = drawing(99)
    red, green, blue = picture.split()
    from PIL import Image

    for number, bands in enumerate(((red, green, blue), (green, blue, red), (blue, red, green))):
        Image.merge("RGB", bands).save(cat_dir(project) / f"c{number}.png")
    assert problems_of(project) == []


def test_very_many_pictures_of_one_hash_are_grouped_in_time() -> None:
    from loratpl.check.dataset_files.likeness import groups_of_alike
    from loratpl.dataset.inspect import Inspection

    many = [Inspection(f"{number}.png", dhash=number // 4, colours="00" * 27) for number in range(20_000)]
    groups = list(groups_of_alike(many))
    assert sum(len(group) for group in groups) == 20_000
