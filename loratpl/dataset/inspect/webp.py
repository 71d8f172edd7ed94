"""WebP: its chunks; the format has no checksum."""

from __future__ import annotations

from dataclasses import replace

from loratpl.dataset.inspect.exif import orientation_of
from loratpl.dataset.inspect.header import BrokenHeaderError, Header
from loratpl.dataset.inspect.profiles import profile_name
from loratpl.dataset.inspect.source import Source

_RIFF_BYTES = 12
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = b"\x2f"
_ANIMATED, _ALPHA = 0x02, 0x10
_MAX_CHUNKS = 10_000
_MAX_READ_BYTES = 1 << 20


def read_webp(source: Source) -> Header:
    """Returns what the chunks of a WebP say.

    Raises:
        BrokenHeaderError: It has no chunk that holds a size.
        OSError: The disk refuses.
    """
    kind, header = _first_chunk(source.at(_RIFF_BYTES, 18))
    stated_size = int.from_bytes(source.at(4, 4), "little") + 8
    if kind == b"VP8X":
        header = _extended(source, min(stated_size, source.size), header)
    # Some writers forget the byte that makes the last chunk's length even.
    if source.size < stated_size - 1:
        return replace(header, damage="it is cut off (truncated)", is_fatal=True)
    return header


def _first_chunk(beginning: bytes) -> tuple[bytes, Header]:
    kind, content = beginning[:4], beginning[8:]
    if len(content) < 10:
        raise BrokenHeaderError("it is cut off in its header (truncated)")
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(content[at : at + 3], "little") for at in (4, 7))
        has_alpha = bool(content[0] & _ALPHA)
        frames = 2 if content[0] & _ANIMATED else 1
    elif kind == b"VP8L" and content.startswith(_LOSSLESS_START):
        bits = int.from_bytes(content[1:5], "little")
        width, height, has_alpha, frames = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1), 1
    elif kind == b"VP8 " and content[3:6] == _LOSSY_START:
        width, height = (int.from_bytes(content[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        has_alpha, frames = False, 1
    else:
        raise BrokenHeaderError("its header makes no sense")
    if not width or not height:
        raise BrokenHeaderError("its header makes no sense")
    return kind, Header(width, height, "RGBA" if has_alpha else "RGB", has_alpha=has_alpha, frames=frames)


def _extended(source: Source, end: int, header: Header) -> Header:
    offset, frames = _RIFF_BYTES, 0
    for _ in range(_MAX_CHUNKS):
        beginning = source.at(offset, 8)
        if offset + 8 > end or len(beginning) < 8:
            break
        kind, length = beginning[:4], int.from_bytes(beginning[4:], "little")
        if kind == b"EXIF":
            content = source.at(offset + 8, min(length, _MAX_READ_BYTES))
            header = replace(header, orientation=orientation_of(content.removeprefix(b"Exif\0\0")))
        elif kind == b"ICCP":
            header = replace(header, profile=profile_name(source.at(offset + 8, min(length, _MAX_READ_BYTES))))
        frames += kind == b"ANMF"
        offset += 8 + length + length % 2
    # A film of one picture is no film.
    return replace(header, frames=frames) if header.frames > 1 and frames else header
