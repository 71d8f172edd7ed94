"""The orientation that a camera has noted."""

from __future__ import annotations

import struct

UPRIGHT = 1
_ORIENTATION = 0x0112
_SHORT = 3
_MAX_ENTRIES = 1000


def orientation_of(block: bytes) -> int:
    r"""Returns the EXIF orientation, 1 to 8, in a TIFF block; 1 where it says none or cannot be read.

    >>> orientation_of(b"II*\0" + bytes([8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]))
    6
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for number in range(min(count, _MAX_ENTRIES)):
            tag, kind = struct.unpack_from(f"{order}HH", block, start + 2 + 12 * number)
            if tag == _ORIENTATION and kind == _SHORT:
                (value,) = struct.unpack_from(f"{order}H", block, start + 2 + 12 * number + 8)
                return value if UPRIGHT <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT
