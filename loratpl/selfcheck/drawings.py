"""Pictures that are drawn, so that a training can be shown without anybody's own."""

from __future__ import annotations

from pathlib import Path

# The smallest square that the trainer's default bucket limits allow.
PICTURE_SIDE_PX = 256


def draw_pictures(folder: Path, count: int, *, first_number: int = 0) -> None:
    """Draws `count` different pictures with a caption each into a folder; the same numbers draw the same."""
    from PIL import Image, ImageDraw

    for number in range(first_number, first_number + count):
        side = PICTURE_SIDE_PX
        size = (side + 32 * (number % 3), side)
        light = Image.radial_gradient("L").resize(size)
        shade = Image.linear_gradient("L").rotate(90 * (number % 4)).resize(size)
        picture = Image.merge("RGB", (light, Image.new("L", size, 37 * number % 256), shade))
        pen = ImageDraw.Draw(picture)
        pen.ellipse((20, 30, 120 + 7 * number % 90, 180), fill=(220, 60 + 23 * number % 190, 40))
        pen.rectangle((130, 90, 230, 150 + 11 * number % 90), fill=(30, 160, 40 + 31 * number % 200))
        picture.save(folder / f"{number}.png")
        _, _, class_tokens = folder.name.partition("_")
        (folder / f"{number}.txt").write_text(f"{class_tokens}, drawing {number}\n", encoding="utf-8")
