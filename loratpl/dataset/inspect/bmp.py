"""BMP: its header, and whether as many bytes follow as it has pixels."""

from __future__ import annotations

import struct
from dataclasses import replace

from loratpl.dataset.inspect.header import BrokenHeaderError, Header
from loratpl.dataset.inspect.source import Source

_OLD_HEADER_BYTES = 12
_UNPACKED = frozenset((0, 3, 6))
_MODE_OF_BITS = {1: "P", 4: "P", 8: "P", 16: "RGB", 24: "RGB", 32: "RGB"}


def read_bmp(source: Source) -> Header:
    """Returns what the header of a BMP says.

    Raises:
        BrokenHeaderError: It is cut off, or makes no sense.
        OSError: The disk refuses.
    """
    content = source.at(0, 34)
    try:
        pixels_at, header_bytes = struct.unpack_from("<II", content, 10)
        if header_bytes == _OLD_HEADER_BYTES:
            width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
            packing = 0
        else:
            width, height, _, bits, packing = struct.unpack_from("<iiHHI", content, 18)
    except struct.error:
        raise BrokenHeaderError("it is cut off in its header (truncated)") from None
    height = abs(height)  # negative: the rows come from top to bottom
    mode = _MODE_OF_BITS.get(bits)
    if width <= 0 or not height or mode is None:
        raise BrokenHeaderError("its header makes no sense")
    header = Header(width, height, mode)
    row_bytes = (width * bits + 31) // 32 * 4
    if packing in _UNPACKED and pixels_at + row_bytes * height > source.size:
        return replace(header, damage="it is cut off (truncated)", is_fatal=True)
    return header
