"""One picture, decoded, set right and encoded again; by Pillow alone.

JPEGs are written at quality 95 without sharing colours between pixels (4:4:4), or at 100 where they came in finer
than that; PNG, BMP and WebP without any loss.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from loratpl.dataset.inspect import MAX_DECODED_PIXELS
from loratpl.dataset.inspect.profiles import profile_name
from loratpl.fix.actions import CannotMendError
from loratpl.fix.pictures import UPRIGHT, PictureMend

if TYPE_CHECKING:
    from PIL import Image

# Only one picture above this is in memory at a time, as decoded by the inspection.
_LARGE_PIXELS = 24_000_000
_large = threading.Lock()
_ORIENTATION_TAG = 0x0112
_QUALITY, _FINE_QUALITY = 95, 100
# The sum of libjpeg's 64 steps of brightness at quality 95: less is finer.
_STEPS_AT_95 = 369
_PER_16_BIT = 1 / 257  # 65535 becomes 255


def mended(content: bytes, mend: PictureMend) -> bytes:
    """Returns a picture, stored anew as `mend` says.

    Raises:
        CannotMendError: It cannot be decoded, or its profile cannot be used.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return _within_limits(picture, mend)
    except CannotMendError:
        raise
    except MemoryError as error:
        raise CannotMendError("there is not enough memory to convert it") from error
    except Exception as error:  # decoders raise whatever they like on what is broken
        raise CannotMendError(f"it cannot be converted ({' '.join(str(error).split())[:120]})") from error


def _within_limits(picture: Image.Image, mend: PictureMend) -> bytes:
    pixels = picture.width * picture.height
    if pixels > MAX_DECODED_PIXELS:
        raise CannotMendError("it is too large to be converted here")
    with _large if pixels > _LARGE_PIXELS else contextlib.nullcontext():
        return _mended(picture, mend)


def _mended(picture: Image.Image, mend: PictureMend) -> bytes:
    from PIL import ImageOps

    picture.load()
    metadata = _metadata(picture, mend)
    profile = picture.info.get("icc_profile")
    if mend.is_foreign:  # Pillow knows the orientation of each format, or has applied it already
        turned = ImageOps.exif_transpose(picture)
        mend = replace(mend, is_converted=bool(profile and profile_name(profile)))
    else:
        turned = _turned(picture, mend.orientation)
    result = _coloured(turned, mend, profile)
    if profile and not mend.is_converted and _is_of(profile, result.mode):
        metadata["icc_profile"] = profile
    result.info = {}
    return _encoded(result, mend.format, metadata, quality=_quality(picture))


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    from PIL import Image

    if orientation == UPRIGHT:
        return picture
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }[orientation]
    return picture.transpose(method)


def _coloured(picture: Image.Image, mend: PictureMend, profile: bytes | None) -> Image.Image:
    """Returns the picture in 8-bit grey or RGB with the colours that it is meant to have."""
    if picture.mode in {"F", "I"} and not mend.is_scaled:
        raise CannotMendError("the scale of its values is not known")
    if picture.mode.startswith("I"):
        if "transparency" in picture.info and mend.is_flattened:
            raise CannotMendError("16-bit grey with a transparent value is not converted here")
        return picture.convert("I").point(lambda value: value * _PER_16_BIT + 0.5).convert("L").convert("RGB")
    if mend.is_flattened:
        from PIL import Image

        whole = picture.convert("RGBA")
        colours = _in_srgb(whole.convert("RGB"), profile if mend.is_converted else None)
        below = Image.new("RGB", whole.size, mend.background)
        below.paste(colours, mask=whole.getchannel("A"))
        return below
    if mend.is_converted:
        return _in_srgb(picture if picture.mode == "CMYK" else _with_alpha_kept(picture), profile)
    if picture.mode in {"L", "LA", "RGB", "RGBA"} and "transparency" not in picture.info:
        return picture
    return _with_alpha_kept(picture)


def _with_alpha_kept(picture: Image.Image) -> Image.Image:
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Returns an RGB, RGBA or CMYK picture in sRGB, going by its profile where there is one."""
    if profile is None:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    from PIL import ImageCms

    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    try:
        converted = ImageCms.profileToProfile(
            picture.convert("RGB") if alpha else picture,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise CannotMendError("its colour profile cannot be used") from error
    if alpha:
        converted = cast("Image.Image", converted)
        converted.putalpha(alpha)
    return cast("Image.Image", converted)


def _is_of(profile: bytes, mode: str) -> bool:
    return profile[16:20] == {"L": b"GRAY", "LA": b"GRAY", "1": b"GRAY"}.get(mode, b"RGB ")


def _metadata(picture: Image.Image, mend: PictureMend) -> dict[str, Any]:
    """Returns the EXIF data that stay true: all but the orientation, and what it says of the colours' old profile."""
    if mend.is_converted:
        return {}
    try:
        exif = picture.getexif()
        exif.pop(_ORIENTATION_TAG, None)
        return {"exif": exif.tobytes()} if len(exif) else {}
    except Exception:  # noqa: BLE001 - broken EXIF data are as good as none
        return {}


def _quality(picture: Image.Image) -> int:
    tables = getattr(picture, "quantization", None) or {}
    return _FINE_QUALITY if tables and sum(tables[min(tables)]) < _STEPS_AT_95 else _QUALITY


def _encoded(picture: Image.Image, format_name: str, metadata: dict[str, Any], *, quality: int) -> bytes:
    options: dict[str, Any] = {
        "jpeg": {"quality": quality, "subsampling": 0, "optimize": True},
        "webp": {"lossless": True, "quality": 40, "method": 2, "exact": True},
    }.get(format_name, {})
    if format_name == "bmp":
        metadata = {}
    if format_name in {"jpeg", "webp"} and picture.mode not in {"L", "RGB", "RGBA"}:
        picture = picture.convert("RGB")
    try:
        return _saved(picture, format_name, **options, **metadata)
    except (ValueError, OSError, TypeError):
        if not metadata:
            raise
        return _saved(picture, format_name, **options)  # EXIF data may be too long for a JPEG


def _saved(picture: Image.Image, format_name: str, **options: Any) -> bytes:
    """Returns the bytes of the file that Pillow writes."""
    # Into memory it encodes JPEGs with all other threads standing still, into a file (here: one without a name) not.
    is_file = format_name == "jpeg" and hasattr(os, "memfd_create")
    with os.fdopen(os.memfd_create("picture"), "w+b") if is_file else io.BytesIO() as out:
        picture.save(out, format_name, **options)
        out.seek(0)
        return out.read()
