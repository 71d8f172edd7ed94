"""Pictures that the trainer sees otherwise than people do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from loratpl.dataset.inspect import FORMAT_OF_SUFFIX, Inspection
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_UPRIGHT = 1
_TURNED = {3: "upside down", 6: "lying on its side", 8: "lying on its side", 5: "lying on its side, mirrored",
           7: "lying on its side, mirrored", 2: "mirrored", 4: "upside down, mirrored"}  # fmt: skip
_FORMAT_NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "bmp": "BMP"}
_SUFFIX_OF_FORMAT = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "bmp": ".bmp"}


def appearance_problems(project: ProjectPaths, found: Inspection, *, uses_alpha: bool) -> Iterator[Problem]:
    """Yields a warning for each way in which a picture would be trained otherwise than it looks.

    Args:
        project: For naming places.
        found: The picture.
        uses_alpha: Whether the config trains with the alpha channel as a mask.
    """
    if not found.is_picture:
        return
    where = project.relative(found.file_path)
    for code, message, fix in (
        *_colours(found),
        *(() if uses_alpha else _alpha(found)),
        *_content(found),
        *_extension(found),
    ):
        yield Problem(code, f"{where} {message}", where, fix, "warning")


def _colours(found: Inspection) -> Iterator[tuple[str, str, str]]:
    if found.mode == "CMYK":
        message = "is CMYK: the trainer converts its colours without a profile, and they come out wrong."
        yield "dataset.image.cmyk", message, "Convert it to sRGB."
    elif found.profile:
        message = (
            f"has the colour profile {found.profile}, which the trainer ignores: its colours would be trained off."
        )
        yield "dataset.image.profile", message, "Convert it to sRGB."
    if found.mode == "L" and found.bit_depth > 8:
        message = (
            f"is {found.bit_depth}-bit grey: the trainer cuts its values off at 8 bits, and most of it turns white."
        )
        yield "dataset.image.depth", message, "Convert it to 8-bit."


def _alpha(found: Inspection) -> Iterator[tuple[str, str, str]]:
    if not found.transparent_share:
        return
    share = f"{max(1.0, 100 * found.transparent_share):.0f} %"
    below = "the colours hidden below them" if found.hidden.startswith("several") else f"the colour {found.hidden}"
    what = "palette has a transparent colour" if found.mode == "P" else "alpha is dropped by the trainer"
    message = f"has transparent parts ({share}); its {what}, and {below} would be trained there."
    yield "dataset.image.alpha", message, "Put it onto a background of your choice, and save it without alpha."


def _content(found: Inspection) -> Iterator[tuple[str, str, str]]:
    if found.orientation != _UPRIGHT:
        message = (
            f"would be trained {_TURNED[found.orientation]}: the trainer ignores its EXIF orientation "
            f"({found.orientation})."
        )
        yield "dataset.image.orientation", message, "Apply the rotation to its pixels: open it and save it anew."
    if found.frames > 1:
        yield (
            "dataset.image.animated",
            "is an animation: only its first frame would be trained.",
            "Save its frames as pictures.",
        )
    if found.is_blank:
        yield "dataset.image.blank", "is blank: all of its pixels have one colour.", "Replace it, or take it out."


def _extension(found: Inspection) -> Iterator[tuple[str, str, str]]:
    stem, suffix = os.path.splitext(found.path)  # noqa: PTH122 - of every picture
    if not found.format or FORMAT_OF_SUFFIX[suffix.lower()] == found.format:
        return
    name = _FORMAT_NAMES.get(found.format, found.format.upper())
    message = f"is a {name} picture and not what its extension {suffix} says; the trainer opens it all the same."
    right = _SUFFIX_OF_FORMAT.get(found.format)
    fix = f"Rename it to `{Path(stem).name}{right}`." if right else "Convert it to png."
    yield "dataset.image.extension", message, fix
