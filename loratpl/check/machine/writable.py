"""Folders of pictures that the trainer writes its caches into."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.dataset.scan import Concept
from loratpl.errors import Problem

_CACHE_SUFFIX = ".npz"
_ENDS_OF_TEXT = ("_te.npz", "_te_outputs.npz")
_LATENTS, _TEXTS = "cache_latents_to_disk", "cache_text_encoder_outputs_to_disk"


def may_write(folder: Path) -> bool:
    """Returns whether files can be made in a folder: rights, and a file system that is not mounted read-only.

    Nothing is tried, since `check` changes nothing; the system is asked, which answers for root as well.
    """
    return os.access(folder, os.W_OK | os.X_OK)


def is_read_only(folder: Path) -> bool:
    """Returns whether a folder's file system is mounted read-only, False where the system does not tell."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):  # Windows has none of it
        return False


def cache_folder_problems(
    settings: Settings,
    concepts: Iterable[Concept],
    *,
    may_write: Callable[[Path], bool] = may_write,
    is_read_only: Callable[[Path], bool] = is_read_only,
) -> Iterator[Problem]:
    """Yields an error where caches would be written into folders that cannot be written to.

    The trainer finds out when it has loaded the models and comes to the first such picture. Where every picture has
    its caches already, it writes nothing.

    Args:
        settings: The run's.
        concepts: Of image_dir and reg_dir.
        may_write: Tells whether files can be made in a folder.
        is_read_only: Tells whether a folder's file system is mounted read-only.
    """
    options = [option for option in (_LATENTS, _TEXTS) if settings[option]]
    if not options:
        return
    unwritable = [
        concept.folder
        for concept in concepts
        if concept.pictures and not may_write(concept.folder) and not _has_caches(concept, options)
    ]
    if not unwritable:
        return
    folder, option = unwritable[0], options[0]
    more = {1: "", 2: " and one more folder"}.get(len(unwritable), f" and {len(unwritable) - 1} more folders")
    read_only = is_read_only(folder)
    are = "are" if more else "is"
    reason = f"{are} on a disk that is mounted read-only" if read_only else "cannot be written to"
    in_memory = option.removesuffix("_to_disk")
    fix = f'Set `"{option}": false` and `"{in_memory}": true`, which keeps them in memory'
    yield Problem(
        "dataset.folder.unwritable",
        f"{option} writes a cache beside every picture, and {folder}{more} {reason}.",
        str(folder),
        f"{fix}." if read_only else f'{fix}, or make it writable: `chmod u+w "{folder}"`.',
    )


def _has_caches(concept: Concept, options: list[str]) -> bool:
    try:
        caches = [path.name for path in concept.folder.iterdir() if path.suffix == _CACHE_SUFFIX]
    except OSError:
        return False
    stems = [picture.path.stem for picture in concept.pictures]
    of_text = [name for name in caches if name.endswith(_ENDS_OF_TEXT)]
    of_latents = [name for name in caches if not name.endswith(_ENDS_OF_TEXT)]
    wanted = {_LATENTS: of_latents, _TEXTS: of_text}
    return all(
        any(name.startswith((f"{stem}_", f"{stem}.")) for name in wanted[option])
        for option in options
        for stem in stems
    )
