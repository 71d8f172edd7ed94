"""Captions that are there, but of another extension than the config names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from loratpl.check.captions.matches import Matches
from loratpl.check.captions.wording import counted, listed
from loratpl.config.settings import Settings
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_MOST = 0.5


def extension_problems(project: ProjectPaths, settings: Settings, matches: Sequence[Matches]) -> Iterator[Problem]:
    """Yields one problem for each extension that captions are looked for by: an error where it misses all of them."""
    groups: dict[str, list[Matches]] = defaultdict(list)
    for item in matches:
        groups[item.captions.settings.extension].append(item)
    option = "caption_extention" if settings["caption_extention"] else "caption_extension"
    for extension, items in groups.items():
        counts = Counter(suffix for item in items for suffix, names in item.other.items() for _ in names)
        # ".none" and the like are how people say that the folders' names are to be trained.
        if not counts or "none" in extension.lower():
            continue
        other, count = counts.most_common(1)[0]
        pictures = sum(len(item.captions.captions) for item in items)
        places = [project.relative(item.captions.concept.folder) for item in items if other in item.other]
        if not any(item.has_own for item in items) and count >= pictures * _MOST:
            message = (
                f"No caption would be used: {option} is `{extension}`, but the captions of {count} of {pictures} "
                f"pictures are `{other}` files ({listed(places)}). The folders' names would be trained instead."
            )
            fix = f'Write `"{option}": "{other}"`; to train on the folders\' names, write `"{option}": ".none"`.'
            yield Problem("dataset.caption.extension", message, settings.where(option), fix)
        else:
            message = (
                f"{counted(count, 'picture')} of {listed(places)} {'has' if count == 1 else 'have'} a caption in a "
                f"`{other}` file alone, which is not used: {option} is `{extension}`."
            )
            fix = f"Rename these files to `{extension}`, or take them out."
            yield Problem("dataset.caption.extension", message, places[0], fix, "warning")
