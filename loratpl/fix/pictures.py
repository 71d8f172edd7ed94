"""What is wrong with how a picture is stored, as far as it can be mended without asking anyone.

A picture that is trained as it looks is left alone: opaque palettes, 16 bits of three colours (the trainer's Pillow
reads their upper 8), alpha under which nothing is transparent, and alpha that is the mask of the training.
"""

from __future__ import annotations

from dataclasses import dataclass

from loratpl.dataset.inspect import MAX_DECODED_PIXELS, MAX_READ_BYTES, Inspection
from loratpl.fix.actions import Colour, colour_text

# What the trainer reads, and the extension that each is given.
SUFFIX_OF = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "bmp": ".bmp"}
UPRIGHT = 1
_TURNED = {
    2: "mirrored", 3: "turned by 180°", 4: "turned upside down (mirrored)", 5: "turned by 270° and mirrored",
    6: "turned by 90°", 7: "turned by 90° and mirrored", 8: "turned by 270°",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PictureMend:
    """How a picture is stored anew.

    Attributes:
        format: "png", "jpeg", "webp" or "bmp".
        orientation: As its EXIF tag says: turned so that it need not say it.
        is_scaled: From 16 bits of grey to 8.
        is_flattened: Put onto the background.
        background: What transparent pictures are put onto.
        is_converted: Its colours go from its own profile to sRGB.
        is_foreign: Of a format that the trainer does not read.
    """

    format: str
    orientation: int = UPRIGHT
    is_scaled: bool = False
    is_flattened: bool = False
    background: Colour = (255, 255, 255)
    is_converted: bool = False
    is_foreign: bool = False

    def __call__(self, content: bytes, /) -> bytes:
        """Returns the picture, stored anew."""
        from loratpl.fix.pixels import mended

        return mended(content, self)


def mend_of(found: Inspection, background: Colour, *, uses_alpha: bool) -> tuple[PictureMend | None, tuple[str, ...]]:
    """Returns (how it is stored anew, what is done to it); (None, ()) where nothing need be done.

    Args:
        found: The picture, with its pixels looked at where it may be transparent.
        background: What transparent pictures are put onto.
        uses_alpha: Whether the training takes alpha for its mask.
    """
    is_foreign = found.format not in SUFFIX_OF
    done = []
    if is_foreign:
        done.append(f"{found.format.upper() or 'foreign'} format converted to PNG")
    if found.orientation != UPRIGHT:
        done.append(f"{_TURNED[found.orientation]}, as its EXIF tag says")
    if found.mode == "CMYK":
        done.append(f"CMYK converted to RGB{' by its profile' if found.profile else ''}")
    elif found.profile:
        done.append(f"colours converted from {found.profile} to sRGB")
    is_scaled = found.mode == "L" and found.bit_depth == 16
    if is_scaled:
        done.append("16 bits of grey scaled to 8")
    is_transparent = bool(found.transparent_share) or (is_foreign and found.has_alpha)
    is_flattened = is_transparent and not uses_alpha
    if is_flattened:
        done.append(f"transparent parts put onto {colour_text(background)}")
    if not done:
        return None, ()
    mend = PictureMend(
        found.format if not is_foreign else "png",
        found.orientation,
        is_scaled,
        is_flattened,
        background,
        bool(found.profile),
        is_foreign,
    )
    return mend, tuple(done)


def obstacle_of(found: Inspection) -> str:
    """Returns why the pixels of a picture are left to a person; "" where they can be stored anew."""
    if found.frames > 1:
        return "it is an animation, and which of its pictures is meant is not ours to say"
    if found.pixels > MAX_DECODED_PIXELS or found.size_bytes > MAX_READ_BYTES:
        return "it is too large to be converted here"
    if found.bit_depth > 16:
        return f"its {found.bit_depth} bits per value have no scale that is known"
    return ""
