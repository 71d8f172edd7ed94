"""The size of one picture, read as the trainer reads it."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

import imagesize

UNREADABLE = (0, 0)


def image_size(path: Path) -> tuple[int, int]:
    """Returns (width, height) in pixels of the picture at `path`, (0, 0) where the trainer cannot read it.

    The trainer asks `imagesize`, which reads the header alone, and Pillow where that finds no size; it ends where
    `imagesize` raises. Neither looks at the EXIF orientation (sd-scripts 48d368fa, `BaseDataset.get_image_size`).
    """
    try:
        found = path.stat()
    except OSError:
        return UNREADABLE
    if not stat.S_ISREG(found.st_mode) or not found.st_size:  # opening a pipe would wait for ever
        return UNREADABLE
    try:
        width, height = imagesize.get(str(path))
    except Exception:  # noqa: BLE001 - it reads whatever stands where a size should be: any kind of error comes of that
        return UNREADABLE
    if width > 0 and height > 0:
        return width, height
    from PIL import Image

    with contextlib.suppress(Exception), Image.open(path) as picture:
        return picture.size
    return UNREADABLE
