"""Captions that are read, and not as they were meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.check.captions.content import hidden_characters
from tests.check.captions.given_captions import CAT, captioned, problems_of
from tests.given import only


@pytest.mark.parametrize(
    ("content", "code", "said", "fix"),
    [
        ("\ufeffohwx cat", "bom", "BOM", "without BOM"),
        ("\nohwx cat", "blank", "begins in line 2", "Remove the empty lines"),
        (" \r\n\t\r\nohwx cat", "blank", "begins in line 3", "Remove the empty lines"),
        ("\n", "blank", "nothing but blanks", "delete it"),
        (" \u3000\r", "blank", "nothing but blanks", "delete it"),
        ("ohwx cat\n\non a mat", "lines", "has 2 lines, and the trainer uses the first alone: from line 3", "Join"),
        ("ohwx cat\ron a mat", "lines", "line 2", "enable_wildcard"),
        ("ohwx\u200b cat", "hidden", "zero width space (U+200B)", "Remove"),
        ("ohwx \u202ecat", "hidden", "right-to-left override (U+202E)", "Remove"),
        ("ohwx \0cat", "hidden", "NUL (U+0000)", "Remove"),
        ("ohwx \ufffdcat", "hidden", "replacement character", "Remove"),
        ("ohwx cat\u2028on a mat", "hidden", "line separator", "Remove"),
        ("ohwx so\u00adfa", "hidden", "soft hyphen", "Remove"),
    ],
)
def test_what_is_trained_otherwise_than_it_looks_is_a_warning(
    odd_path: Path, content: str, code: str, said: str, fix: str
) -> None:
    problem = only(problems_of(odd_path, captioned("ohwx cat", content)))
    assert (problem.severity, problem.code) == ("warning", f"dataset.caption.{code}")
    assert problem.where == f"{CAT}/2.txt"
    assert problem.where in problem.message
    assert said in problem.message
    assert fix in problem.fix


def test_lines_are_captions_of_their_own_with_wildcards(tmp_path: Path) -> None:
    assert problems_of(tmp_path, captioned("\nohwx cat\n\nohwx tabby"), enable_wildcard=True) == []


def test_a_file_that_two_pictures_share_is_told_once(tmp_path: Path) -> None:
    files = captioned("ohwx\ntwo") | {f"{CAT}/1.jpg": None}
    assert only(problems_of(tmp_path, files)).code == "dataset.caption.lines"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u200dcat", ["\u200d"]),
        ("a\u200ccat \u200c", ["\u200c"]),
        ("e\u0301 ❤️ 1️⃣ 🏳️\u200d🌈", []),
        ("\u2066cat\u2069", ["\u2066", "\u2069"]),
        ("\u2067قطة\u2069", []),
        ("cat\u200b\u200b", ["\u200b"]),
        ("ខ្មែរ\u200bភាសា", []),
        ("a\U000e0041", ["\U000e0041"]),
        ("tab\tis no matter\u00a0nor is this", []),
        ("\x7f\x1b", ["\x7f", "\x1b"]),
    ],
)
def test_characters_are_hidden_where_no_script_needs_them(text: str, expected: list[str]) -> None:
    assert hidden_characters(text) == expected
