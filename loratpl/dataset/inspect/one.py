"""One file: what it is, what its header says, and, where that is asked for, what its pixels show."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable
from typing import Any

from loratpl.dataset.inspect.bmp import read_bmp
from loratpl.dataset.inspect.contents import LOOKED_AT_BYTES, content_of
from loratpl.dataset.inspect.decode import pixels_of
from loratpl.dataset.inspect.header import BrokenHeaderError, Header
from loratpl.dataset.inspect.inspection import MAX_DECODED_PIXELS, MAX_READ_BYTES, Impostor, Inspection, Tier
from loratpl.dataset.inspect.jpeg import read_jpeg
from loratpl.dataset.inspect.other import read_other
from loratpl.dataset.inspect.png import read_png
from loratpl.dataset.inspect.source import FileSource, MemorySource, Source, open_regular, read_whole
from loratpl.dataset.inspect.webp import read_webp

_READERS: dict[str, Callable[[Source], Header]] = {
    "png": read_png,
    "jpeg": read_jpeg,
    "webp": read_webp,
    "bmp": read_bmp,
}
_SPECIAL = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)
_WINDOWS_LOOP = 1921  # ERROR_CANT_RESOLVE_FILENAME


def inspect_file(path: str, tier: Tier = "full", *, wants_hash: bool = False) -> Inspection:
    """Returns what a file with a picture's name is; never raises for what is wrong with it.

    Args:
        path: The file, a link to one, or whatever else has its name.
        tier: "headers" reads what it must and decodes nothing; "full" reads the file once and decodes it.
        wants_hash: Whether the full tier also computes the hash of the content.
    """
    found = Inspection(path, tier=tier)
    try:
        status = os.stat(path)  # noqa: PTH116 - a hundred thousand of them are faster without a Path each
    except (OSError, ValueError) as error:
        return refused(found, error)
    impostor, detail = kind_of(status.st_mode)
    if impostor:
        return found._replace(impostor=impostor, detail=detail)
    if not status.st_size:
        return found._replace(impostor="empty")
    try:
        opened = open_regular(path)
        if opened is None:
            return found._replace(impostor="special", detail="a pipe, socket or device")
        descriptor, status = opened
        try:
            return _inspect_open(found._replace(size_bytes=status.st_size), descriptor, wants_hash=wants_hash)
        finally:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    except OSError as error:
        return refused(found, error)


def kind_of(mode: int) -> tuple[Impostor, str]:
    """Returns (impostor, detail) of what is no regular file, by its mode; ("", "") of a regular one."""
    if stat.S_ISREG(mode):
        return "", ""
    if stat.S_ISDIR(mode):
        return "directory", ""
    return "special", next((name for is_it, name in _SPECIAL if is_it(mode)), "no file")


def refused(found: Inspection, error: OSError | ValueError) -> Inspection:
    """Returns the inspection of a file that could not be reached, and why."""
    code = error.errno if isinstance(error, OSError) else None
    detail = (error.strerror if isinstance(error, OSError) else None) or str(error)
    impostor: Impostor = "unreadable"
    if code == errno.ELOOP or getattr(error, "winerror", None) == _WINDOWS_LOOP:
        impostor, detail = "link_loop", ""
    elif code == errno.ENOENT and os.path.islink(found.path):  # noqa: PTH114 - as above
        impostor, detail = "broken_link", _target(found.path)
    elif code in {errno.EACCES, errno.EPERM}:
        impostor, detail = "denied", ""
    return found._replace(impostor=impostor, detail=detail)


def _target(link: str) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - as above
    except OSError:
        return "somewhere"


def _inspect_open(found: Inspection, descriptor: int, *, wants_hash: bool) -> Inspection:
    data: bytes | None = None
    source: Source
    if found.tier == "full" and found.size_bytes <= MAX_READ_BYTES:
        data = read_whole(descriptor, found.size_bytes)
        source = MemorySource(data)
    else:
        source = FileSource(descriptor, found.size_bytes)
    format_name, impostor, detail = content_of(source.at(0, LOOKED_AT_BYTES), source.size)
    if data is not None and wants_hash and data:
        found = found._replace(content_hash=hashlib.sha256(data).hexdigest())
    if impostor:
        return found._replace(impostor=impostor, detail=detail)
    found = found._replace(format=format_name)
    try:
        header = _header(source, format_name)
    except BrokenHeaderError as error:
        return found._replace(damage=str(error), is_fatal=True)
    found = _with(found, header)
    if data is None or not 0 < found.pixels <= MAX_DECODED_PIXELS:
        return found
    try:
        pixels = pixels_of(data, format_name, header)
    except MemoryError:
        return found  # nothing is known of its pixels; it says so itself
    found = _with(found, pixels)._replace(is_decoded=True)
    # What the decoder says of the damage decides what the trainer does; what was seen in the file names it better.
    return found._replace(damage=header.damage or pixels.damage, is_fatal=pixels.is_fatal)


def _header(source: Source, format_name: str) -> Header:
    reader = _READERS.get(format_name)
    if reader is not None:
        return reader(source)
    if source.size > MAX_READ_BYTES:
        return Header()  # Pillow might read all of it; said for its size
    return read_other(source)


def _with(found: Inspection, more: Any) -> Inspection:
    return found._replace(**{name: getattr(more, name) for name in more.__slots__})
