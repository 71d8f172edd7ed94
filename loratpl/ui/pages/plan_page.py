"""The page of a plan: what `kohyatpl plan --html` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratpl.plan.cropping import Box, kept_box
from loratpl.ui import plan_words as words
from loratpl.ui.pages.files import common_filters, refuse_foreign, rendered, unbroken, write_page
from loratpl.ui.pages.thumbnails import NoThumbnail, Thumbnail, thumbnail_size, thumbnails_of

if TYPE_CHECKING:
    from loratpl.plan.buckets import Size
    from loratpl.ui.pages.plan_content import PagePicture, PlanPage

OPTION = "--html"
MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """A part of a picture in percent of its sides."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture as the template lays it out; all but `picture` and `note` is about its thumbnail.

    Attributes:
        picture: What it is.
        source: The thumbnail as a data URI, "" where there is none.
        size: Its width and height.
        kept: The part that is trained, in percent of width and height; None where that is all of it.
        note: What must be said of it.
    """

    picture: PagePicture
    source: str
    size: Size
    kept: Kept | None
    note: str = ""


def refuse_page_path(path: Path) -> None:
    """Refuses a place that no page can be written to, before any work is done.

    Raises:
        UsageError: Something that is no page of ours is there.
        ProjectError: What is there cannot be looked at.
    """
    refuse_foreign(path, OPTION)


def write_plan_page(path: Path, page: PlanPage) -> None:
    """Writes the page, with thumbnails made of the pictures.

    Raises:
        UsageError: Something that is no page of ours is there.
        ProjectError: It cannot be written.
    """
    refuse_page_path(path)
    thumbnails = thumbnails_of([(picture.path, picture.placement.resized) for picture in page.pictures])
    write_page(path, plan_html(page, thumbnails), OPTION)


def plan_html(page: PlanPage, thumbnails: Sequence[Thumbnail | NoThumbnail]) -> str:
    """Returns the page as HTML.

    Args:
        page: What it says.
        thumbnails: Of each of its pictures.
    """
    values: dict[str, Any] = {
        "page": page,
        "shown_pictures": [
            shown_picture(picture, thumbnail) for picture, thumbnail in zip(page.pictures, thumbnails, strict=True)
        ],
        "max_named": MAX_NAMED,
        "named_loss": f"{words.NAMED_LOSS * 100:g} %",
        "named_scale": f"{words.NAMED_SCALE:g}",
    }
    filters = {**common_filters(), "times": unbroken(words.times), "picture_name": words.picture_name}
    return rendered("plan_page.html", values, filters)


def shown_picture(picture: PagePicture, thumbnail: Thumbnail | NoThumbnail) -> ShownPicture:
    """Returns how a picture is laid out."""
    resized = picture.placement.resized
    if isinstance(thumbnail, NoThumbnail):
        return ShownPicture(picture, "", thumbnail_size(resized), None, f"This picture {thumbnail.reason}.")
    box = kept_box(picture.placement)
    return ShownPicture(
        picture,
        thumbnail.data_uri,
        thumbnail_size(resized),
        None if box == Box(0, 0, *resized) else _in_percent(box, resized),
        "Shown as it is stored: its EXIF tag would turn it, and the trainer does not heed that."
        if thumbnail.is_turned
        else "",
    )


def _in_percent(box: Box, size: Size) -> Kept:
    width, height = size
    return Kept(
        100 * box.left / width,
        100 * box.top / height,
        100 * (box.right - box.left) / width,
        100 * (box.bottom - box.top) / height,
    )
