"""Pictures for tests: each number another one, none of one colour, and every way to store them."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

from PIL import Image

# By extension: what `encoded` stores.
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF"}


def drawing(number: int = 0, size: tuple[int, int] = (96, 80), mode: str = "RGB") -> Image.Image:
    """Returns a picture that no other number looks like."""
    numbers = random.Random(number)
    few = Image.frombytes("RGB", (5, 4), numbers.randbytes(60))
    soft = few.resize(size, Image.Resampling.BICUBIC)
    grain = Image.frombytes("L", size, numbers.randbytes(size[0] * size[1])).convert("RGB")
    return Image.blend(soft, grain, 0.1).convert(mode)


def encoded(picture: Image.Image, suffix: str = ".png", **options: Any) -> bytes:
    """Returns the bytes of a file with this extension."""
    buffer = io.BytesIO()
    picture.save(buffer, FORMATS[suffix], **options)
    return buffer.getvalue()


def write(path: Path, number: int = 0, size: tuple[int, int] = (96, 80), mode: str = "RGB", **options: Any) -> Path:
    """Returns a new file with the drawing of that number; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(drawing(number, size, mode), path.suffix.lower(), **options))
    return path


def rotated(orientation: int) -> Image.Exif:
    """Returns EXIF data that say this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_header(width_px: int, height_px: int) -> bytes:
    """Returns an intact PNG of so many black pixels, however many: they take next to no bytes."""
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    row = bytes(1 + (width_px + 7) // 8)
    data = b"".join(packer.compress(row * min(256, height_px - at)) for at in range(0, height_px, 256)) + packer.flush()
    head = struct.pack(">IIBBBBB", width_px, height_px, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
