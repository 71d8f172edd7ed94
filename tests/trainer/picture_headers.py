"""Pictures that are headers without pixels, and files that are no pictures: all that a plan ever looks at."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0) + bytes(4)


def _jpeg(width: int, height: int) -> bytes:
    header = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    return b"\xff\xd8" + header + b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", height, width) + b"\x01\x11\x00\xff\xd9"


def _bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<LHHLLllHHLLLLLL", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def _webp_extended(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<L", 22) + b"WEBPVP8X" + struct.pack("<L", 10) + bytes(4) + sides + bytes(8)


def _webp_lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    return (
        b"RIFF"
        + struct.pack("<L", 30)
        + b"WEBPVP8L"
        + struct.pack("<LB", 10, 0x2F)
        + struct.pack("<L", bits)
        + bytes(9)
    )


def _webp_lossy(width: int, height: int) -> bytes:
    frame = b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF" + struct.pack("<L", 30) + b"WEBPVP8 " + struct.pack("<L", 10) + frame + bytes(8)


def _gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(20)


# The contents need not be what the extension says: neither the trainer nor we go by it.
WRITERS: Sequence[Callable[[int, int], bytes]] = (
    png, png, _jpeg, _bmp, _webp_extended, _webp_lossless, _webp_lossy, _gif,
)  # fmt: skip
NO_PICTURES = (
    b"", b"P", b"a caption", b"<!DOCTYPE html><html><body>404</body></html>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234\n", b"<svg></svg>", png(0, 64), png(64, 0),
    _jpeg(640, 0), _jpeg(0, 480), _bmp(0, 64), bytes(40), b"RIFF\x00\x00\x00\x00WEBPVP8Q" + bytes(30),
)  # fmt: skip
