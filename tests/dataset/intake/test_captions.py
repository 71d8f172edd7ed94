"""The template of captions: what it fills in, and what it refuses."""

from __future__ import annotations

import pytest

from loratpl.dataset.intake.captions import PLACEHOLDERS, parse_template, words_of
from loratpl.errors import ExitCode, UsageError
from tests.given import refusal


@pytest.mark.parametrize(
    ("text", "class_tokens", "stem", "expected"),
    [
        ("{concept}", "ohwx cat", "1", "ohwx cat"),
        ("a photo of {trigger}, a {class}", "ohwx black cat", "1", "a photo of ohwx, a black cat"),
        ("{concept}, {tags}", "ohwx cat", "asleep_sofa", "ohwx cat, asleep sofa"),
        ("{concept}, {tags}", "ohwx cat", "0001", "ohwx cat"),
        ("{tags}, {concept}", "ohwx cat", "0001", "ohwx cat"),
        ("{concept}, {tags}, photo", "ohwx cat", "0001", "ohwx cat, photo"),
        ("{trigger}, {class}", "ohwx", "1", "ohwx"),
        ("{stem}", "ohwx cat", "my cat_1", "my cat_1"),
        ("plain, text", "ohwx cat", "1", "plain, text"),
        ("{{{concept}}}", "ohwx cat", "1", "{ohwx cat}"),
        ("{tags}", "ohwx cat", "0001", ""),
        ("  {concept} ", "ohwx cat", "1", "ohwx cat"),
        ("{stem}", "ohwx cat", "{trigger}", "{trigger}"),
    ],
)
def test_a_caption_is_filled_in(text: str, class_tokens: str, stem: str, expected: str) -> None:
    assert parse_template(text).fill(class_tokens, stem) == expected


@pytest.mark.parametrize(
    ("stem", "words"),
    [
        ("black_cat-asleep", "black cat asleep"),
        ("cat (3)", "cat"),
        ("IMG_20230101_123456", ""),
        ("DSCF0001 cat", "cat"),
        ("3f2a9c0d11ee_cat", "cat"),
        ("decade facade", "decade facade"),
        ("90s style", "90s style"),
        ("日本__犬", "日本 犬"),
        ("", ""),
    ],
)
def test_the_words_of_a_name_are_without_numbers(stem: str, words: str) -> None:
    assert words_of(stem) == words


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        (" , ", "it is empty"),
        ("a\nb", "the first line"),
        ("a\u2028b", "the first line"),
        ("{token}", "no placeholder {token}"),
        ("{}", "no placeholder {}"),
        ("{0}", "no placeholder {0}"),
        ("{stem.__class__}", "no placeholder {stem.__class__}"),
        ("{stem!r}", "no placeholder {stem!r}"),
        ("{stem:>9}", "no placeholder {stem:>9}"),
        ("{stem", "without its other half"),
        ("stem}", "without its other half"),
        ("caf\udce9", "no Unicode"),
    ],
)
def test_what_cannot_be_filled_in_is_refused_with_what_can(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_template(text)
    refusal(caught.value, UsageError, "usage.caption", reason, *(f"{{{name}}}" for name in PLACEHOLDERS))
    assert caught.value.exit_code is ExitCode.USAGE
