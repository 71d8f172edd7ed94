"""Which pictures of a dataset are trained how often per epoch, and which are kept for the validation.

Source: sd-scripts 48d368fa, `library/train_util.py`: `split_train_val` and `DreamBoothDataset.__init__`.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from loratpl.dataset.scan import Concept, Picture
from loratpl.plan.buckets import Size
from loratpl.plan.datasets import DatasetSpec
from loratpl.plan.steps import regularisation_views


class Shares:
    """Which pictures of a dataset are trained how often, and which are kept for the validation."""

    def __init__(self, spec: DatasetSpec) -> None:
        self._spec = spec
        self._split: float = spec.settings["validation_split"] or 0.0
        self._seed: int | None = spec.settings["validation_seed"]
        self._training = [(concept, self._trained(concept.pictures)) for concept in spec.training]
        self.train_views = sum(concept.repeats * len(pictures) for concept, pictures in self._training)

    def sizes(self) -> dict[int, list[Size]]:
        """Returns the sizes of the pictures that are trained, by how often each is seen per epoch."""
        found: dict[int, list[Size]] = {}
        for concept, pictures in self._training:
            found.setdefault(concept.repeats, []).extend([picture.trained_px for picture in pictures])
        for picture, _, count in self._regularisation():
            found.setdefault(count, []).append(picture.trained_px)
        return found

    def views_of_folders(self) -> Counter[Path]:
        """Returns how often the pictures of each folder are seen per epoch."""
        views = Counter({concept.folder: concept.repeats * len(pictures) for concept, pictures in self._training})
        for folder, found in groupby(self._regularisation(), lambda view: view[1].folder):
            views[folder] += sum(count for _, _, count in found)
        return views

    def views(self) -> Iterator[tuple[Picture, Concept, int]]:
        """Yields each picture that is trained, its folder, and how often it is seen per epoch."""
        for concept, pictures in self._training:
            for picture in pictures:
                yield picture, concept, concept.repeats
        yield from self._regularisation()

    def _regularisation(self) -> Iterator[tuple[Picture, Concept, int]]:
        reg = [(picture, concept) for concept in self._spec.regularisation for picture in concept.pictures]
        evened = regularisation_views(self.train_views, [concept.repeats for _, concept in reg])
        for (picture, concept), count in zip(reg, evened, strict=True):
            if count:
                yield picture, concept, count

    def validation(self) -> Iterator[tuple[Picture, Concept, int]]:
        """Yields each picture of the validation; each is seen once, and none is a regularisation image."""
        if not 0.0 < self._split <= 1.0:
            return
        for concept in self._spec.training:
            shuffled = self._shuffled(concept.pictures)
            for picture in shuffled[len(shuffled) - round(len(shuffled) * self._split) :]:
                yield picture, concept, 1

    def _trained(self, pictures: Sequence[Picture]) -> Sequence[Picture]:
        if self._split <= 0.0:
            return pictures
        shuffled = self._shuffled(pictures)
        return shuffled[: math.ceil(len(shuffled) * (1 - self._split))]

    def _shuffled(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The trainer shuffles the pictures of each folder with the validation seed."""
        shuffled = list(pictures)
        random.Random(self._seed).shuffle(shuffled)  # noqa: S311 - must be what the trainer draws
        return shuffled
