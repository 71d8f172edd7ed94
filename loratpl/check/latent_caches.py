"""Latent caches that the trainer would believe, and that are wrong.

It takes a picture's size from the name of a cache before it opens the picture, and where latents are cached to disk it
trains what the file holds: of a picture that has been replaced since, of another resolution, or of another picture
whose name begins alike (sd-scripts 48d368fa, `library/strategy_base.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.dataset.latent_caches import FoundCache, LatentCache, cached_shapes, latent_cache_of
from loratpl.dataset.scan import Dataset, Picture
from loratpl.errors import Problem
from loratpl.plan.planner import PlannedView, TrainingPlan
from loratpl.project import ProjectPaths

_REMOVE = "Delete the cache; the trainer makes it anew."
# Copying a folder gives files times in any order within a moment.
_CLOCK_TOLERANCE_S = 2.0


def cache_name_problems(project: ProjectPaths, dataset: Dataset) -> Iterator[Problem]:
    """Yields an error for each picture that would get another size, and for each name that the trainer ends on."""
    for concept in dataset.concepts:
        for picture in concept.pictures:
            cache = picture.cache
            if cache is None:
                continue
            if cache.size_px is None:
                yield _nameless(project, picture, cache)
            elif picture.is_readable and cache.size_px != (picture.width_px, picture.height_px):
                yield _of_another_size(project, picture, cache)


def _nameless(project: ProjectPaths, picture: Picture, cache: FoundCache) -> Problem:
    where = project.relative(cache.path)
    return Problem(
        "dataset.cache.name",
        f"{where} has no size in its name; the trainer takes it for the cache of {picture.path.name} and ends on it.",
        where,
        "Move the file out of the folder, or delete it.",
    )


def _of_another_size(project: ProjectPaths, picture: Picture, cache: FoundCache) -> Problem:
    where = project.relative(picture.path)
    width, height = cache.size_px or (0, 0)
    is_its_own = cache.path.name.startswith(f"{picture.path.stem}_{width:04d}x{height:04d}_")
    if is_its_own:
        because = f"the cache {cache.path.name} is of an earlier picture"
        fix = _REMOVE
    else:
        because = f"the trainer takes {cache.path.name} for its cache, since the name begins alike"
        fix = f"Rename the picture (and its caption) so that no other name begins with `{picture.path.stem}`."
    return Problem(
        "dataset.cache.size",
        f"{where} is {picture.width_px}x{picture.height_px} and would be trained as {width}x{height}: {because}.",
        where,
        fix,
    )


def cache_content_problems(project: ProjectPaths, settings: Settings, plan: TrainingPlan) -> Iterator[Problem]:
    """Yields what is wrong with the caches that this training would read from the disk."""
    if not settings["cache_latents_to_disk"]:
        return
    kind = latent_cache_of(settings.family.name)
    bucket_of: dict[Path, tuple[int, int]] = {}
    seen: set[Path] = set()
    for dataset in plan.datasets:
        for view in dataset.views():
            path = view.picture.path
            if not kind.holds_several and bucket_of.setdefault(path, view.placement.bucket) != view.placement.bucket:
                yield _one_resolution(settings)
                return
            yield from _problems_of(project, view, kind, seen)


def _problems_of(project: ProjectPaths, view: PlannedView, kind: LatentCache, seen: set[Path]) -> Iterator[Problem]:
    path = kind.path_of(view.picture.path, view.picture.trained_px)
    try:
        cached_at = path.stat().st_mtime
        made_at = view.picture.path.stat().st_mtime
    except OSError:
        return  # none yet
    where = project.relative(path)
    if path not in seen and made_at > cached_at + _CLOCK_TOLERANCE_S:
        yield Problem(
            "dataset.cache.stale",
            f"{where} is older than {view.picture.path.name}: the trainer would train the picture as it was before.",
            where,
            _REMOVE,
        )
    seen.add(path)
    expected = (view.placement.bucket[1] // kind.stride, view.placement.bucket[0] // kind.stride)
    shapes = cached_shapes(path)
    if shapes is None:
        yield Problem("dataset.cache.damaged", f"{where} cannot be read; the trainer would end on it.", where, _REMOVE)
        return
    if kind.holds_several:
        return  # each resolution has a name of its own in the file: one that is missing is added
    found = shapes.get("latents")
    if found is not None and found[-2:] != expected:
        yield Problem(
            "dataset.cache.stale",
            f"{where} holds latents of {found[-1] * kind.stride}x{found[-2] * kind.stride} pixels, and this training "
            f"puts {view.picture.path.name} into the bucket {view.placement.bucket[0]}x{view.placement.bucket[1]}: "
            "the trainer would train the old ones.",
            where,
            _REMOVE,
        )


def _one_resolution(settings: Settings) -> Problem:
    return Problem(
        "config.combination",
        f"A cache of {settings.family.name} holds one resolution, and the config trains pictures at several with "
        "`cache_latents_to_disk`: the trainer would train all of them on the latents of the first.",
        settings.where("cache_latents_to_disk"),
        'Write `"cache_latents_to_disk": false`; `cache_latents` keeps them in memory instead.',
    )
