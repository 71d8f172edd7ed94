"""What pictures and captions are called in a project: as before, unless a name would be trouble there."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from loratpl.project.naming import UNSAFE_IN_NAMES, name_key

# The devices of Windows: no file can be called so, whatever its extension.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)", re.IGNORECASE)
# A file system takes 255 bytes; the trainer puts up to 30 behind the stem of a picture for its latent cache.
_MAX_STEM_BYTES = 200


def split_name(name: str) -> tuple[str, str]:
    """Returns stem and extension of a file's name.

    >>> split_name("my.cat.png")
    ('my.cat', '.png')
    """
    return os.path.splitext(name)  # noqa: PTH122 - a Path for each file costs twice the time


def portable_stem(stem: str) -> str:
    """Returns a stem that is good on every system, the same one where it is.

    >>> portable_stem("cat 1")
    'cat 1'
    >>> portable_stem("cat: asleep?")
    'cat- asleep-'
    >>> portable_stem("aux")
    'picture-aux'
    """
    stem = UNSAFE_IN_NAMES.sub("-", stem)
    if _RESERVED.match(stem):
        stem = f"picture-{stem}"
    return stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore")


def unique_stems(pictures: Mapping[str, str]) -> dict[str, str]:
    """Returns the stem that each picture shall have, so that no two share one on any system.

    Two pictures of one stem would share their caption and their latent cache. All that share one are told apart by
    their extension: were one to keep the stem, it would be the beginning of the other's, and the trainer, which finds
    the cached size of a picture by the beginning of a name, could take the one's for the other's.

    >>> unique_stems({"1.png": ".png", "1.jpg": ".jpg", "2.png": ".png"})
    {'2.png': '2', '1.jpg': '1-jpg', '1.png': '1-png'}

    Args:
        pictures: The extension that each picture will have, by its name.
    """
    stem_of = {name: portable_stem(split_name(name)[0]) for name in pictures}
    counts = Counter(map(name_key, stem_of.values()))
    stems = {name: stem for name, stem in stem_of.items() if counts[name_key(stem)] == 1}
    used = {name_key(stem) for stem in stems.values()}
    for name in sorted(stem_of.keys() - stems.keys()):
        stem = _free_stem(f"{stem_of[name]}-{pictures[name].lstrip('.').lower()}", used)
        used.add(name_key(stem))
        stems[name] = stem
    return stems


def _free_stem(stem: str, used: Iterable[str]) -> str:
    candidate, number = stem, 1
    while name_key(candidate) in used:
        number += 1
        candidate = f"{stem}-{number}"
    return candidate
