"""Small pictures for a page: as they are stored, in their own shape or in that which the trainer resizes them to."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.dataset.inspect.inspection import MAX_DECODED_PIXELS
from loratpl.dataset.inspect.pool import in_threads, usable_cores

if TYPE_CHECKING:
    from PIL import Image

    from loratpl.plan.buckets import Size

LONGEST_SIDE_PX = 160
JPEG_QUALITY = 78
_ORIENTATION_TAG = 0x0112
_UPRIGHT = 1
# Only one picture above this is decoded at a time: 24 megapixels are 100 MB with alpha.
_LARGE_PIXELS = 24_000_000
_large = threading.Lock()


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture.

    Attributes:
        jpeg: The file.
        size: Its width and height.
        picture_size: Those of what it was made from.
        is_turned: Whether a tag in the picture says that it is to be seen turned, which the trainer does not heed.
    """

    jpeg: bytes
    size: Size
    picture_size: Size
    is_turned: bool

    @property
    def data_uri(self) -> str:
        """As the source of an image in a page."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class NoThumbnail:
    """Why there is none, in a few words."""

    reason: str

    @property
    def data_uri(self) -> str:
        """As the source of an image in a page: none."""
        return ""


def thumbnail_size(shape: Size, longest_px: int = LONGEST_SIDE_PX) -> Size:
    """Returns the size of the thumbnail of a picture that the trainer resizes to this.

    >>> thumbnail_size((1344, 768)), thumbnail_size((64, 4096))
    ((160, 91), (2, 160))
    """
    longest = max(shape)
    width, height = (max(1, round(side * longest_px / longest)) for side in shape)
    return width, height


def thumbnails_of(
    wanted: Sequence[tuple[Path, Size | None]], longest_px: int = LONGEST_SIDE_PX
) -> list[Thumbnail | NoThumbnail]:
    """Returns a thumbnail of each picture, made on all cores.

    Args:
        wanted: Files, each with the size that the trainer resizes it to; None keeps its own shape, and a picture that
            is small already its size.
        longest_px: The longer side of a thumbnail.
    """
    from PIL import Image

    found: list[Thumbnail | NoThumbnail] = [NoThumbnail("")] * len(wanted)
    with warnings.catch_warnings():  # `check` says what is wrong with a picture; here it would disturb the output
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        make = functools.partial(_thumbnail, longest_px)
        for index, thumbnail in in_threads(make, wanted, usable_cores()):
            found[index] = thumbnail
    return found


def _thumbnail(longest_px: int, wanted: tuple[Path, Size | None]) -> Thumbnail | NoThumbnail:
    path, shape = wanted
    try:
        if not path.is_file():  # nobody may ever write to a pipe
            return NoThumbnail("is no file")
        return _decoded(path, shape, longest_px)
    except MemoryError:
        return NoThumbnail("is too large to be shown")
    except Exception as error:  # noqa: BLE001 - decoders raise whatever they like on what is broken
        is_bomb = "DecompressionBomb" in type(error).__name__
        return NoThumbnail("is too large to be shown" if is_bomb else "cannot be decoded")


def _decoded(path: Path, shape: Size | None, longest_px: int) -> Thumbnail | NoThumbnail:
    from PIL import Image

    with Image.open(path) as image:
        whole = image.size
        if image.width * image.height > MAX_DECODED_PIXELS:
            return NoThumbnail("is too large to be shown")
        size = (
            thumbnail_size(whole, min(longest_px, max(whole))) if shape is None else thumbnail_size(shape, longest_px)
        )
        image.draft("RGB", size)  # a JPEG is decoded at a fraction of its size
        with _large if image.width * image.height > _LARGE_PIXELS else contextlib.nullcontext():
            small = _small(image, size)
        return Thumbnail(_jpeg(small), size, whole, _is_turned(image))


def _small(image: Image.Image, size: Size) -> Image.Image:
    from PIL import Image

    # As the trainer does it: transparency is dropped, not laid over a colour.
    whole = image if image.mode in ("RGB", "L") else image.convert("RGB")
    return whole.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0).convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return file.getvalue()


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(_ORIENTATION_TAG, _UPRIGHT) in range(_UPRIGHT + 1, 9)
    except Exception:  # noqa: BLE001 - a block that cannot be read says nothing
        return False
