"""What the numbers of an adapter say: NaN and infinities, modules that do nothing, and how much each block changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.report.inspect.adapters import INCOMPLETE, Module
from loratpl.report.inspect.header import Header
from loratpl.report.inspect.norms import norm_of
from loratpl.report.inspect.numbers import FLOATS, Numbers


@dataclass(frozen=True, slots=True)
class BlockNorm:
    """How strongly the modules of a block change their layers: Frobenius norms of what is added to the weights.

    Attributes:
        part: As sd-scripts calls it.
        block: Kind of block.
        number: Which of its kind.
        modules: How many have a norm.
        mean: Of their norms.
        largest: Of their norms.
    """

    part: str
    block: str
    number: int | None
    modules: int
    mean: float
    largest: float


@dataclass(frozen=True, slots=True)
class Values:
    """What the numbers of a file say.

    Attributes:
        non_finite: Tensors that hold NaN or infinities, with how many.
        dead: Modules that change nothing, for what they add is all zeros.
        norms: By block.
        unjudged: Tensors whose type is not decoded.
    """

    non_finite: tuple[tuple[str, int], ...]
    dead: tuple[str, ...]
    norms: tuple[BlockNorm, ...]
    unjudged: int


def read_values(path: Path, header: Header, modules: Sequence[Module]) -> Values:
    """Returns what the numbers of a file say whose layout is whole; every byte of it is read once or twice.

    Raises:
        OSError: It cannot be read.
    """
    import numpy as np

    with path.open("rb") as file, np.errstate(all="ignore"):
        numbers = Numbers(file, header)
        non_finite = tuple((name, count) for name in header.tensors if (count := numbers.non_finite(name)))
        broken = {name for name, _ in non_finite}
        norms = [(module, norm_of(module, numbers)) for module in modules if module.method != INCOMPLETE]
    whole = [(module, norm) for module, norm in norms if norm is not None and not broken & set(_names(module))]
    finite = [(module, norm) for module, norm in whole if math.isfinite(norm)]
    dead = tuple(module.name for module, norm in finite if norm == 0)
    unjudged = sum(entry.dtype not in FLOATS for entry in header.tensors.values())
    return Values(non_finite, dead, tuple(_by_block(finite)), unjudged)


def _by_block(norms: Sequence[tuple[Module, float]]) -> Iterator[BlockNorm]:
    by_block: dict[tuple[str, str, int | None], list[float]] = {}
    for module, norm in norms:
        place = module.place
        by_block.setdefault((place.part, place.block, place.number), []).append(norm)
    for key, values in by_block.items():
        yield BlockNorm(*key, modules=len(values), mean=sum(values) / len(values), largest=max(values))


def _names(module: Module) -> Iterator[str]:
    for names in module.tensors.values():
        yield from names
