"""Captions: the text that was meant, in the form that the trainer reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.check.captions.content import hidden_characters
from loratpl.fix.captions import normalised, sure_encoding
from tests.fix.mended import Mended, drawing

ODD = st.text(
    st.one_of(
        st.sampled_from("ab \r\n\ufeff\u200b\u200d\u200e\x00\x0b\u2028\u00ad\ufffd👩🚀न"), st.characters(codec="utf-8")
    )
)


def _text(content: bytes, *, is_wildcard: bool = False) -> bytes:
    result = normalised(content, is_wildcard=is_wildcard)
    return content if result is None else result.content


@given(ODD, st.booleans())
def test_once_is_enough_and_nothing_hidden_is_left(text: str, is_wildcard: bool) -> None:
    content = text.encode("utf-8")
    result = normalised(content, is_wildcard=is_wildcard)
    if result is None or not result.content:
        return
    assert normalised(result.content, is_wildcard=is_wildcard) is None
    found = result.content.decode("utf-8")
    for line in found.splitlines():
        assert set(hidden_characters(line)) <= {"\ufffd"}
    assert is_wildcard or found.split("\n")[0].strip()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\ufeffa cat".encode(), b"a cat"),
        ("a cat".encode("utf-16"), b"a cat"),
        ("a cat\r\n".encode("utf-32"), b"a cat\r\n"),
        ("a cat".encode("utf-16-le"), b"a cat"),
        ("a café, crème brûlée".encode("cp1252"), "a café, crème brûlée".encode()),
        ("a cat’s “house” – 20°C".encode("cp1252"), "a cat’s “house” – 20°C".encode()),
        ("ein Mädchen in der Straße".encode("latin-1"), "ein Mädchen in der Straße".encode()),
        ("¿una niña?".encode("latin-1"), "¿una niña?".encode()),
        ("猫のいる部屋".encode("cp932"), "猫のいる部屋".encode()),
        ("рыжая кошка".encode("cp1251"), "рыжая кошка".encode()),
        (b"\n \n\ta cat\nline two", b"\ta cat\nline two"),
        ("a\u200b cat\u2028on a\x00 mat".encode(), b"a cat on a mat"),
    ],
)
def test_what_was_meant(content: bytes, expected: bytes) -> None:
    assert _text(content) == expected
    assert normalised(expected, is_wildcard=False) is None


@pytest.mark.parametrize(
    "content",
    [
        "kość słoniowa, żółty".encode("cp1250"),
        "žluťoučký kůň".encode("cp1250"),
        "白猫".encode("gb2312"),
        "γάτα".encode("cp1253"),
        b"\x89PNG\r\n\x1a\n\0\0\0",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        b"<!DOCTYPE html><html>",
        b"caf\x81 \xfe\xff\x90",
        b" \n",
        "👩\u200d🚀 नमस्\u200dते".encode(),
        b"a cat\r\nline two",
    ],
)
def test_what_is_not_certain_is_left(content: bytes) -> None:
    assert normalised(content, is_wildcard=False) is None


def test_blank_lines_do_no_harm_where_each_line_is_a_caption() -> None:
    assert normalised(b"\na cat\n\na dog", is_wildcard=True) is None


def test_encodings_that_are_not_certain() -> None:
    assert sure_encoding("łódź".encode("cp1250")) == ""
    assert sure_encoding("貓".encode("big5")) == ""


def test_files_without_text_make_room_for_the_class_tokens(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    for name, content in (("empty", b""), ("mark", b"\xef\xbb\xbf"), ("blank", b"  \n"), ("full", b"a cat")):
        drawing().save(mended.folder / f"{name}.png")
        (mended.folder / f"{name}.txt").write_bytes(content)
    nameless = mended.paths.image_dir / "7"
    nameless.mkdir()
    drawing().save(nameless / "1.png")
    (nameless / "1.txt").write_bytes(b"")
    (mended.folder / "notes.txt").write_bytes(b"")  # nobody's caption
    mended.fix()
    assert [name for name in mended.names() if name.endswith(".txt")] == ["blank.txt", "full.txt", "notes.txt"]
    assert (nameless / "1.txt").is_file()


def test_only_what_a_picture_uses_is_written_anew(tmp_path: Path) -> None:
    mended = Mended(tmp_path, {"caption_extension": ".caption"})
    drawing().save(mended.folder / "1.png")
    drawing().save(mended.folder / "face_1_2_3_4.png")
    for name in ("1.txt", "1.caption", "face.caption", "readme.caption"):
        (mended.folder / name).write_bytes(b"\xef\xbb\xbfa cat")
    mended.fix()
    changed = [name for name in mended.names() if (mended.folder / name).read_bytes() == b"a cat"]
    assert changed == ["1.caption", "face.caption"]
