"""Files that are configs in any encoding, and files that are none."""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path

import pytest

from loratpl.config.reading import read_config
from loratpl.config.reading.text import MAX_SIZE_BYTES
from loratpl.errors import ConfigError
from tests.config.reading.files import config_file, read, refused
from tests.given import refusal
from tests.stand_in import write_safetensors

CONTENTS = {
    "config.json": '{\r\n"output_name": "né 日本 😀"}',
    "config.yaml": "---\r\noutput_name: né 日本 😀",
    "config.toml": "# é\r\noutput_name = 'né 日本 😀'",
}
MARKS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("encoding", MARKS)
def test_every_unicode_encoding_is_read(tmp_path: Path, name: str, encoding: str) -> None:
    content = MARKS[encoding] + CONTENTS[name].encode(encoding)
    assert read(tmp_path, content, name) == ({"output_name": "né 日本 😀"}, {("output_name",): 2})


@pytest.mark.parametrize("name", CONTENTS)
def test_another_encoding_is_refused_with_the_line(tmp_path: Path, name: str) -> None:
    content = "x\n\n né".encode("latin-1")
    refused(tmp_path, content, name, "config.encoding", f"{name} line 3", "not UTF-8 (byte 5)", "Save it as UTF-8")


def test_broken_utf_16_is_refused(tmp_path: Path) -> None:
    content = codecs.BOM_UTF16_LE + b"{\0\0\xd8}\0"
    refused(tmp_path, content, "config.json", "config.encoding", "not UTF-16 (byte 4)")


@pytest.mark.parametrize("content", ['{"seed": 1}'.encode("utf-16-le"), b"\0" * 4096, b'{"seed": 1}' + b"\0" * 500])
def test_zero_bytes_are_explained(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, content, "config.json", "config.encoding", "zero bytes", "UTF-16", "UTF-8")


@pytest.mark.parametrize("name", ["lora.safetensors", "config.json"])
def test_a_weights_file_is_told(odd_path: Path, name: str) -> None:
    path = odd_path / name
    write_safetensors(path, {"a": [1.0] * (MAX_SIZE_BYTES // 2)})
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    refusal(caught.value, ConfigError, "config.encoding", f"{name} is a weights file (safetensors)", str(path))


@pytest.mark.parametrize(
    ("start", "kind"), [(b"PK\x03\x04", "zip archive"), (b"\x89PNG\r\n", "picture"), (b"\x80\x02}q", "pickle")]
)
def test_other_binary_files_are_told(tmp_path: Path, start: bytes, kind: str) -> None:
    refused(tmp_path, start + b"\xff" * 100, "config.yaml", "config.encoding", kind)


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_that_is_too_large_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, b" " * (MAX_SIZE_BYTES + 1), name, "config.unreadable", "more than 1 MiB")


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, b'{"seed": 1}'.ljust(MAX_SIZE_BYTES), "config.json")[0] == {"seed": 1}


def test_a_missing_config_is_refused(odd_path: Path) -> None:
    path = odd_path / "my config.json"
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    refusal(caught.value, ConfigError, "config.unreadable", "my config.json", str(path), "No such file")


def test_a_name_that_no_file_system_takes_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(Path("a\0b.json"))
    refusal(caught.value, ConfigError, "config.unreadable")


def test_a_folder_is_no_config(odd_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(odd_path)
    refusal(caught.value, ConfigError, "config.unreadable", str(odd_path), "is a folder")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with names in folders")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.json"
    os.mkfifo(path)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    refusal(caught.value, ConfigError, "config.unreadable", "no ordinary file")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = config_file(tmp_path, "{}")
    path.chmod(0)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    refusal(caught.value, ConfigError, "config.unreadable", "Permission denied")
