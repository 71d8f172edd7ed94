"""One caption file, read as the trainer reads it."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loratpl.dataset.captions import MAX_CAPTION_BYTES, Fault, read_caption_file
from loratpl.dataset.captions.reading import judge_content

TEXTS = st.text(st.sampled_from("ab ,\n\r\t\x0b\x0c\x1c\x85\u2028\u3000\ufeff猫{|}\0"))
CONTENTS = st.one_of(st.binary(), TEXTS.map(lambda text: text.encode("utf-8")), TEXTS.map(lambda t: t.encode("utf-16")))


def trainers_reading(content: bytes, *, enable_wildcard: bool) -> str | None:
    """Returns what Python's text mode makes of these bytes by the trainer's rule, None where the trainer ends."""
    try:
        lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").readlines()
    except UnicodeDecodeError:
        return None
    if not lines:
        return None
    if enable_wildcard:
        return "\n".join(line.strip() for line in lines if line.strip())
    return lines[0].strip()


@given(CONTENTS, st.booleans())
@example(b"version https://git-lfs.github.com/spec/v1\noid x\n", True)
@example(b"version https://git-lfs.github.com/spec/v1\n\xff", False)
@example(b"<html>\xff", False)
@example(b"a\rb", False)
@example(b"\r\n", False)
def test_the_text_is_what_the_trainer_takes(content: bytes, enable_wildcard: bool) -> None:
    file = judge_content("1.txt", content, enable_wildcard=enable_wildcard)
    expected = trainers_reading(content, enable_wildcard=enable_wildcard)
    assert (None if file.ends_training else file.text) == expected
    assert file.size_bytes == len(content)
    assert file.ends_training <= (file.fault is not None)


@given(TEXTS.filter(lambda text: "\0" not in text))
def test_lines_are_numbered_as_editors_number_them(text: str) -> None:
    file = judge_content("1.txt", text.encode("utf-8"))
    filled = [number for number, line in enumerate(io.StringIO(text, newline=None), 1) if line.strip()]
    if text:
        assert (file.line_count, file.first_line) == (len(filled), filled[0] if filled else 0)
        assert file.dropped_line == next((number for number in filled if number > 1), 0)


def test_what_the_trainer_takes_for_no_file_is_none(odd_path: Path) -> None:
    (odd_path / "folder.txt").mkdir()
    assert read_caption_file(str(odd_path / "folder.txt")) is None
    assert read_caption_file(str(odd_path / "nothing.txt")) is None
    assert read_caption_file("a\0b.txt") is None


def test_a_file_is_read_from_disk(odd_path: Path) -> None:
    path = odd_path / "1.txt"
    path.write_bytes(b"ohwx cat \r\nsecond\r\n")
    file = read_caption_file(str(path))
    assert file is not None
    assert (file.text, file.line_count, file.dropped_line, file.fault) == ("ohwx cat", 2, 2, None)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders")
def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.txt")
    assert read_caption_file(str(tmp_path / "1.txt")) is None


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there are no devices here")
def test_a_device_is_never_read() -> None:
    assert read_caption_file("/dev/zero") is None


@pytest.mark.timeout(20)
def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "1.txt"
    with path.open("wb") as stream:
        stream.truncate(2_000_000_000)  # takes no room where the file system knows holes
    file = read_caption_file(str(path))
    assert file is not None
    assert (file.fault, file.detail) == (Fault.FOREIGN, "a file of 2,000.0 MB")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there are no such files elsewhere")
def test_a_file_that_is_larger_than_it_says_is_read_to_the_limit_at_most() -> None:
    file = read_caption_file("/proc/self/status")  # says that it has 0 bytes
    assert file is not None
    assert 0 < file.size_bytes <= 2 * MAX_CAPTION_BYTES
    assert file.text.startswith("Name:")


def test_a_file_at_the_limit_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "1.txt"
    path.write_bytes(b"a" * MAX_CAPTION_BYTES)
    file = read_caption_file(str(path))
    assert file is not None
    assert (len(file.text), file.fault) == (MAX_CAPTION_BYTES, None)
