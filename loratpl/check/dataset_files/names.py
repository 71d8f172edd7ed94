"""Names of files: extensions that the trainer does not read, and names that get too long."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from loratpl.config.settings import Settings
from loratpl.dataset.inspect import InspectedFolder
from loratpl.dataset.latent_caches import latent_cache_of
from loratpl.dataset.scan import IMAGE_EXTENSIONS
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

# What most file systems take as one name, and Windows as a whole path, unless it was told otherwise.
MAX_NAME_BYTES = 255
MAX_WINDOWS_PATH = 259
# What the size adds to a cache's name, `_0768x0512`; sides of more than 9999 pixels take a digit more each.
_SIZE_BYTES = 20
# Other names of JPEG files.
_JPEG_SUFFIXES = frozenset({".jpe", ".jfif"})


def left_out_problems(project: ProjectPaths, folder: InspectedFolder) -> Iterator[Problem]:
    """Yields an error for each picture that would not be trained for its extension; the trainer says nothing of them.

    Folders without a number are told of as a whole.
    """
    if not folder.contents.is_concept:
        return
    for name in folder.contents.left_out:
        path = folder.path / name
        where, suffix = project.relative(path), path.suffix
        lower = suffix.lower()
        if lower in IMAGE_EXTENSIONS:
            reason = f"the trainer reads {lower} and {lower.upper()}, but not {suffix}"
            fix = f"Rename it to `{path.stem}{lower}`."
        else:
            reason = f"the trainer does not read {lower} files"
            fix = (
                f"Rename it to `{path.stem}.jpg`." if lower in _JPEG_SUFFIXES else "Convert it to png, or take it out."
            )
        yield Problem("dataset.image.left_out", f"{where} would not be trained: {reason}.", where, fix)


def long_name_problems(
    project: ProjectPaths, settings: Settings, folder: InspectedFolder, platform: str = sys.platform
) -> Iterator[Problem]:
    """Yields what would have too long a name, once the cache of its latents lies beside it.

    Args:
        project: For naming places.
        settings: Whether latents are cached to disk, and of which family.
        folder: The pictures.
        platform: The system that is judged for, as `sys.platform` names it.
    """
    suffix = latent_cache_of(settings.family.name).suffix if settings["cache_latents_to_disk"] else None
    longest_path = MAX_WINDOWS_PATH if platform == "win32" else sys.maxsize
    added = _SIZE_BYTES + len(suffix) if suffix else 0
    prefix_length = len(os.fspath(folder.path)) + 1
    for name, found in zip(folder.contents.pictures, folder.pictures, strict=False):
        # No character takes more than four bytes: most names need no closer look.
        if 4 * len(name) + added <= MAX_NAME_BYTES and prefix_length + len(name) + added <= longest_path:
            continue
        path = found.file_path
        cache = f"{path.stem}_{found.width_px:04d}x{found.height_px:04d}{suffix}" if suffix else path.name
        where = project.relative(path)
        length = len(os.fsencode(cache))
        if length > MAX_NAME_BYTES:
            message = (
                f"The name of {where} is too long: that of its latent cache would have {length} bytes, more than the "
                f"{MAX_NAME_BYTES} that a disk takes. The trainer would end on it while it caches."
            )
            fix = f"Shorten the name by {length - MAX_NAME_BYTES} bytes or more, or cache latents in memory only."
            yield Problem("dataset.path.long", message, where, fix)
        elif len(os.fspath(path.parent / cache)) > longest_path:
            message = f"The path of {where} has more than {MAX_WINDOWS_PATH} characters: Windows may not open it."
            fix = "Move the project nearer to the drive's root, or shorten the names."
            yield Problem("dataset.path.long", message, where, fix, "warning")
