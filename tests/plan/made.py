"""Datasets for plans, without any file: a plan needs the sizes alone."""

from __future__ import annotations

from pathlib import Path

from loratpl.dataset.scan import Concept, Dataset, Picture
from loratpl.plan.buckets import Size

ROOT = Path("project")


def concept(repeats: int, *sizes: Size, is_reg: bool = False, name: str = "ohwx cat") -> Concept:
    """Returns a folder with one picture of each of these sizes."""
    folder = ROOT / ("reg_dir" if is_reg else "image_dir") / f"{repeats}_{name}"
    pictures = tuple(Picture(folder / f"{number:03}.png", *size) for number, size in enumerate(sizes))
    return Concept(folder, repeats, name, is_reg, pictures)


def dataset(*concepts: Concept) -> Dataset:
    """Returns a dataset of these folders."""
    return Dataset(ROOT / "image_dir", ROOT / "reg_dir", concepts, ())


def squares(count: int, *, repeats: int = 1) -> Dataset:
    """Returns a dataset of one concept with `count` pictures of the resolution's size."""
    return dataset(concept(repeats, *[(512, 512)] * count))
