"""Names that are free in a folder: on every disk, also one that takes upper and lower case for the same."""

from __future__ import annotations

import itertools
import os
import unicodedata
from bisect import bisect_left, insort
from collections.abc import Iterable

MAX_NAME_BYTES = 255


class FolderNames:
    """The names of a folder, those included that files will have."""

    def __init__(self, names: Iterable[str]) -> None:
        self._exact = set(names)
        self._folded = sorted(map(folded, self._exact))

    def __contains__(self, name: str) -> bool:
        return name in self._exact

    def is_free(self, name: str, own: str) -> bool:
        """Returns whether the file called `own` may be called `name`, without any other being in the way."""
        wanted = folded(name)
        at = bisect_left(self._folded, wanted)
        count = 0
        while at < len(self._folded) and self._folded[at] == wanted:
            count, at = count + 1, at + 1
        return count == (1 if folded(own) == wanted and own in self._exact else 0)

    def new_stem(self, stem: str) -> str:
        """Returns a name for a picture that no name in the folder is, or begins with: `a-2` for `a`.

        A caption that lies there alone would become the picture's, and the trainer takes a cache for a picture's
        whose name begins alike.
        """
        for number in itertools.count(2):
            candidate = f"{stem}-{number}"
            wanted = folded(candidate)
            at = bisect_left(self._folded, wanted)
            if at == len(self._folded) or not self._folded[at].startswith(wanted):
                return candidate
        raise AssertionError("there is always a number")  # pragma: no cover

    def take(self, name: str) -> None:
        """Notes that a file will have this name."""
        if name not in self._exact:
            self._exact.add(name)
            insort(self._folded, folded(name))


def folded(name: str) -> str:
    """Returns what is the same for names that some disk takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def is_too_long(name: str) -> bool:
    """Returns whether most disks refuse a name."""
    return len(os.fsencode(name)) > MAX_NAME_BYTES
