"""Braces, separators, and tags that keep their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.check.captions.given_captions import CAT, captioned, problems_of
from tests.given import only


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("ohwx {red|blue} cat", {}, "`{red|blue}`, but enable_wildcard is off"),
        ("ohwx {red|blue cat", {"enable_wildcard": True}, "braces"),
        ("ohwx red|blue} cat", {"enable_wildcard": True}, "braces"),
        ("ohwx {red|{dark|light}blue} cat", {"enable_wildcard": True}, "braces"),
        ("ohwx {red\nohwx blue}", {"enable_wildcard": True}, "braces"),
        ("ohwx {} cat", {"enable_wildcard": True}, "braces"),
    ],
)
def test_choices_that_would_not_be_made_are_a_warning(
    odd_path: Path, text: str, options: dict[str, Any], said: str
) -> None:
    problem = only(problems_of(odd_path, captioned("ohwx", text), **options))
    assert (problem.severity, problem.code) == ("warning", "dataset.caption.wildcard")
    assert problem.where == f"{CAT}/2.txt"
    assert said in problem.message


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("ohwx {red|blue} {cat}", {"enable_wildcard": True}),
        ("ohwx {{red}} \\{", {}),
        ("ohwx {{red}} {a|b}", {"enable_wildcard": True}),
        ("ohwx }:|, {|}, {", {}),
    ],
)
def test_braces_that_are_meant_are_no_problem(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    assert problems_of(tmp_path, captioned(text), **options) == []


@pytest.mark.parametrize(
    ("texts", "options", "at"),
    [
        (("ohwx a", "ohwx b"), {"shuffle_caption": True}, "shuffle_caption"),
        (("ohwx, a", "ohwx, b"), {"shuffle_caption": True, "caption_separator": "|"}, "shuffle_caption"),
        (("ohwx, a", "ohwx, b, c"), {"shuffle_caption": True, "keep_tokens": 3}, "keep_tokens"),
        (("ohwx, a",), {"shuffle_caption": True, "keep_tokens_separator": "|||"}, "keep_tokens_separator"),
        (("ohwx, a",), {"caption_tag_dropout_rate": 0.1, "keep_tokens_separator": "|||"}, "keep_tokens_separator"),
        (("ohwx, a",), {"secondary_separator": ";;;"}, "secondary_separator"),
    ],
)
def test_an_option_that_does_nothing_to_these_captions_is_a_warning(
    tmp_path: Path, texts: tuple[str, ...], options: dict[str, Any], at: str
) -> None:
    problem = only(problems_of(tmp_path, captioned(*texts), **options))
    assert (problem.severity, problem.code) == ("warning", "config.ignored")
    assert at in problem.where
    assert at in problem.message


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (("ohwx a", "ohwx, b"), {"shuffle_caption": True}),
        (("ohwx, a, b",), {"shuffle_caption": True, "keep_tokens": 1}),
        (("ohwx a ||| b, c", "ohwx"), {"shuffle_caption": True, "keep_tokens_separator": "|||", "keep_tokens": 5}),
        (("ohwx, a",), {"keep_tokens_separator": "|||"}),
        (("ohwx, a;;;b",), {"secondary_separator": ";;;"}),
        ((), {"shuffle_caption": True, "secondary_separator": ";;;", "keep_tokens": 9}),
    ],
)
def test_an_option_that_does_something_is_no_problem(
    tmp_path: Path, texts: tuple[str, ...], options: dict[str, Any]
) -> None:
    assert (
        problems_of(
            tmp_path,
            {**captioned(*texts), f"{CAT}/0.png": None, f"{CAT}/0.txt": "ohwx"} if texts else {f"{CAT}/0.png": None},
            **options,
        )
        == []
    )
