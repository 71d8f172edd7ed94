"""Pictures that share a name but for the extension, and with it one caption and one latent cache."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from loratpl.config.settings import Settings
from loratpl.dataset.inspect import InspectedFolder
from loratpl.errors import Problem
from loratpl.project import ProjectPaths


def stem_problems(project: ProjectPaths, settings: Settings, folder: InspectedFolder) -> Iterator[Problem]:
    """Yields an error for pictures that take another one's caption or cache; a warning where there is neither yet."""
    pictures = folder.contents.pictures if folder.contents.is_concept else ()
    if len({name[: name.rfind(".")] for name in pictures}) == len(pictures):  # of a hundred thousand names
        return
    stems = defaultdict(list)
    for name in pictures:
        stems[name[: name.rfind(".")]].append(name)
    captions, caching = frozenset(folder.contents.others), bool(settings["cache_latents_to_disk"])
    for stem, names in stems.items():
        if len(names) == 1:
            continue
        caption = f"{stem}{caption_suffix(settings)}"
        where = project.relative(folder.path / names[1])
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        in_folder = project.relative(folder.path)
        fix = f"Rename {' and '.join(names[1:])}, and give it a caption of its own."
        if caption in captions:
            message = f"{listed} of {in_folder} share one caption, {caption}: each would be trained with it."
            yield Problem("dataset.image.same_stem", message, where, fix)
        elif caching:
            message = f"{listed} of {in_folder} share one latent cache: one may be trained with the other's pixels."
            yield Problem("dataset.image.same_stem", message, where, fix)
        else:
            message = f"{listed} of {in_folder} can only have one caption together."
            yield Problem("dataset.image.same_stem", message, where, fix, "warning")


def caption_suffix(settings: Settings) -> str:
    """Returns the extension of captions with its full stop, which the trainer adds as well."""
    suffix = str(settings["caption_extention"] or settings["caption_extension"])
    return suffix if suffix.startswith(".") else f".{suffix}"
