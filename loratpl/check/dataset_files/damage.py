"""Pictures that are broken, or too large to be opened."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.dataset.inspect import MAX_READ_BYTES, PIXELS_REFUSED, PIXELS_WARNED, Inspection
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_SHRINK = "Shrink it; a picture is trained at the resolution of the config anyway."


def damage_problems(project: ProjectPaths, found: Inspection) -> Iterator[Problem]:
    """Yields what is broken in a picture: an error where the trainer ends on it, a warning where it trains it so."""
    where = project.relative(found.file_path)
    yield from _size_problems(where, found)
    if not found.damage:
        return
    code = "dataset.image.truncated" if "truncated" in found.damage else "dataset.image.damaged"
    if found.is_fatal:
        message = f"{where} is broken: {found.damage}; the trainer would end on it."
        yield Problem(code, message, where, "Replace it with an intact copy, or take it out.")
    else:
        message = f"{where} is broken: {found.damage}; the trainer would train it as it is, without a word."
        yield Problem(code, message, where, "Look at it; replace it with an intact copy, or save it anew.", "warning")


def _size_problems(where: str, found: Inspection) -> Iterator[Problem]:
    size = f"{found.width_px}x{found.height_px} ({found.pixels / 1e6:.0f} megapixels)"
    if found.pixels > PIXELS_REFUSED:
        message = f"{where} is {size}: the trainer takes so many for an attack (a decompression bomb) and ends on it."
        yield Problem("dataset.image.bomb", message, where, _SHRINK)
    elif found.pixels > PIXELS_WARNED:
        memory = found.pixels * 3 / 1e9
        message = f"{where} is {size}: slow, and {memory:.1f} GB of memory each time it is opened. It was not decoded."
        yield Problem("dataset.image.huge", message, where, _SHRINK, "warning")
    elif found.is_picture and found.size_bytes > MAX_READ_BYTES:
        message = f"{where} is a file of {found.size_bytes / 1e9:.1f} GB; it was not looked at beyond its header."
        yield Problem("dataset.image.huge", message, where, _SHRINK, "warning")
