"""Names in a project: good on every system, and no two that are one file on some."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.dataset.intake.names import portable_stem, unique_stems
from loratpl.project.naming import UNSAFE_IN_NAMES, name_key


@pytest.mark.parametrize(
    "stem",
    [
        "1",
        "cat (2)",
        "日本 😀",
        "-dash",
        "it's",
        "a.b",
        "CON1",
        "console",
        "com",
        "auxiliary",
        " blank",
        "x" * 200,
        "é=ü",
    ],
)
def test_a_good_stem_stays(stem: str) -> None:
    assert portable_stem(stem) == stem


@pytest.mark.parametrize(
    ("stem", "new_stem"),
    [
        ("a:b*c?", "a-b-c-"),
        ('a\\"b|<c>', "a--b--c-"),
        ("a\nb\x7f", "a-b-"),
        ("caf\udce9", "caf-"),
        ("CON", "picture-CON"),
        ("aux", "picture-aux"),
        ("Nul.tar", "picture-Nul.tar"),
        ("com1", "picture-com1"),
        ("LPT9 ", "picture-LPT9 "),
        ("x" * 230, "x" * 200),
        ("日" * 80, "日" * 66),
    ],
)
def test_a_stem_that_is_trouble_somewhere_is_changed(stem: str, new_stem: str) -> None:
    assert portable_stem(stem) == new_stem


@given(st.dictionaries(st.text("aAéE\u0301ßs1?:.-", min_size=1, max_size=4), st.sampled_from([".png", ".jpg", ".PNG"])))
def test_no_two_pictures_share_a_stem_on_any_system(stems: dict[str, str]) -> None:
    pictures = {f"{stem}{extension}": extension for stem, extension in stems.items()}
    found = unique_stems(pictures)
    assert found.keys() == pictures.keys()
    assert len({name_key(stem) for stem in found.values()}) == len(pictures)
    assert not any(UNSAFE_IN_NAMES.search(stem) for stem in found.values())
