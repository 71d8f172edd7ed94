"""Which parts of the base model an adapter changes, block by block, and which it leaves as they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from loratpl.report.inspect.adapters import Module
from loratpl.report.inspect.family import Guess, Shape, Table, layer_in, layers_of
from loratpl.report.inspect.naming import part_in_words, place_of

_ORDER = {"te": 0, "te1": 1, "te2": 2, "te3": 3, "unet": 4}
# Kinds of layers by their names with underscores for dots; the first that is found counts.
_KINDS = (
    ("modulation layers", re.compile(r"adaln|modulation|(?:img|txt)_mod_", re.IGNORECASE)),
    (
        "time and guidance embeddings",
        re.compile(r"time_emb|emb_layers|t_embedder|time_in|guidance|vector_in|y_embedder"),
    ),
    ("shortcuts", re.compile(r"conv_shortcut|skip_connection")),
    ("cross-attention", re.compile(r"attn2_to_|cross_attn")),
    ("attention", re.compile(r"attn|attention_|SelfAttention|single_blocks_\d+_linear[12]")),
    ("feed-forward layers", re.compile(r"_ff_|_mlp|feed_forward|DenseReluDense|_ffn_|_fc[12]")),
    ("projections in and out of blocks", re.compile(r"blocks?_.*_proj_(?:in|out)$")),
)
_CONVOLUTIONS, _OUTER = "convolutions", "layers outside of blocks"


@dataclass(frozen=True, slots=True)
class Block:
    """The modules of one block of one part.

    Attributes:
        part: As sd-scripts calls it.
        block: Kind of block, "" for what lies outside of blocks.
        number: Which of its kind.
        modules: How many.
        dims: Ranks that occur, ascending.
        alphas: Alphas that occur, ascending.
    """

    part: str
    block: str
    number: int | None
    modules: int
    dims: tuple[int, ...]
    alphas: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """How much of one part of the model is changed; `layers` is None where the base model is not known."""

    part: str
    modules: int
    layers: int | None


def blocks_of(modules: Sequence[Module]) -> tuple[Block, ...]:
    """Returns the blocks that have modules, text encoders first, in the model's order."""
    by_block: dict[tuple[str, str, int | None], list[Module]] = {}
    for module in modules:
        key = (module.place.part, module.place.block, module.place.number)
        by_block.setdefault(key, []).append(module)
    kinds = {"down": 0, "mid": 1, "up": 2}
    ordered = sorted(
        by_block, key=lambda k: (_ORDER.get(k[0], 9), kinds.get(k[1], 3), k[1], -1 if k[2] is None else k[2])
    )
    return tuple(
        Block(
            *key,
            modules=len(of_block := by_block[key]),
            dims=tuple(sorted({module.dim for module in of_block if module.dim is not None})),
            alphas=tuple(sorted({module.alpha for module in of_block if module.alpha is not None})),
        )
        for key in ordered
    )


def parts_of(modules: Sequence[Module], guess: Guess) -> tuple[Part, ...]:
    """Returns how much of each part of the base model is changed, parts that are left alone among them."""
    table = _table(guess)
    found = Counter(module.place.part for module in modules)
    if table is None:
        return tuple(Part(part, found[part], None) for part in sorted(found, key=lambda p: _ORDER.get(p, 9)))
    covered = Counter(key[0] for key in _covered(modules, guess, table))
    layers = Counter(part for part, _ in table)
    names = sorted(
        {*layers, *(part for part in found if part not in _same_part(layers))}, key=lambda p: _ORDER.get(p, 9)
    )
    return tuple(Part(part, covered[part] or found[part], layers[part] or None) for part in names)


def untrained(modules: Sequence[Module], guess: Guess) -> tuple[str, ...]:
    """Returns in words what the adapter leaves as it is in the base model."""
    table = _table(guess)
    if table is None:
        parts = {module.place.part for module in modules}
        if "unet" not in parts:
            return ("the denoiser",)
        return () if any(part.startswith("te") for part in parts) else ("any text encoder",)
    return tuple(_untrained(_covered(modules, guess, table), table, guess.families[0]))


def _table(guess: Guess) -> Table | None:
    """Returns the layers of the family, None where the file names them in a way that cannot be compared."""
    return layers_of(guess.families[0]) if guess.families and guess.matched + guess.differing else None


def _covered(modules: Sequence[Module], guess: Guess, table: Table) -> set[tuple[str, str]]:
    found = (layer_in(module, guess.families[0], table) for module in modules)
    return {key for key in found if key is not None}


def _same_part(layers: Mapping[str, int]) -> set[str]:
    return {*layers, *({"te"} if "te1" in layers else ()), *({"te1"} if "te" in layers else ())}


def _untrained(covered: set[tuple[str, str]], table: Table, family: str) -> Iterator[str]:
    parts = sorted({part for part, _ in table}, key=lambda part: _ORDER.get(part, 9))
    for part in parts:
        of_part = {layer: shape for (name, layer), shape in table.items() if name == part}
        left = {layer: shape for layer, shape in of_part.items() if (part, layer) not in covered}
        where = part_in_words(part, family)
        if len(left) == len(of_part):
            yield f"the {where} ({len(of_part)} layers)"
        else:
            yield from (f"{what} of the {where}" for what in _kinds_left(part, left, of_part))
            yield from (f"{what} of the {where}" for what in _blocks_left(part, left, of_part))


def _kinds_left(part: str, left: Mapping[str, Shape], of_part: Mapping[str, Shape]) -> Iterator[str]:
    all_of = Counter(_kind(part, layer, shape) for layer, shape in of_part.items())
    left_of = Counter(_kind(part, layer, shape) for layer, shape in left.items())
    yield from (f"all {kind} ({count})" for kind, count in left_of.items() if count == all_of[kind])


def _blocks_left(part: str, left: Mapping[str, Shape], of_part: Mapping[str, Shape]) -> Iterator[str]:
    """Yields the blocks without a module, in which there are layers of kinds that are trained in other blocks."""

    def blocks(layers: Iterable[str]) -> Counter[tuple[str, int | None]]:
        places = (place_of(f"lora_{part}_{layer}") for layer in layers)
        return Counter((place.block, place.number) for place in places)

    kinds = {layer: _kind(part, layer, shape) for layer, shape in of_part.items()}
    trained = {kind for layer, kind in kinds.items() if layer not in left}
    usual = blocks(layer for layer, kind in kinds.items() if kind in trained)
    missing = blocks(layer for layer in left if kinds[layer] in trained)
    whole = sorted(
        ((block, number) for block, number in missing if missing[block, number] == usual[block, number]), key=str
    )
    for block in dict.fromkeys(block for block, _ in whole):
        numbers = sorted(number for name, number in whole if name == block and number is not None)
        if block:
            yield f"{block} {runs(numbers)}".rstrip()


def runs(numbers: Iterable[int]) -> str:
    """Returns ascending numbers with runs of them put together.

    >>> runs([0, 1, 2, 5])
    '0-2, 5'
    """
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def _kind(part: str, layer: str, shape: Shape) -> str:
    if any(side > 1 for side in shape[2:]) and part == "unet" and "embed" not in layer:
        return _CONVOLUTIONS
    return next((kind for kind, pattern in _KINDS if pattern.search(layer)), _OUTER)
