"""What the settings ask of a network, and the LoRA of one layer."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from loratpl.plan.disk.lora_layers import Layer, SizeUnknownError

Arguments = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the settings ask of a network.

    Attributes:
        module: Its name.
        family: Of the base model.
        dim: `network_dim`.
        alpha: `network_alpha`.
        arguments: Those of `network_args`, their values as text.
    """

    module: str
    family: str
    dim: int
    alpha: float
    arguments: Arguments = field(default_factory=dict)

    def rank(self, name: str) -> int | None:
        """Returns an argument that is a rank, None where it is not given."""
        text = self.arguments.get(name)
        return None if text is None else whole(text, name)

    def ranks(self, name: str, count: int) -> list[int] | None:
        """Returns an argument that is a list of ranks."""
        text = self.arguments.get(name)
        return None if text is None else [whole(item, name) for item in items(text, name, count)]

    def is_on(self, name: str) -> bool:
        """Whether a flag is set; most modules know the one spelling."""
        return self.arguments.get(name) == "True"


@dataclass(frozen=True, slots=True)
class Pair:
    """The LoRA of one layer.

    Attributes:
        layer: What it is for.
        rank: Its rank in the file.
        has_whole_alpha: Whether its alpha is a whole number to the trainer, as it is where the rank stands in for 0.
    """

    layer: Layer
    rank: int
    has_whole_alpha: bool


def pair(asked: Asked, layer: Layer, rank: int, *, parts: int = 1, alpha: float | None = None) -> Pair:
    """Returns the LoRA of a layer; one that is split into parts has the rank for each, and in the file they are one."""
    if rank < 0:
        raise SizeUnknownError(f"there is no rank {rank}")
    return Pair(layer, rank * parts, (asked.alpha if alpha is None else alpha) == 0)


def selected(text: str | None, count: int) -> frozenset[int] | None:
    """Returns the blocks that a text such as "0-3,7" names, None for all of them."""
    if text is None or text == "all":
        return None
    chosen: set[int] = set()
    for item in text.split(",") if text not in ("none", "") else ():
        first, dash, last = item.partition("-")
        start = whole(first, "block indices")
        end = whole(last, "block indices") if dash else start
        if not 0 <= start <= end < count:
            raise SizeUnknownError(f"there are no blocks {text}")
        chosen.update(range(start, end + 1))
    return frozenset(chosen)


def ranks_by_pattern(asked: Asked) -> list[tuple[re.Pattern[str], int]]:
    """Returns the ranks by pattern; the trainer skips a pair that it cannot read."""
    found: dict[str, int] = {}
    for item in asked.arguments.get("network_reg_dims", "").split(","):
        pattern, equals, rank = (text.strip() for text in item.partition("="))
        if equals and re.fullmatch(r"[+-]?\d+", rank):
            found[pattern] = int(rank)
    return [(_compiled(pattern), rank) for pattern, rank in found.items()]


def patterns(asked: Asked, name: str) -> list[re.Pattern[str]]:
    """Returns patterns that are given as a list of Python."""
    try:
        value = ast.literal_eval(asked.arguments.get(name, "[]"))
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise SizeUnknownError(f"{name} is no list of patterns") from error
    return [_compiled(pattern) for pattern in (value if isinstance(value, list) else [value])]


def _compiled(pattern: object) -> re.Pattern[str]:
    try:
        return re.compile(str(pattern))
    except (re.error, RecursionError, OverflowError) as error:
        raise SizeUnknownError(f"{pattern} is no pattern") from error


def items(text: str, name: str, count: int) -> list[str]:
    """Returns the items of the list that an argument is, which must be so many."""
    found = text.strip().removeprefix("[").removesuffix("]").split(",")
    if len(found) != count:
        raise SizeUnknownError(f"{name} must name {count} numbers")
    return found


def whole(text: str, name: str) -> int:
    """Returns the rank that an argument is."""
    try:
        return int(text)
    except ValueError as error:
        raise SizeUnknownError(f"{name} is {text}, which is no rank") from error


def number(text: str, name: str) -> float:
    """Returns the number that an argument is."""
    try:
        return float(text)
    except ValueError as error:
        raise SizeUnknownError(f"{name} is {text}, which is no number") from error
