"""Caption files that hold no caption."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from loratpl.dataset.captions import MAX_CAPTION_BYTES
from tests.check.captions.given_captions import CAT, captioned, found_in, problems_of, write_files
from tests.check.given_rules import codes, text_of
from tests.given import only

GOOD = "a photo of ohwx cat"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 120\n"


def test_captions_that_are_as_they_should_be_have_no_problem(odd_path: Path) -> None:
    texts = (
        "ohwx cat, sitting (on a mat:1.2), :3, >_<, \\(artist\\)\n",
        "猫 ohwx、赤いマットの上に座っている 👩\u200d🚀 ❤️\u200d🔥 🏴\U000e0067\U000e0062\U000e007f",
        "ohwx قطة جالسة على السجادة\u200f، نظر\r\n",
        "  ohwx नमस्\u200dते, می\u200cخواهم, ภาษา\u200bไทย\n\n",
    )
    files = captioned(*texts) | captioned("a cat", "a cat", folder="reg_dir/1_cat")
    files |= {f"{CAT}/README.txt": "mine", f"{CAT}/nobody.json": "{}"}
    assert problems_of(odd_path, files) == []


def test_a_project_without_captions_has_no_problem(odd_path: Path) -> None:
    files = {f"{CAT}/1.png": None, f"{CAT}/2.png": None, "image_dir/5_b/a_1.png": None, "reg_dir/1_cat/1.png": None}
    assert problems_of(odd_path, files) == []


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", "empty", "0 bytes"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "foreign", "a PNG picture; the trainer ends on it"),
        ("<!DOCTYPE html>\n<html><body>404</body></html>", "foreign", "a web page; it would be trained"),
        ("\ufeff\n <HTML>", "foreign", "a web page"),
        ("{\\rtf1\\ansi ohwx cat}", "foreign", "rich text"),
        (bytes(range(32)) * 4, "foreign", "binary data; it would be trained"),
        (b"ohwx" * (MAX_CAPTION_BYTES // 4 + 1), "foreign", "a file of 1.0 MB"),
        ("ohwx café".encode("cp1252"), "encoding", "is not UTF-8 (byte 9); the text looks like Windows-1252"),
        ("ohwx 猫の絵".encode("cp932"), "encoding", "Shift-JIS"),
        ("ohwx cat".encode("utf-16"), "encoding", "looks like UTF-16. The trainer ends on it"),
        ("ohwx cat".encode("utf-16-le"), "encoding", "every second byte is 0; the text looks like UTF-16. Noise"),
        (b"ohwx \xff\xfe\x81 \x8d\x8f\x90", "encoding", "is not UTF-8 (byte 6)."),
    ],
)
def test_a_file_that_is_no_caption_is_an_error(odd_path: Path, content: str | bytes, code: str, said: str) -> None:
    problem = only(problems_of(odd_path, captioned(GOOD, content)))
    assert (problem.severity, problem.code) == ("error", f"dataset.caption.{code}")
    assert problem.where == f"{CAT}/2.txt"
    assert problem.where in problem.message
    assert said in problem.message
    assert problem.fix


def test_the_fix_of_an_encoding_is_a_command(tmp_path: Path) -> None:
    problem = only(problems_of(tmp_path, captioned("ohwx кошка на ковре".encode("cp1251"))))
    assert "iconv -f CP1251 -t UTF-8" in problem.fix


def test_a_folder_in_another_encoding_is_one_problem(tmp_path: Path) -> None:
    files = captioned(*[f"ohwx café {number}".encode("cp1252") for number in range(7)])
    problem = only(problems_of(tmp_path, files | captioned("a café".encode("cp1252"), folder="reg_dir/1_cat"))[:1])
    assert problem.where == CAT
    assert "7 captions" in problem.message
    assert "and 2 more" in problem.message
    assert codes(found_in(tmp_path)) == [("error", "dataset.caption.encoding")] * 2


def test_pointers_of_git_lfs_are_one_problem_for_all(odd_path: Path) -> None:
    files = (
        captioned(*[POINTER] * 6) | captioned(POINTER, folder="reg_dir/1_cat") | captioned(GOOD, folder="image_dir/1_b")
    )
    problem = only(problem for problem in problems_of(odd_path, files) if problem.severity == "error")
    assert problem.code == "dataset.caption.lfs"
    assert "7 captions of 8 are Git LFS pointers" in problem.message
    assert "and 2 more" in problem.message
    assert "git lfs pull" in problem.fix


def test_pointers_of_git_lfs_cover_up_nothing_and_add_nothing(tmp_path: Path) -> None:
    problem = only(problems_of(tmp_path, captioned(POINTER, POINTER)))
    assert problem.where == CAT
    problem = only(problems_of(tmp_path / "one", captioned(POINTER)))
    assert problem.where == f"{CAT}/1.txt"
    assert "1 caption of 1 is a Git LFS pointer" in problem.message


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the administrator may read everything")
def test_a_caption_without_permission_is_an_error(odd_path: Path) -> None:
    write_files(odd_path, captioned(GOOD, GOOD))
    path = odd_path / CAT / "2.txt"
    path.chmod(0)
    problem = only(found_in(odd_path))
    assert (problem.severity, problem.code) == ("error", "dataset.caption.unreadable")
    assert "Permission denied" in problem.message
    assert "chmod +r" in problem.fix


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a file that nobody can read from its start")
def test_a_caption_that_the_system_cannot_read_is_an_error(odd_path: Path) -> None:
    write_files(odd_path, captioned(GOOD) | {f"{CAT}/2.png": None})
    (odd_path / CAT / "2.txt").symlink_to("/proc/self/mem")
    problem = only(found_in(odd_path))
    assert (problem.severity, problem.code) == ("error", "dataset.caption.unreadable")
    assert f"{CAT}/2.txt cannot be read (Input/output error)" in problem.message


def test_many_problems_in_one_project_are_all_told(tmp_path: Path) -> None:
    found = problems_of(tmp_path, captioned(GOOD, b"", "\ufeffohwx", "ohwx\nsecond", "\xe9".encode("latin-1"), ""))
    assert sorted(code.removeprefix("dataset.caption.") for _, code in codes(found)) == [
        "bom", "empty", "empty", "encoding", "lines",
    ]  # fmt: skip
    assert all(text_of(problem).count(".txt") for problem in found)
