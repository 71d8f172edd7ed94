"""The size of a picture, whatever the file is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from loratpl.dataset.probe import UNREADABLE, image_size

_KINDS: dict[str, dict[str, Any]] = {
    "png": {},
    "jpg": {},
    "jpeg": {"progressive": True},
    "webp": {},
    "bmp": {},
    "lossless.webp": {"lossless": True},
}
# The beginnings by which the readers tell one kind of file from another.
_BEGINNINGS = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"\xff\xd8\xff\xe0",
    b"RIFF\0\0\0\0WEBPVP8 ",
    b"RIFF\0\0\0\0WEBPVP8X",
    b"RIFF\0\0\0\0WEBPVP8L",
    b"BM",
    b"GIF89a",
    b"MM\0*",
    b"II*\0",
    b"II+\0",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"<svg ",
    b"P6 ",
]


@pytest.mark.parametrize("kind", _KINDS)
def test_the_size_of_every_kind_of_picture_is_read(odd_path: Path, kind: str) -> None:
    path = odd_path / f"a.{kind}"
    Image.new("RGB", (37, 53), "red").save(path, **_KINDS[kind])
    assert image_size(path) == (37, 53)


def test_a_turned_photograph_keeps_the_size_it_is_stored_in(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert image_size(tmp_path / "a.jpg") == (40, 20)


def test_an_extended_webp_has_the_size_that_the_trainer_takes_it_for(tmp_path: Path) -> None:
    # imagesize 1.4.1 forgets that the format stores both sides less one; so does the trainer's copy of it.
    Image.new("RGBA", (40, 20)).save(tmp_path / "a.webp", exif=Image.Exif())
    assert image_size(tmp_path / "a.webp") == (39, 19)


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20)).save(tmp_path / "a.png")
    assert image_size((tmp_path / "a.png").rename(tmp_path / "a.jpg")) == (40, 20)


def test_a_picture_that_is_cut_after_its_header_has_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.effect_noise((64, 32), 50).save(path)
    path.write_bytes(path.read_bytes()[:100])
    assert image_size(path) == (64, 32)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        b"<html><body>404</body></html>",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8",
    ],
)
def test_what_is_no_picture_has_no_size(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert image_size(path) == UNREADABLE


def test_a_folder_and_a_missing_file_have_no_size(tmp_path: Path) -> None:
    assert image_size(tmp_path) == UNREADABLE
    assert image_size(tmp_path / "missing.png") == UNREADABLE


@settings(deadline=None)
@given(beginning=st.sampled_from(_BEGINNINGS), rest=st.binary(max_size=80))
@example(beginning=b"RIFF\0\0\0\0WEBPVP8 ", rest=b"")
@example(beginning=b"MM\0*", rest=b"\0\0\0\0")
@example(beginning=b"II+\0", rest=b"\xff" * 12)
@example(beginning=b"II+\0", rest=b"\x08\0\0\0" + b"\xff" * 12)
def test_no_file_ends_the_scan(tmp_path_factory: pytest.TempPathFactory, beginning: bytes, rest: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.png"
    path.write_bytes(beginning + rest)
    width, height = image_size(path)
    assert (width, height) == UNREADABLE or min(width, height) >= 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert image_size(tmp_path / "a.png") == UNREADABLE
