"""Files that are no pictures, and pictures that are broken or too large: each named, with what mends it."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from loratpl.check.dataset_files import dataset_file_problems, lfs_problems
from loratpl.dataset.inspect import Inspection, inspect_tree
from loratpl.errors import Problem
from loratpl.project import ProjectPaths
from tests.check.dataset_files.given_tree import CAT, cat_dir, clean_project, problems_of
from tests.check.given_rules import codes, settings_for, text_of
from tests.dataset.inspect.drawn import drawing, encoded, png_header, write
from tests.dataset.inspect.test_contents import as_somebody_else
from tests.given import only

posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing there")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064x\nsize 40215\n"
NAME = f"image_dir/{CAT}/0.png"


def _spoilt(root_dir: Path, content: bytes, name: str = "0.png") -> Problem:
    """Returns the one problem of a project in which this is the content of one picture."""
    project = clean_project(root_dir)
    (cat_dir(project) / name).write_bytes(content)
    return only(problems_of(project))


@pytest.mark.parametrize(
    ("content", "words", "fix"),
    [
        (b"", "is empty (0 bytes)", "Replace it"),
        (b"<!DOCTYPE html><html>", "an HTML page", "Download it again"),
        (b"only a note", "is not an image but text", "Replace it"),
        (bytes(3000), "nothing but zeros", "Replace it"),
        (random.Random(1).randbytes(3000), "is not an image of any kind", "Replace it"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC picture under another name", "Convert it to png"),
    ],
)
def test_a_file_that_is_no_picture_is_an_error(odd_path: Path, content: bytes, words: str, fix: str) -> None:
    problem = _spoilt(odd_path, content)
    assert (problem.code, problem.severity, problem.where) == ("dataset.image.unreadable", "error", NAME)
    assert problem.message.startswith(f"{NAME} ")
    assert words in problem.message
    assert fix in problem.fix


def test_a_folder_with_a_pictures_name_is_an_error(tmp_path: Path) -> None:
    project = clean_project(tmp_path)
    (cat_dir(project) / "9.png").mkdir()
    problem = only(problems_of(project))
    assert codes([problem]) == [("error", "dataset.image.unreadable")]
    assert "is a folder with a picture's name; the trainer takes it for a picture, and would end on it." in (
        problem.message
    )


@posix
def test_pipes_and_links_that_lead_nowhere_are_errors(odd_path: Path) -> None:
    project = clean_project(odd_path)
    os.mkfifo(cat_dir(project) / "7.png")
    (cat_dir(project) / "8.png").symlink_to("8.png")
    (cat_dir(project) / "9.png").symlink_to("nowhere.png")
    problems = problems_of(project)
    assert codes(problems) == [("error", "dataset.image.unreadable")] * 3
    for problem, words, fix in zip(
        problems,
        ("is a pipe", "leads back to itself", "is a link to nowhere.png, which does not exist"),
        ("Delete it", "Delete it", "Bring back"),
        strict=True,
    ):
        assert words in problem.message
        assert fix in problem.fix


@posix
def test_what_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    content = encoded(drawing())
    with as_somebody_else() as folder:
        for name in ("1_a", "1_b"):
            (folder / "image_dir" / name).mkdir(parents=True)
            (folder / "image_dir" / name / "1.png").write_bytes(content)
        (folder / "image_dir" / "1_a" / "1.png").chmod(0)
        (folder / "image_dir" / "1_b").chmod(0)
        tree = inspect_tree(folder / "image_dir", None, tier="headers")
        (folder / "image_dir" / "1_b").chmod(0o700)
        problems = list(dataset_file_problems(ProjectPaths(folder), settings, tree))
    assert codes(problems) == [("error", "dataset.folder.unreadable"), ("error", "dataset.image.permission")]
    assert "image_dir/1_b cannot be listed (permission denied)" in problems[0].message
    assert 'chmod +rx "image_dir/1_b"' in problems[0].fix
    assert "image_dir/1_a/1.png cannot be read: no permission" in problems[1].message
    assert 'chmod +r "image_dir/1_a/1.png"' in problems[1].fix


def test_one_pointer_is_named(odd_path: Path) -> None:
    problem = _spoilt(odd_path, POINTER % 1)
    assert (problem.code, problem.where) == ("dataset.lfs", NAME)
    assert f"{NAME} is a Git LFS pointer" in problem.message
    assert "`git lfs pull`" in problem.fix


def test_eighteen_pointers_are_one_problem(odd_path: Path) -> None:
    project = clean_project(odd_path)
    for number in range(18):
        (cat_dir(project) / f"p{number:02}.png").write_bytes(POINTER % number)
    problem = only(problems_of(project))
    assert (problem.code, problem.severity, problem.where) == ("dataset.lfs", "error", f"image_dir/{CAT}")
    assert "18 files are Git LFS pointers" in problem.message
    assert f"image_dir/{CAT}/p00.png" in problem.message
    assert "and 13 more" in problem.message
    assert "git lfs pull" in problem.fix


def test_pointers_of_captions_can_be_told_together_with_those_of_pictures(tmp_path: Path) -> None:
    project = ProjectPaths(tmp_path)
    paths = [project.image_dir / "1_a" / "1.png", project.reg_dir / "1_b" / "1.txt"]
    problem = only(lfs_problems(project, paths))
    assert problem.where == "."
    assert "image_dir/1_a/1.png, reg_dir/1_b/1.txt" in problem.message
    assert list(lfs_problems(project, [])) == []


@pytest.mark.parametrize("name", ["0.png", "1.jpg", "2.webp", "3.bmp"])
def test_a_truncated_picture_is_an_error(tmp_path: Path, name: str) -> None:
    project = clean_project(tmp_path)
    path = cat_dir(project) / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for tier in ("headers", "full"):
        problem = only(problems_of(project, "headers" if tier == "headers" else "full"))
        assert codes([problem]) == [("error", "dataset.image.truncated")]
        assert f"image_dir/{CAT}/{name} is broken: it is cut off (truncated)" in problem.message
        assert "Replace it" in problem.fix


def test_damage_that_the_trainer_does_not_mind_is_a_warning(tmp_path: Path) -> None:
    data = encoded(drawing(99, (400, 300)))
    problem = _spoilt(tmp_path, data[:-2])
    assert codes([problem]) == [("warning", "dataset.image.truncated")]
    assert "would train it as it is" in problem.message
    flipped = bytearray(encoded(drawing(99, (700, 600)), ".jpg", quality=92))
    flipped[len(flipped) // 2 : len(flipped) // 2 + 4096] = random.Random(1).randbytes(4096).replace(b"\xff", b"\xfe")
    problem = _spoilt(tmp_path / "jpeg", bytes(flipped), "1.jpg")
    assert codes([problem]) == [("warning", "dataset.image.damaged")]
    assert "parts of its pixels are lost" in problem.message


def test_a_wrong_checksum_is_damage(tmp_path: Path) -> None:
    data = bytearray(encoded(drawing(99, (400, 300))))
    data[20] ^= 1  # of the header
    problem = _spoilt(tmp_path, bytes(data))
    assert codes([problem]) == [("error", "dataset.image.damaged")]
    assert "checksum" in problem.message


@pytest.mark.parametrize(
    ("size", "expected", "words"),
    [
        ((14_000, 13_000), ("error", "dataset.image.bomb"), "14000x13000 (182 megapixels)"),
        ((10_000, 10_000), ("warning", "dataset.image.huge"), "10000x10000 (100 megapixels)"),
    ],
)
def test_pictures_of_too_many_pixels(
    tmp_path: Path, size: tuple[int, int], expected: tuple[str, str], words: str
) -> None:
    problem = _spoilt(tmp_path, png_header(*size))
    assert codes([problem]) == [expected]
    assert words in problem.message
    assert "Shrink it" in problem.fix


def test_a_file_that_is_too_large_to_be_looked_at_is_a_warning(tmp_path: Path) -> None:
    project = clean_project(tmp_path)
    with (cat_dir(project) / "3.bmp").open("r+b") as file:
        file.truncate(2 << 30)
    problem = only(problems_of(project))
    assert codes([problem]) == [("warning", "dataset.image.huge")]
    assert "a file of 2.1 GB" in problem.message


def test_every_kind_of_impostor_is_spoken_of(tmp_path: Path) -> None:
    from typing import get_args

    from loratpl.check.dataset_files.impostors import impostor_problems
    from loratpl.dataset.inspect import Impostor

    project = ProjectPaths(tmp_path)
    for kind in get_args(Impostor):
        if kind not in {"", "lfs"}:
            found = Inspection(str(write(tmp_path / "a.png")), impostor=kind, detail="something")
            problem = only(impostor_problems(project, found))
            assert "{" not in text_of(problem)
            assert problem.message.startswith("a.png ")
