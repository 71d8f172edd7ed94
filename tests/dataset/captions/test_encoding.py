"""Guesses of encodings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.dataset.captions.encoding import guess_encoding, title_of


@pytest.mark.parametrize(
    ("text", "encoding", "title"),
    [
        ("a café, “nice” – x", "cp1252", "Windows-1252"),
        ("fée élégante à côté de l'île", "latin-1", "Windows-1252"),
        ("Müller läuft über die Straße", "cp1252", "Windows-1252"),
        ("façade, naïve, año", "cp1252", "Windows-1252"),
        ("ohwx кошка сидит на ковре", "cp1251", "Windows-1251"),
        ("ohwx кошка сидит на ковре", "koi8-r", "KOI8-R"),
        ("赤いマットの上の猫", "cp932", "Shift-JIS"),
        ("a photo of 猫の絵, 1girl", "cp932", "Shift-JIS"),
        ("赤いマットの上の猫", "euc_jp", "EUC-JP"),
        ("빨간 매트 위의 고양이", "cp949", "EUC-KR"),
        ("一只红色的猫坐在垫子上，", "gb18030", "GB2312"),
        ("一隻紅色的貓坐在墊子上", "big5", "Big5"),
        ("a cat", "utf-16", "UTF-16"),
        ("a cat", "utf-16-le", "UTF-16"),
        ("a cat", "utf-16-be", "UTF-16"),
        ("猫", "utf-16", "UTF-16"),
        ("a cat", "utf-32", "UTF-32"),
    ],
)
def test_a_text_of_its_language_is_recognised(text: str, encoding: str, title: str) -> None:
    content = text.encode(encoding)
    guessed = guess_encoding(content)
    assert title_of(guessed) == title
    assert content.decode(guessed) == text


@given(st.binary())
def test_a_guess_can_be_decoded(content: bytes) -> None:
    guessed = guess_encoding(content)
    if guessed:
        assert isinstance(content.decode(guessed, "replace" if "16" in guessed or "32" in guessed else "strict"), str)


def test_noise_is_not_named() -> None:
    assert guess_encoding(b"\xff\x81\x8d\x8f\x90") == ""
    assert guess_encoding(b"\0\xff\0\0\xff\xff") == ""
