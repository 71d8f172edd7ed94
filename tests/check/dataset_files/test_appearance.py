"""Pictures that would be trained otherwise than they look."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from loratpl.errors import Problem
from tests.check.dataset_files.given_tree import CAT, cat_dir, clean_project, problems_of
from tests.check.given_rules import codes
from tests.dataset.inspect.drawn import drawing, encoded, rotated
from tests.given import only


def _problems(root_dir: Path, picture: Image.Image, name: str, stored: dict[str, Any], **options: Any) -> list[Problem]:
    """Returns what is said of a project in which this is one of the pictures."""
    project = clean_project(root_dir)
    path = cat_dir(project) / name
    suffix = stored.pop("suffix", path.suffix)
    path.write_bytes(encoded(picture, suffix, **stored))
    return problems_of(project, **options)


def _one(root_dir: Path, picture: Image.Image, name: str = "0.png", **stored: Any) -> Problem:
    problem = only(_problems(root_dir, picture, name, stored))
    assert problem.severity == "warning"
    assert problem.where == f"image_dir/{CAT}/{name}"
    assert problem.message.startswith(f"{problem.where} ")
    return problem


@pytest.mark.parametrize(("orientation", "words"), [(6, "lying on its side"), (3, "upside down"), (2, "mirrored")])
@pytest.mark.parametrize("name", ["0.png", "1.jpg", "2.webp"])
def test_a_photograph_that_would_be_trained_turned(odd_path: Path, name: str, orientation: int, words: str) -> None:
    problem = _one(odd_path, drawing(99), name, exif=rotated(orientation))
    assert problem.code == "dataset.image.orientation"
    assert words in problem.message
    assert "EXIF orientation" in problem.message
    assert "Apply the rotation" in problem.fix


def test_upright_photographs_are_fine(tmp_path: Path) -> None:
    assert _problems(tmp_path, drawing(99), "1.jpg", {"exif": rotated(1)}) == []


def _transparent() -> Image.Image:
    picture = drawing(99, mode="RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def test_colours_below_transparent_pixels(tmp_path: Path) -> None:
    problem = _one(tmp_path, _transparent())
    assert problem.code == "dataset.image.alpha"
    assert "50 %" in problem.message
    assert "background" in problem.fix


def test_one_colour_below_transparent_pixels_is_named(tmp_path: Path) -> None:
    picture = drawing(99, mode="RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 30, 30))
    assert "the colour #000000" in _one(tmp_path, picture).message


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    problem = _one(tmp_path, drawing(99).quantize(16), transparency=0)
    assert (problem.code, "palette" in problem.message) == ("dataset.image.alpha", True)


def test_alpha_is_as_it_should_be_where_it_is_trained_with(tmp_path: Path) -> None:
    assert _problems(tmp_path, _transparent(), "0.png", {}, alpha_mask=True) == []


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1"])
def test_opaque_pictures_of_all_modes_are_fine(tmp_path: Path, mode: str) -> None:
    assert _problems(tmp_path, drawing(99, mode=mode), "0.png", {}) == []


def test_sixteen_bits_of_grey(tmp_path: Path) -> None:
    picture = Image.frombytes("I;16", (60, 60), random.Random(1).randbytes(7200))
    problem = _one(tmp_path, picture)
    assert (problem.code, problem.fix) == ("dataset.image.depth", "Convert it to 8-bit.")
    assert "16-bit" in problem.message


def test_cmyk(tmp_path: Path) -> None:
    problem = _one(tmp_path, drawing(99, mode="CMYK"), "1.jpg")
    assert (problem.code, problem.fix) == ("dataset.image.cmyk", "Convert it to sRGB.")


def test_a_profile_that_matters(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    problem = _one(tmp_path, drawing(99), icc_profile=lab)
    assert (problem.code, problem.fix) == ("dataset.image.profile", "Convert it to sRGB.")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert _problems(tmp_path / "fine", drawing(99), "0.png", {"icc_profile": srgb}) == []


def test_an_animation(tmp_path: Path) -> None:
    problem = _one(tmp_path, drawing(99), "2.webp", save_all=True, append_images=[drawing(98), drawing(97)])
    assert problem.code == "dataset.image.animated"
    assert "only its first frame" in problem.message


def test_a_blank_picture(tmp_path: Path) -> None:
    problem = _one(tmp_path, Image.new("RGB", (80, 80), "white"))
    assert (problem.code, "one colour" in problem.message) == ("dataset.image.blank", True)


def test_a_picture_with_another_formats_extension(tmp_path: Path) -> None:
    problem = _one(tmp_path, drawing(99), "0.png", suffix=".jpg")
    assert problem.code == "dataset.image.extension"
    assert "is a JPEG picture" in problem.message
    assert "`0.jpg`" in problem.fix
    problem = _one(tmp_path / "gif", drawing(99, mode="P"), "0.png", suffix=".gif")
    assert "is a GIF picture" in problem.message
    assert "Convert it to png" in problem.fix


def test_everything_that_is_wrong_with_one_picture_is_said(tmp_path: Path) -> None:
    blank = Image.new("CMYK", (80, 80), (9, 90, 30, 0))
    problems = _problems(tmp_path, blank, "0.png", {"suffix": ".jpg", "exif": rotated(8)})
    assert codes(problems) == [
        ("warning", f"dataset.image.{name}") for name in ("cmyk", "orientation", "blank", "extension")
    ]
