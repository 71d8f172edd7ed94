"""Which pictures look alike: few of the 64 bits of their hashes differ, and their colours hardly do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from loratpl.dataset.inspect import Inspection

# Three different bits leave at least one of four bands as it is: only pictures that share a band are compared.
MAX_BITS = 3
_BAND_BITS = 16
_BANDS = 64 // _BAND_BITS
_MAX_COLOUR = 12  # out of 255
# Where very many share a band, each is compared with those whose hashes stand next to its own.
_LARGE_BAND = 128
_NEIGHBOURS = 12


def groups_of_alike(pictures: Iterable[Inspection]) -> Iterator[Sequence[Inspection]]:
    """Yields groups of two or more pictures that look alike, each picture in one group at most, in their order."""
    items = [found for found in pictures if found.dhash is not None]
    leaders: dict[int, int] = {}

    def leader_of(number: int) -> int:
        while (leader := leaders.setdefault(number, number)) != number:
            leaders[number] = number = leaders[leader]  # the way is half as long the next time
        return number

    for one, other in _candidates([found.dhash or 0 for found in items]):
        if _are_alike(items[one], items[other]):
            first, second = sorted((leader_of(one), leader_of(other)))
            leaders[second] = first
    groups: dict[int, list[Inspection]] = defaultdict(list)
    for number in sorted(leaders):
        groups[leader_of(number)].append(items[number])
    yield from groups.values()


def _candidates(hashes: Sequence[int]) -> Iterator[tuple[int, int]]:
    mask = (1 << _BAND_BITS) - 1
    for shift in range(0, _BAND_BITS * _BANDS, _BAND_BITS):
        bands = [value >> shift & mask for value in hashes]
        shared = {band for band, count in Counter(bands).items() if count > 1}
        buckets: dict[int, list[int]] = defaultdict(list)
        for number, band in enumerate(bands):
            if band in shared:
                buckets[band].append(number)
        for bucket in buckets.values():
            if len(bucket) <= _LARGE_BAND:
                yield from combinations(bucket, 2)
            else:
                bucket.sort(key=hashes.__getitem__)
                for at, number in enumerate(bucket):
                    yield from ((number, other) for other in bucket[at + 1 : at + _NEIGHBOURS])


def _are_alike(one: Inspection, other: Inspection) -> bool:
    if ((one.dhash or 0) ^ (other.dhash or 0)).bit_count() > MAX_BITS:
        return False
    if one.colours == other.colours:
        return True
    pairs = zip(bytes.fromhex(one.colours), bytes.fromhex(other.colours), strict=True)
    return all(abs(a - b) <= _MAX_COLOUR for a, b in pairs)
