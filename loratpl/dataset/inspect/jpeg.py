"""JPEG: its segments up to the pixels, and the marker at its end."""

from __future__ import annotations

from dataclasses import replace

from loratpl.dataset.inspect.exif import orientation_of
from loratpl.dataset.inspect.header import BrokenHeaderError, Header
from loratpl.dataset.inspect.profiles import profile_name
from loratpl.dataset.inspect.source import PIECE_BYTES, Source

_END = b"\xff\xd9"
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_APP1, _APP2 = 0xE1, 0xE2
_EXIF, _PROFILE = b"Exif\0\0", b"ICC_PROFILE\0"
_MODE_OF_CHANNELS = {1: "L", 3: "RGB", 4: "CMYK"}
_MAX_SEGMENTS = 10_000


def read_jpeg(source: Source) -> Header:
    """Returns what the segments before the pixels say, and whether the picture ends as it should.

    Raises:
        BrokenHeaderError: No size is found.
        OSError: The disk refuses.
    """
    header, orientation, profile, offset = Header(), 1, "", 2
    for _ in range(_MAX_SEGMENTS):
        offset, marker = _marker_at(source, offset)
        if marker == _END_OF_IMAGE:
            raise BrokenHeaderError("it ends before its pixels begin")
        if marker in _ALONE:
            continue
        length = int.from_bytes(source.at(offset, 2), "big")
        if length < 2 or offset + length > source.size:
            raise BrokenHeaderError("it is cut off in its header (truncated)")
        if marker in _FRAMES:
            header = _frame(source.at(offset + 2, 6))
        elif marker == _APP1 and source.at(offset + 2, 6) == _EXIF:
            orientation = orientation_of(source.at(offset + 8, length - 8))
        elif marker == _APP2 and source.at(offset + 2, 12) == _PROFILE and source.at(offset + 14, 1) == b"\1":
            profile = profile_name(source.at(offset + 16, length - 16))
        elif marker == _START_OF_SCAN:
            break
        offset += length
    else:
        raise BrokenHeaderError("it consists of far too many segments")
    if not header.width_px:
        raise BrokenHeaderError("its header says no size")
    header = replace(header, orientation=orientation, profile=profile)
    if _has_end(source, offset):
        return header
    return replace(header, damage="it is cut off (truncated): its end marker is missing", is_fatal=True)


def _marker_at(source: Source, offset: int) -> tuple[int, int]:
    """Returns (where its content begins, marker) of the next segment; like the decoders it passes over stray bytes."""
    while True:
        piece = source.at(offset, 64)
        if len(piece) < 2:
            raise BrokenHeaderError("it is cut off in its header (truncated)")
        start = piece.find(b"\xff")
        if start < 0:
            offset += len(piece)
        elif start + 1 == len(piece):
            offset += start
        elif piece[start + 1] in {0x00, 0xFF}:  # a stray byte, or one that fills up
            offset += start + 1
        else:
            return offset + start + 2, piece[start + 1]


def _frame(content: bytes) -> Header:
    depth, channels = content[0], content[5]
    height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    mode = _MODE_OF_CHANNELS.get(channels)
    if not width or not height or mode is None:
        raise BrokenHeaderError("its header makes no sense")
    return Header(width, height, mode, depth)


def _has_end(source: Source, offset: int) -> bool:
    """Returns whether the end marker comes after `offset`; phones append videos and more to it.

    It cannot be part of the pixels: there each 0xff is followed by another byte than this one.
    """
    if source.at(source.size - 2, 2) == _END:
        return True
    while offset < source.size:
        piece = source.at(offset, PIECE_BYTES)
        if _END in piece:
            return True
        if len(piece) < 2:
            return False
        offset += len(piece) - 1
    return False
