"""What was found out about one file that has a picture's name, and the limits within which it is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

Tier = Literal["headers", "full"]
# Why a file with a picture's name is no picture that the trainer can open; "" where it is one.
Impostor = Literal[
    "",
    "lfs",  # a Git LFS pointer
    "empty",
    "html",
    "text",
    "zeros",  # nothing but zero bytes: a download that was laid out and never filled
    "data",  # bytes of no kind that is known
    "format",  # a format that the trainer cannot open; `detail` names it
    "directory",
    "special",  # a pipe, a socket or a device; `detail` says which
    "broken_link",
    "link_loop",
    "denied",
    "unreadable",  # the disk refuses it; `detail` says why
]

# Above the first Pillow warns, above the second it refuses (Image.MAX_IMAGE_PIXELS, and twice that).
PIXELS_WARNED = 89_478_485
PIXELS_REFUSED = 2 * PIXELS_WARNED
# Nothing above this is decoded here: what the check must hold in memory stays bounded.
MAX_DECODED_PIXELS = PIXELS_WARNED
# Nothing above this is read whole; the largest picture that would be decoded, as 24-bit BMP, is smaller.
MAX_READ_BYTES = 1 << 28


class Inspection(NamedTuple):
    """One file with a picture's name, as it was found.

    A tuple, since a frozen dataclass of so many fields takes five times as long to make, and a second look at a large
    set is little else.

    Attributes:
        path: Of the file, as it was found.
        size_bytes: Of the file; 0 where it has none.
        tier: How closely it was looked at.
        impostor: Why it is no picture that the trainer can open; "" where it is one.
        detail: Says more about the impostor.
        format: Of its content: "png", "jpeg", "webp", "bmp", or another that Pillow opens; "" of an impostor.
        width_px: As stored, whatever the EXIF orientation says; 0 where no header says it.
        height_px: The same.
        mode: "1", "L", "LA", "P", "RGB", "RGBA", "CMYK", …: the channels as stored.
        bit_depth: Bits per channel.
        has_alpha: Whether pixels can be transparent: by a channel, in the palette or by a key colour.
        orientation: EXIF orientation, 1 to 8.
        frames: Pictures in it, at least 2 where they follow each other as a film; the trainer takes the first.
        profile: The colour profile by name where there is one that is not like sRGB, else "".
        damage: One sentence on what is broken, "" where nothing was seen.
        is_fatal: Whether the trainer ends on the damage; it trains the broken picture otherwise.
        is_decoded: Whether its pixels were looked at; what follows needs that.
        transparent_share: Of its pixels, those more than half transparent.
        hidden: The colour below these: "#rrggbb", or "several colours"; "" where there are none.
        is_blank: Whether all of its pixels have one colour.
        content_hash: SHA-256 of the file, where another file of the tree has the same size; else "".
        dhash: 64 bits that are alike for pictures that look alike; None where it was not decoded.
        colours: Its colours on a grid of 3x3, as 27 bytes in hexadecimal.
    """

    path: str
    size_bytes: int = 0
    tier: Tier = "headers"
    impostor: Impostor = ""
    detail: str = ""
    format: str = ""
    width_px: int = 0
    height_px: int = 0
    mode: str = ""
    bit_depth: int = 8
    has_alpha: bool = False
    orientation: int = 1
    frames: int = 1
    profile: str = ""
    damage: str = ""
    is_fatal: bool = False
    is_decoded: bool = False
    transparent_share: float = 0.0
    hidden: str = ""
    is_blank: bool = False
    content_hash: str = ""
    dhash: int | None = None
    colours: str = ""

    @property
    def file_path(self) -> Path:
        """The file."""
        return Path(self.path)

    @property
    def pixels(self) -> int:
        """How many it has."""
        return self.width_px * self.height_px

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, broken or not."""
        return not self.impostor
