"""What the beginning of a picture says of it, and whether its end is there; nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """What a parser read.

    Attributes:
        width_px: As stored.
        height_px: As stored.
        mode: The channels as stored; see `Inspection.mode`.
        bit_depth: Bits per channel.
        has_alpha: Whether pixels can be transparent.
        orientation: EXIF orientation.
        frames: See `Inspection.frames`.
        profile: See `Inspection.profile`.
        damage: One sentence on what is broken, "" where nothing is.
        is_fatal: Whether the trainer ends on the damage, as far as can be told without decoding.
    """

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


class BrokenHeaderError(Exception):
    """A header that says no size: nothing can open the picture. The message is the damage, one sentence."""
