"""Caches beside a picture: which are its own, and which of them the trainer would wrongly believe."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.dataset.inspect import Inspection
from loratpl.dataset.latent_caches import LATENT_CACHES, LatentCache, cached_shapes, latent_cache_of, size_in_name
from loratpl.plan.planner import TrainingPlan

_SUFFIXES = sorted({cache.suffix for cache in LATENT_CACHES.values()})
_LATENTS = re.compile(rf"(?P<stem>.+)_\d+x\d+(?:{'|'.join(map(re.escape, _SUFFIXES))})", re.DOTALL)
# Outputs of text encoders: what a caption came to (sd-scripts 48d368fa, `library/strategy_*.py`).
_TEXTS = ("_te_outputs.npz", "_sd3_te.npz", "_flux_te.npz", "_lumina_te.npz", "_hi_te.npz", "_anima_te.npz")
# What the trainer trusts entirely where it is there (option `cache_info`): paths, captions, sizes.
METADATA_CACHE = "metadata_cache.json"
# Copying a folder gives files times in any order within a moment.
_CLOCK_TOLERANCE_S = 2.0


class FolderCaches:
    """The caches in a folder, by the picture that each is of."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._latents: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._names):
            match = _LATENTS.fullmatch(name)
            if match:
                self._latents[match["stem"]].append(name)

    def of_pixels(self, stem: str) -> tuple[str, ...]:
        """Returns the caches of what a picture shows, of every family, the first versions' form included."""
        older = (f"{stem}.npz",) if f"{stem}.npz" in self._names else ()
        return (*self._latents.get(stem, ()), *older)

    def of_caption(self, stem: str) -> tuple[str, ...]:
        """Returns the caches of what a caption came to."""
        return tuple(f"{stem}{suffix}" for suffix in _TEXTS if f"{stem}{suffix}" in self._names)


def stale_latents(
    settings: Settings, folder: Path, found: Inspection, caches: FolderCaches, misplaced: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Yields (name, why) of each cache of a picture that the trainer would believe, and that is wrong.

    Args:
        settings: Which family is trained, and whether it reads caches from the disk.
        folder: Where they lie.
        found: The picture.
        caches: Of its folder.
        misplaced: Caches that hold another bucket than the plan's, by path.
    """
    kind = latent_cache_of(settings.family.name)
    stem = os.path.splitext(found.file_path.name)[0]  # noqa: PTH122 - the trainer's rule
    for name in caches.of_pixels(stem):
        path = folder / name
        if name.endswith(kind.suffix) and name != f"{stem}.npz":
            if size_in_name(os.fspath(path)) != (found.width_px, found.height_px):
                yield name, f"it is of an earlier {found.file_path.name}, which had another size"
                continue
        elif kind.holds_several:
            continue
        if settings["cache_latents_to_disk"]:
            reason = _reason(path, found, misplaced)
            if reason:
                yield name, reason


def _reason(path: Path, found: Inspection, misplaced: frozenset[str]) -> str:
    try:
        is_older = found.file_path.stat().st_mtime > path.stat().st_mtime + _CLOCK_TOLERANCE_S
    except OSError:
        return ""
    if is_older:
        return f"it is older than {found.file_path.name}"
    if os.fspath(path) in misplaced:
        return "it holds latents of another bucket"
    return "it cannot be read" if cached_shapes(path) is None else ""


def misplaced_latents(settings: Settings, plan: TrainingPlan | None) -> frozenset[str]:
    """Returns the caches, by path, that hold latents of other buckets than those of the plan."""
    kind: LatentCache = latent_cache_of(settings.family.name)
    if plan is None or kind.holds_several or not settings["cache_latents_to_disk"]:
        return frozenset()
    bucket_of: dict[Path, set[tuple[int, int]]] = defaultdict(set)
    for dataset in plan.datasets:
        for view in dataset.views():
            path = kind.path_of(view.picture.path, view.picture.trained_px)
            bucket_of[path].add(view.placement.bucket)
    found = set()
    for path, buckets in bucket_of.items():
        if len(buckets) > 1 or not path.is_file():
            continue  # several resolutions: no cache could be right
        (width, height) = next(iter(buckets))
        latents = (cached_shapes(path) or {}).get("latents")
        if latents is not None and latents[-2:] != (height // kind.stride, width // kind.stride):
            found.add(os.fspath(path))
    return frozenset(found)
