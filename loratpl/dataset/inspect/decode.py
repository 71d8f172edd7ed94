"""The pixels of one picture: whether they can be decoded, and what they show.

JPEGs are decoded at an eighth of their size, which reads every byte of them, by the one decoder that says what it
mended: Pillow, like the trainer, finds neither flipped bits nor lost blocks in them.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from loratpl.dataset.inspect.header import Header

if TYPE_CHECKING:
    from PIL import Image

# Only one picture above this is decoded at a time: 24 megapixels are 100 MB with alpha.
_LARGE_PIXELS = 24_000_000
_large = threading.Lock()
# The grid that the likeness is computed from, and the smallest size that JPEGs are decoded to for it.
_GRID = (9, 8)
_SMALLEST = (8 * _GRID[0], 8 * _GRID[1])
_COLOURS = (3, 3)
_SAMPLED = (18 * _GRID[0], 18 * _GRID[1])
_BLANK_SPREAD = 8  # out of 255; what a WebP makes of one colour
_TRANSPARENT_BELOW = 128
# What the JPEG decoder says where pixels are lost; its other complaints are about things that it cannot do.
_LOST = ("corrupt jpeg data", "premature end", "inconsistent progression")


@dataclass(frozen=True, slots=True)
class Pixels:
    """What a picture shows; the attributes are those of `Inspection`."""

    damage: str = ""
    is_fatal: bool = False
    transparent_share: float = 0.0
    hidden: str = ""
    is_blank: bool = False
    dhash: int | None = None
    colours: str = ""


def pixels_of(data: bytes, format_name: str, header: Header) -> Pixels:
    """Returns what the pixels of a picture show, or what is broken in them.

    Args:
        data: The whole file.
        format_name: Of its content.
        header: What its header says.
    """
    if header.width_px * header.height_px > _LARGE_PIXELS:
        with _large:
            return _pixels(data, format_name, header)
    return _pixels(data, format_name, header)


def _pixels(data: bytes, format_name: str, header: Header) -> Pixels:
    try:
        if format_name == "jpeg" and header.mode != "CMYK" and (decode := jpeg_decoder()):
            return _jpeg_pixels(data, decode)
        return _seen(_loaded(data))
    except (MemoryError, ImportError):  # which say nothing of the picture
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they like on what is broken
        return Pixels(damage=f"it cannot be decoded ({_reason(error)})", is_fatal=True)


def jpeg_decoder_name() -> str:
    """Returns which decoder JPEGs go through; says it without importing any."""
    return "simplejpeg" if importlib.util.find_spec("simplejpeg") else "pillow"


@functools.cache
def jpeg_decoder() -> Callable[..., object] | None:
    """Returns simplejpeg's decoder, None where it is not installed or cannot be loaded."""
    try:
        from simplejpeg import decode_jpeg
    except Exception:  # noqa: BLE001 - a numpy that does not suit it raises more than ImportError; Pillow is always there
        return None
    return cast("Callable[..., object]", decode_jpeg)


def _jpeg_pixels(data: bytes, decode: Callable[..., object]) -> Pixels:
    from PIL import Image

    try:
        rows = decode(data, "RGB", min_width=_SMALLEST[0], min_height=_SMALLEST[1], strict=True)
    except ValueError as error:
        reason = _reason(error)
        found = _seen(_loaded(data))  # raises where the trainer would end on it
        is_lost = any(words in reason.lower() for words in _LOST)
        return replace(found, damage=f"parts of its pixels are lost ({reason})") if is_lost else found
    small = Image.fromarray(rows)  # type: ignore[arg-type]
    return _likeness(small, lambda: _loaded(data))


def _loaded(data: bytes) -> Image.Image:
    from PIL import Image

    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def _seen(picture: Image.Image) -> Pixels:
    if picture.mode.startswith(("I", "F")):
        return _sixteen_bit(picture)
    found = _likeness(picture, lambda: picture)
    if not picture.has_transparency_data:
        return found
    share, hidden = _hidden(picture if "A" in picture.mode else picture.convert("RGBA"))
    return replace(found, transparent_share=share, hidden=hidden)


def _as_trained(picture: Image.Image) -> Image.Image:
    """Returns the picture without alpha, palette and the like, as the trainer's `convert("RGB")` makes it."""
    if picture.mode == "RGB":
        return picture
    if picture.mode == "P" and picture.has_transparency_data:
        picture = picture.convert("RGBA")  # on the direct way Pillow warns; the colours are the same
    return picture.convert("RGB")


def _hidden(picture: Image.Image) -> tuple[float, str]:
    """Returns (share of transparent pixels, what colours lie below them) of a picture with an alpha channel."""
    alpha = picture.getchannel("A")
    if cast("tuple[int, int]", alpha.getextrema())[0] >= _TRANSPARENT_BELOW:
        return 0.0, ""
    count = sum(alpha.histogram()[:_TRANSPARENT_BELOW])
    mask = alpha.point([255] * _TRANSPARENT_BELOW + [0] * (256 - _TRANSPARENT_BELOW))
    histogram = picture.convert("RGB").histogram(mask)
    bands = [[value for value in range(256) if histogram[256 * band + value]] for band in range(3)]
    hidden = "several colours"
    if all(len(values) == 1 for values in bands):
        hidden = "#" + "".join(f"{values[0]:02x}" for values in bands)
    return count / (picture.width * picture.height), hidden


def _sixteen_bit(picture: Image.Image) -> Pixels:
    """Returns what a picture with one channel of more than 8 bits shows: its values on the scale of its own range."""
    from PIL import Image

    low, high = cast("tuple[float, float]", picture.getextrema())
    sample = _sample(picture)
    scale = 255 / (high - low) if high > low else 0.0
    values = (float(cast("float", sample.getpixel((x, y)))) for y in range(sample.height) for x in range(sample.width))
    grey = bytes(min(255, max(0, int((value - low) * scale))) for value in values)
    return replace(_likeness(Image.frombytes("L", sample.size, grey), None), is_blank=high <= low)


def _sample(picture: Image.Image) -> Image.Image:
    """Returns so many of a picture's pixels that what it looks like can be told: all of them would take long."""
    from PIL import Image

    size = (min(picture.width, _SAMPLED[0]), min(picture.height, _SAMPLED[1]))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.NEAREST)


def _likeness(picture: Image.Image, whole: Callable[[], Image.Image] | None) -> Pixels:
    """Returns what tells whether pictures look alike, and whether this one is blank.

    Args:
        picture: In full size or smaller.
        whole: Gives it in full size: that a part has one colour does not say that all has. None where that is known.
    """
    from PIL import Image

    sample = _as_trained(_sample(picture))
    small = sample.resize(_GRID, Image.Resampling.BOX)
    is_blank = whole is not None and _is_even(sample) and _is_even(_as_trained(whole()))
    colours = small.resize(_COLOURS, Image.Resampling.BOX).tobytes().hex()
    return Pixels(is_blank=is_blank, dhash=_difference_hash(small.convert("L").tobytes()), colours=colours)


def _is_even(picture: Image.Image) -> bool:
    extrema = picture.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(high - low <= _BLANK_SPREAD for low, high in cast("tuple[tuple[int, int], ...]", bands))


def _difference_hash(grey: bytes) -> int:
    """Returns 64 bits: whether each of 9 grey values in 8 rows is darker than the next in its row.

    >>> _difference_hash(bytes(range(72))) == 2**64 - 1
    True
    """
    value = 0
    for row in range(0, 72, 9):
        for at in range(row, row + 8):
            value = value << 1 | (grey[at] < grey[at + 1])
    return value


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__
