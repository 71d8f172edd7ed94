"""The text of a config file, and what else a file that was taken for one may be."""

from __future__ import annotations

import codecs
from pathlib import Path

from loratpl.config.reading.raw import whole_problem
from loratpl.errors import ConfigError, Problem

# The largest config of the field has some ten kilobytes; a cache or a metadata file of a megabyte is none.
MAX_SIZE_BYTES = 1 << 20
# The mark of UTF-32 begins with that of UTF-16, so it is looked for first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY_STARTS = (
    (b"PK\x03\x04", "a zip archive, as .ckpt and .pt weights are"),
    (b"\x80\x02}", "a Python pickle, as old weights are"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"RIFF", "a picture or a recording"),
    (b"GGUF", "a weights file (GGUF)"),
)


def text_of(path: Path) -> str:
    """Returns the text of a config file: UTF-8, or UTF-16 and UTF-32 with a byte order mark, which is taken off.

    Raises:
        ConfigError: It cannot be read, is too large, is no text, or is written in another encoding.
    """
    content = _bytes_of(path)
    kind = _binary_kind(content)
    if kind is not None:
        reason = f"is {kind}, not a config"
        fix = "Name the file that holds the settings; it is JSON, YAML or TOML, and a text."
        raise ConfigError(whole_problem(path, "config.encoding", reason, fix))
    if len(content) > MAX_SIZE_BYTES:
        reason = f"has more than {MAX_SIZE_BYTES >> 20} MiB, which no training config has"
        raise ConfigError(whole_problem(path, "config.unreadable", reason, "Name the file that holds the settings."))
    mark, encoding = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", "utf-8"))
    if encoding == "utf-8" and b"\0" in content:
        reason = "holds zero bytes, as binary files, damaged files and UTF-16 without a byte order mark do"
        fix = "Save it as UTF-8 in your editor; where nothing of it is left, take it from a copy."
        raise ConfigError(whole_problem(path, "config.encoding", reason, fix))
    try:
        return content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(_undecodable(path, content, len(mark) + error.start, encoding)) from error


def _bytes_of(path: Path) -> bytes:
    """Returns the file's bytes, one more than are allowed where it is too large."""
    try:
        if path.is_dir():
            reason, fix = "is a folder", "Name the file in it that holds the settings."
            raise ConfigError(whole_problem(path, "config.unreadable", reason, fix))
        if path.exists() and not path.is_file():  # opening a pipe would wait for somebody to write
            reason, fix = "is no ordinary file", "Name an existing file; what its paths count from is its folder."
            raise ConfigError(whole_problem(path, "config.unreadable", reason, fix))
        with path.open("rb") as file:
            return file.read(MAX_SIZE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(whole_problem(path, "config.unreadable", reason, "Name an existing file.")) from error


def _binary_kind(content: bytes) -> str | None:
    # Safetensors: eight bytes of length, then a JSON object.
    if content[8:10] == b'{"' and 0 < int.from_bytes(content[:8], "little") < 1 << 32:
        return "a weights file (safetensors)"
    return next((kind for start, kind in _BINARY_STARTS if content.startswith(start)), None)


def _undecodable(path: Path, content: bytes, at: int, encoding: str) -> Problem:
    line = content.count(b"\n", 0, at) + 1
    return Problem(
        "config.encoding",
        f"{path.name} line {line} is not {encoding.upper().removesuffix('-LE').removesuffix('-BE')} (byte {at}).",
        f"{path.name} line {line}",
        "Save it as UTF-8 in your editor.",
    )
