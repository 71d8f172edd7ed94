"""One caption file → the text that the trainer takes from it, and what is odd about it.

The rules (sd-scripts 48d368fa, `read_caption`): a file is read whole as UTF-8, lines end as everywhere in Python's
text mode; the first line is the caption, or with wildcards every line that is not blank; a file of no bytes and one
that is not UTF-8 end the training. A byte order mark stays in the text.
"""

from __future__ import annotations

import enum
import errno
import os
import stat
from dataclasses import dataclass

from loratpl.dataset.captions.encoding import guess_encoding, guess_wide

# Beyond this nothing is a caption: the longest prompts have some ten thousand bytes.
MAX_CAPTION_BYTES = 1024 * 1024
_BOM = "\ufeff"
_LFS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_MAGIC = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture or a sound"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"{\\rtf", "a document in rich text format (RTF)"),
)
_ALL_MAGIC = tuple(magic for magic, _ in _MAGIC)
_HTML = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")
_HEAD_BYTES = 256
_BLANK = b"\xef\xbb\xbf \r\n\t"  # a byte order mark among it
# What no text has in plenty; random bytes are control characters to a tenth.
_CONTROLS = bytes((*range(9), *range(14, 32), 127))
_BINARY_SHARE = 0.05
_BINARY_LEAST = 4
# Windows opens files as text unless told otherwise; elsewhere a pipe must never make us wait.
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Fault(enum.Enum):
    """Why no caption comes of a file: the trainer ends on it, or trains something that nobody wrote."""

    EMPTY = "empty"
    ENCODING = "encoding"
    UNREADABLE = "unreadable"
    LFS = "lfs"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """A caption file.

    Attributes:
        path: Its full path.
        size_bytes: Its size.
        text: What the trainer takes from it; "" where it ends.
        fault: Why that is no caption, None for one that is.
        detail: What it is instead, or what the system says; a codec (or "") where the encoding is the fault.
        bad_byte: Where the first byte lies that is not UTF-8, -1 for none.
        line_count: How many lines hold text.
        first_line: The number of the first of them, 0 for none.
        dropped_line: The number of the first of them that is not used, 0 for none.
    """

    path: str
    size_bytes: int = 0
    text: str = ""
    fault: Fault | None = None
    detail: str = ""
    bad_byte: int = -1
    line_count: int = 0
    first_line: int = 0
    dropped_line: int = 0

    @property
    def ends_training(self) -> bool:
        """Whether the trainer ends on it; not known of one that is too large to be read here."""
        return self.fault in (Fault.EMPTY, Fault.UNREADABLE) or self.bad_byte >= 0

    @property
    def has_bom(self) -> bool:
        """Whether the text begins with a byte order mark."""
        return self.text.startswith(_BOM)


def read_caption_file(path: str, *, enable_wildcard: bool = False) -> CaptionFile | None:
    """Returns what a caption file holds, None where the trainer finds no file of that name.

    Only regular files are opened, and never more than `MAX_CAPTION_BYTES` of them are read.

    Args:
        path: The file, which need not exist.
        enable_wildcard: Whether every line is a caption of its own.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path for each file costs more than the call
    except (OSError, ValueError):  # as `os.path.isfile`
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_size > MAX_CAPTION_BYTES:
        return CaptionFile(path, status.st_size, fault=Fault.FOREIGN, detail=_size(status.st_size))
    try:
        content = _content(path, status.st_size)
    except OSError as error:
        return CaptionFile(path, status.st_size, fault=Fault.UNREADABLE, detail=error.strerror or str(error))
    return judge_content(path, content, enable_wildcard=enable_wildcard)


def _content(path: str, size_bytes: int) -> bytes:
    descriptor = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "it changed while it was looked at")
        content = b""
        asked = size_bytes + 1  # one more than there is: less than that is the end
        while len(chunk := os.read(descriptor, asked)) == asked and len(content) < MAX_CAPTION_BYTES:
            content += chunk
            asked = MAX_CAPTION_BYTES
        return content + chunk
    finally:
        os.close(descriptor)


def judge_content(path: str, content: bytes, *, enable_wildcard: bool = False) -> CaptionFile:
    """Returns what comes of a caption file of these bytes."""
    size = len(content)
    if not content:
        return CaptionFile(path, fault=Fault.EMPTY)
    fault, detail = _fault(content)
    try:
        decoded = content.decode("utf-8")
    except UnicodeDecodeError as error:
        if fault is None:
            fault, detail = Fault.ENCODING, guess_encoding(content)
        return CaptionFile(path, size, fault=fault, detail=detail, bad_byte=error.start)
    lines = [line.strip() for line in _universal(decoded).split("\n")]
    filled = [number for number, line in enumerate(lines, 1) if line]
    if enable_wildcard:
        text, dropped = "\n".join(line for line in lines if line), 0
    else:
        text, dropped = lines[0], next((number for number in filled if number > 1), 0)
    return CaptionFile(path, size, text, fault, detail, -1, len(filled), filled[0] if filled else 0, dropped)


def _fault(content: bytes) -> tuple[Fault | None, str]:
    if content.startswith(_LFS):
        return Fault.LFS, "a Git LFS pointer"
    wide = guess_wide(content)
    if wide:
        return Fault.ENCODING, wide
    foreign = _foreign(content)
    return (Fault.FOREIGN, foreign) if foreign else (None, "")


def _universal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _foreign(content: bytes) -> str:
    if content.startswith(_ALL_MAGIC):
        return next(name for magic, name in _MAGIC if content.startswith(magic))
    head = content[:_HEAD_BYTES]
    if b"<" in head and head.lstrip(_BLANK).lower().startswith(_HTML):
        return "a web page"
    controls = len(content) - len(content.translate(None, _CONTROLS))
    return "binary data" if controls >= max(_BINARY_LEAST, len(content) * _BINARY_SHARE) else ""


def _size(size_bytes: int) -> str:
    return f"a file of {size_bytes / 1e6:,.1f} MB"
