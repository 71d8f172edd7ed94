"""What tells that a file is still the one that was looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# A file that changes again within a tick of its clock keeps its times.
_TICK_NS = 20_000_000
_COARSE_TICK_NS = 2_000_000_000  # FAT
_SECOND_NS = 1_000_000_000


class Signature(NamedTuple):
    """What tells that a file is still the same; a tuple, since a hundred thousand may be made.

    Attributes:
        size_bytes: Of the file.
        mtime_ns: When its content was changed last.
        ctime_ns: When anything of it was changed last, its permissions for example; on Windows when it was made.
        inode: Its number on its disk.
    """

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


# Of what cannot be asked: a link that leads nowhere, for example.
NOTHING = Signature(0, 0, 0, 0)


def signatures_of(stamps: Sequence[int]) -> Iterator[Signature]:
    """Yields the signatures that stand one after another in `stamps`."""
    fields = iter(stamps)
    return map(Signature, fields, fields, fields, fields)


def is_settled(signature: Signature, now_ns: int) -> bool:
    """Returns whether a file that changes from now on would show it in its times."""
    tick_ns = _TICK_NS if signature.mtime_ns % _SECOND_NS else _COARSE_TICK_NS
    changed_ns = signature.mtime_ns if os.name == "nt" else max(signature.mtime_ns, signature.ctime_ns)
    return changed_ns + tick_ns < now_ns
