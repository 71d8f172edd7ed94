"""Pictures and caption files that do not find each other, or the wrong one."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.check.captions.given_captions import CAT, captioned, found_in, problems_of, write_files
from tests.check.given_rules import codes
from tests.given import only

EXACT_NAMES = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there case makes no difference")
GOOD = "ohwx cat"


def test_pictures_without_a_caption_among_others_are_a_warning(odd_path: Path) -> None:
    files = captioned(GOOD, GOOD) | {f"{CAT}/{name}.png": None for name in "abcdefg"}
    problem = only(problems_of(odd_path, files))
    assert (problem.severity, problem.code, problem.where) == ("warning", "dataset.caption.missing", CAT)
    assert f"7 of 9 pictures of {CAT} have no caption: a.png, b.png, c.png, d.png, e.png and 2 more." in problem.message
    assert "trained on the folder's name, `ohwx cat`" in problem.message


def test_one_picture_without_a_caption_is_named(tmp_path: Path) -> None:
    problem = only(problems_of(tmp_path, captioned(GOOD) | {f"{CAT}/x.png": None}))
    assert problem.where == f"{CAT}/x.png"
    assert "1 of 2 pictures" in problem.message
    assert "It would be trained" in problem.message


@pytest.mark.parametrize("name", ["2_", "2"])
def test_a_folder_without_a_name_needs_captions(odd_path: Path, name: str) -> None:
    problem = only(problems_of(odd_path, {f"image_dir/{name}/1.png": None, f"image_dir/{name}/2.png": None}))
    assert (problem.severity, problem.code, problem.where) == (
        "warning",
        "dataset.caption.missing",
        f"image_dir/{name}",
    )
    assert "empty caption" in problem.message
    assert "Give the folder a name" in problem.fix


def test_a_folder_without_a_name_that_has_captions_is_no_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path, captioned("x", folder="image_dir/2_")) == []


def test_a_concept_without_captions_beside_captioned_ones_is_a_warning(tmp_path: Path) -> None:
    problem = only(problems_of(tmp_path, captioned(GOOD) | {"image_dir/1_b/1.png": None, "reg_dir/1_cat/1.png": None}))
    assert (problem.code, problem.where) == ("dataset.caption.missing", "image_dir/1_b/1.png")
    assert "image_dir/1_b has no captions" in problem.message


def test_a_caption_without_a_picture_is_a_warning(odd_path: Path) -> None:
    problem = only(problems_of(odd_path, captioned(GOOD) | {f"{CAT}/7.txt": GOOD}))
    assert (problem.severity, problem.code, problem.where) == ("warning", "dataset.caption.orphan", f"{CAT}/7.txt")
    assert "7.txt" in problem.message
    write_files(odd_path, {f"{CAT}/8.txt": GOOD})
    problem = only(found_in(odd_path))
    assert problem.where == CAT
    assert "2 captions" in problem.message


def test_the_caption_of_a_picture_that_is_not_trained_is_no_orphan(tmp_path: Path) -> None:
    write_files(tmp_path, captioned(GOOD) | {f"{CAT}/7.txt": GOOD, f"{CAT}/7.gif": b"GIF89a"})
    assert found_in(tmp_path) == []


@EXACT_NAMES
@pytest.mark.parametrize(
    ("picture", "name", "right_name"),
    [
        ("2.png", "2.TXT", "2.txt"),
        ("Two.png", "two.txt", "Two.txt"),
        ("2.png", "2.png.txt", "2.txt"),
        ("é.png", unicodedata.normalize("NFD", "é.txt"), "é.txt"),
    ],
)
def test_a_name_that_is_nearly_right_is_a_warning(tmp_path: Path, picture: str, name: str, right_name: str) -> None:
    problem = only(problems_of(tmp_path, captioned(GOOD) | {f"{CAT}/{picture}": None, f"{CAT}/{name}": GOOD}))
    assert (problem.severity, problem.code, problem.where) == ("warning", "dataset.caption.name", f"{CAT}/{name}")
    assert name in problem.message
    assert f"to `{right_name}`" in problem.fix


@EXACT_NAMES
def test_names_that_are_all_nearly_right_are_an_error(tmp_path: Path) -> None:
    files = {f"{CAT}/1.png": None, f"{CAT}/1.TXT": GOOD, f"{CAT}/2.png": None, f"{CAT}/2.TXT": GOOD}
    problem = only(problems_of(tmp_path, files))
    assert (problem.severity, problem.code, problem.where) == ("error", "dataset.caption.name", CAT)
    assert "1.TXT, 2.TXT" in problem.message


@pytest.mark.parametrize(("option", "found"), [(".caption", ".txt"), ("cap", ".txt"), (".txt", ".caption")])
def test_an_extension_that_misses_all_captions_is_an_error_and_names_the_right_one(
    odd_path: Path, option: str, found: str
) -> None:
    files = {
        f"{CAT}/1.png": None,
        f"{CAT}/1{found}": GOOD,
        "reg_dir/1_cat/1.png": None,
        f"reg_dir/1_cat/1{found}": "a cat",
    }
    problem = only(problems_of(odd_path, files, caption_extension=option))
    assert (problem.severity, problem.code) == ("error", "dataset.caption.extension")
    assert "caption_extension" in problem.where
    assert f"the captions of 2 of 2 pictures are `{found}` files ({CAT}, reg_dir/1_cat)" in problem.message
    assert f'`"caption_extension": "{found}"`' in problem.fix


def test_the_misspelt_option_is_the_one_to_change_where_it_is_set(tmp_path: Path) -> None:
    problem = only(problems_of(tmp_path, captioned(GOOD), caption_extention=".caption", caption_extension=".txt"))
    assert '"caption_extention": ".txt"' in problem.fix


def test_an_extension_that_misses_some_captions_is_a_warning(tmp_path: Path) -> None:
    problem = only(problems_of(tmp_path, captioned(GOOD) | {f"{CAT}/2.png": None, f"{CAT}/2.caption": GOOD}))
    assert (problem.severity, problem.code, problem.where) == ("warning", "dataset.caption.extension", CAT)
    assert "1 picture of" in problem.message
    assert "Rename these files to `.txt`" in problem.fix


def test_captions_of_two_kinds_beside_each_other_are_no_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path, captioned(GOOD) | {f"{CAT}/1.caption": GOOD, f"{CAT}/1.tags": GOOD}) == []


@pytest.mark.parametrize("option", [".none", ".none-use-foldername"])
def test_who_wants_the_folders_names_is_left_in_peace(tmp_path: Path, option: str) -> None:
    assert problems_of(tmp_path, captioned(GOOD, GOOD), caption_extension=option) == []


def test_a_folder_with_the_name_of_a_caption_is_named(odd_path: Path) -> None:
    write_files(odd_path, captioned(GOOD) | {f"{CAT}/2.png": None})
    (odd_path / CAT / "2.txt").mkdir()
    problem = only(found_in(odd_path))
    assert (problem.severity, problem.code, problem.where) == ("warning", "dataset.caption.no_file", f"{CAT}/2.txt")
    assert "is a folder" in problem.message


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders, and links need rights")
def test_pipes_and_links_that_lead_nowhere_are_named_and_nobody_waits(odd_path: Path) -> None:
    write_files(odd_path, captioned(GOOD) | {f"{CAT}/{number}.png": None for number in (2, 3, 4)})
    os.mkfifo(odd_path / CAT / "2.txt")
    (odd_path / CAT / "3.txt").symlink_to("nowhere.txt")
    (odd_path / CAT / "4.txt").symlink_to("4.txt")
    found = found_in(odd_path)
    assert codes(found) == [("warning", "dataset.caption.no_file")] * 3
    assert ["pipe" in found[0].message, *("a link that" in problem.message for problem in found[1:])] == [True] * 3


@pytest.mark.parametrize(
    ("picture", "source", "severity"),
    [
        ("x_1_2_3_d.png", "x.txt", "error"),
        ("x_a_b_c_d.png", "x.txt", "error"),
        ("x_10_20_30_40.png", "x.txt", "warning"),
        ("x_0100_0020_0512_0512.png", "x.txt", None),
    ],
)
def test_a_picture_that_takes_the_text_of_another_is_told(
    odd_path: Path, picture: str, source: str, severity: str | None
) -> None:
    files = captioned(GOOD) | {f"{CAT}/x.png": None, f"{CAT}/{source}": GOOD, f"{CAT}/{picture}": None}
    found = problems_of(odd_path, files)
    assert [problem.severity for problem in found] == ([severity] if severity else [])
    for problem in found:
        assert (problem.code, problem.where) == ("dataset.caption.borrowed", f"{CAT}/{picture}")
        assert f"{picture} in {CAT} would be trained on the text of {CAT}/{source}" in problem.message


def test_underscores_of_folders_count_as_well(tmp_path: Path) -> None:
    project = tmp_path / "u_1" / "v_2"  # `image_dir` and `10_ohwx` have one each
    write_files(project, {f"{CAT}/plain.png": None})
    (tmp_path / "u.txt").write_text("another text", encoding="utf-8")
    found = [problem for problem in found_in(project) if problem.code == "dataset.caption.borrowed"]
    assert only(found).severity == "error"
    assert str(tmp_path / "u.txt") in found[0].message


def test_underscores_that_lead_nowhere_are_no_matter(tmp_path: Path) -> None:
    assert problems_of(tmp_path, {f"{CAT}/a_b_c_d_e_f_g.png": None}) == []
