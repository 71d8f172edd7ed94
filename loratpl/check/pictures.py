"""Settings that the pictures themselves decide about: whether they fit, and whether there is anything to weigh."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.config.settings import Settings
from loratpl.dataset.scan import Dataset
from loratpl.errors import Problem


def picture_problems(settings: Settings, dataset: Dataset) -> Iterator[Problem]:
    """Yields settings that these pictures make pointless, or that end the training at one of them."""
    if settings["prior_loss_weight"] == 0 and dataset.regularisation:
        count = sum(len(concept.pictures) for concept in dataset.regularisation)
        yield Problem(
            "config.ignored",
            f"prior_loss_weight is 0: the {count} regularisation images would cost time and teach nothing.",
            settings.where("prior_loss_weight"),
            'Write `"prior_loss_weight": 1.0`, or take the regularisation images out.',
            "warning",
        )
    if not settings["enable_bucket"]:
        yield from _crop_problems(settings, dataset)


def _crop_problems(settings: Settings, dataset: Dataset) -> Iterator[Problem]:
    try:
        sides = [int(side) for side in settings["resolution"].split(",")]
    except ValueError:
        return  # said by the plan's own rules
    size = (sides[0], sides[-1])
    pictures = [picture for concept in dataset.concepts for picture in concept.pictures if picture.is_readable]
    other = [picture for picture in pictures if (picture.width_px, picture.height_px) != size]
    if not other:
        return
    where = settings.where("enable_bucket")
    fix = 'Write `"enable_bucket": true`: each picture is then trained in its own shape.'
    size_text = f"{size[0]}x{size[1]}"
    is_cut_at_will = settings["random_crop"] or settings["face_crop_aug_range"]
    if not (settings["cache_latents"] or settings["cache_latents_to_disk"] or is_cut_at_will):
        message = (
            f"enable_bucket is off and latents are not cached: {len(other)} of {len(pictures)} pictures are not "
            f"exactly {size_text}, and the trainer ends at the first of them."
        )
        yield Problem("config.combination", message, where, fix)
        return
    cut = [p for p in other if p.width_px * size[1] != p.height_px * size[0]]
    if cut and not is_cut_at_will:
        message = (
            f"enable_bucket is off: {len(cut)} of {len(pictures)} pictures have another shape than {size_text}, and "
            "their edges are cut off."
        )
        yield Problem("config.crop", message, where, fix, "warning")
