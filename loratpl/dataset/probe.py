"""The size of one picture, read as the trainer reads it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import imagesize

UNREADABLE = (0, 0)


def image_size(path: Path) -> tuple[int, int]:
    """Returns (width, height) in pixels of the picture at `path`, (0, 0) where it is none.

    The trainer asks `imagesize`, which reads the header alone, and Pillow where that fails; neither looks at the
    EXIF orientation (sd-scripts 48d368fa, `BaseDataset.get_image_size`).
    """
    # Both read whatever stands where a size should be, so any kind of error can come of a broken file.
    with contextlib.suppress(Exception):
        width, height = imagesize.get(str(path))
        if width > 0 and height > 0:
            return width, height
    from PIL import Image

    with contextlib.suppress(Exception), Image.open(path) as picture:
        return picture.size
    return UNREADABLE
