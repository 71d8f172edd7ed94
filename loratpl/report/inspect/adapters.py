"""The modules of an adapter: by what method each changes its layer, and with which dim and alpha."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.report.inspect.header import Entry, Header
from loratpl.report.inspect.naming import Place, place_of

# The roles that a method cannot do without, the more particular first, and what it is called.
_METHODS: tuple[tuple[str, tuple[frozenset[str], ...]], ...] = (
    ("LoHa", (frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}),)),
    (
        "LoKr",
        tuple(
            frozenset({*first, *second})
            for first in (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b"))
            for second in (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b"))
        ),
    ),
    ("LoRA", (frozenset({"down", "up"}),)),
    ("OFT", (frozenset({"oft"}),)),
    ("GLoRA", (frozenset({"glora"}),)),
    ("(IA)³", (frozenset({"ia3"}),)),
    ("full", (frozenset({"diff"}), frozenset({"diff_b"}))),
    ("norm", (frozenset({"norm"}),)),
)
INCOMPLETE = "incomplete"
_CONVOLUTION_AXES = (4, 5)
_BLOCKS_OF_BOFT = 4
# struct's letters for the types that a single number may have; bfloat16 is the upper half of a float32.
_SCALARS = {
    "F64": "<d", "F32": "<f", "F16": "<e", "I64": "<q", "I32": "<i", "I16": "<h", "I8": "<b", "U8": "<B",
}  # fmt: skip
_MAX_SCALARS = 10_000


@dataclass(frozen=True, slots=True)
class Module:
    """What changes one layer.

    Attributes:
        name: As its tensors have it.
        place: Where it sits.
        method: LoRA, LoHa, LoKr, OFT, BOFT, GLoRA, (IA)³, full, norm, or incomplete.
        dim: Its rank; of OFT the number of blocks. None where the method has none, as LoKr with a full matrix.
        alpha: What scales it (by alpha / dim); None where the file has none for it, or one that is no finite number.
        shape: Outputs, inputs and the sizes of the kernel of its layer, where the tensors tell them.
        is_dora: Whether it has a magnitude of its own.
        has_broken_alpha: Whether its alpha is NaN or infinite.
        tensors: Names of its tensors by role.
    """

    name: str
    place: Place
    method: str
    dim: int | None
    alpha: float | None
    shape: tuple[int, ...] | None
    is_dora: bool
    has_broken_alpha: bool
    tensors: Mapping[str, tuple[str, ...]]

    @property
    def is_convolution(self) -> bool:
        """Whether its layer looks at more than one point at a time."""
        return self.shape is not None and any(side > 1 for side in self.shape[2:])


def modules_of(path: Path, header: Header, modules: Mapping[str, Mapping[str, tuple[str, ...]]]) -> tuple[Module, ...]:
    """Returns the modules of a file; of its tensors only the alphas are read.

    Raises:
        OSError: The file cannot be read.
    """
    alphas = _scalars(path, header, [name for roles in modules.values() for name in roles.get("alpha", ())])
    return tuple(_module(name, roles, header.tensors, alphas) for name, roles in modules.items())


def _module(
    name: str, roles: Mapping[str, tuple[str, ...]], tensors: Mapping[str, Entry], alphas: Mapping[str, float]
) -> Module:
    shapes = {role: tensors[names[0]].shape for role, names in roles.items()}
    method = _method(shapes)
    alpha = alphas.get(roles["alpha"][0]) if "alpha" in roles else None
    is_broken = alpha is not None and not math.isfinite(alpha)
    dim, shape = _dim(method, shapes, [tensors[name].shape for name in roles.get("glora", ())]), _layer(method, shapes)
    return Module(
        name, place_of(name), method, dim, None if is_broken else alpha, shape, "magnitude" in roles, is_broken, roles
    )


def _method(shapes: Mapping[str, tuple[int, ...]]) -> str:
    roles = shapes.keys()
    for method, needs in _METHODS:
        if any(need <= roles for need in needs):
            is_butterfly = method == "OFT" and len(shapes["oft"]) == _BLOCKS_OF_BOFT
            return "BOFT" if is_butterfly else method
    return INCOMPLETE


def _dim(method: str, shapes: Mapping[str, tuple[int, ...]], all_of_glora: Sequence[tuple[int, ...]]) -> int | None:
    if method == "GLoRA":
        return min((side for shape in all_of_glora for side in shape[:2]), default=None)
    role = {"LoRA": "down", "LoHa": "hada_w1_b", "OFT": "oft", "BOFT": "oft"}.get(method)
    if method == "LoKr":
        role = next((role for role in ("lokr_w2_b", "lokr_w1_b") if role in shapes), None)
    shape = shapes.get(role) if role else None
    if not shape:
        return None
    return shape[1] if method == "BOFT" and len(shape) > 1 else shape[0]


def _layer(method: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...] | None:
    """Returns the shape of the layer's weight where the tensors tell it."""
    if method == "full":
        return shapes.get("diff")
    if method == "LoHa" and "hada_t" not in shapes:
        # A convolution's inputs and kernel stand together there; only the trainer knows which is which.
        return (shapes["hada_w1_a"][0], *shapes["hada_w1_b"][1:]) if shapes["hada_w1_a"] else None
    if method != "LoRA" or not shapes["up"] or len(shapes["down"]) < 2:
        return None
    kernel = shapes["mid"][2:] if len(shapes.get("mid", ())) in _CONVOLUTION_AXES else shapes["down"][2:]
    return (shapes["up"][0], shapes["down"][1], *kernel)


def _scalars(path: Path, header: Header, names: Iterable[str]) -> dict[str, float]:
    """Returns single numbers of a file by name; what is no number of a known type is left out."""
    found: dict[str, float] = {}
    wanted = sorted((header.tensors[name].begin, name) for name in names)[:_MAX_SCALARS]
    if not wanted:
        return found
    with path.open("rb") as file:
        for begin, name in wanted:
            entry = header.tensors[name]
            if entry.elements == 1 and 0 < entry.end - begin <= 8:
                file.seek(header.data_begin + begin)
                number = _number(entry.dtype, file.read(entry.end - begin))
                if number is not None:
                    found[name] = number
    return found


def _number(dtype: str, data: bytes) -> float | None:
    if dtype == "BF16" and len(data) == 2:
        return float(struct.unpack("<f", b"\0\0" + data)[0])
    letter = _SCALARS.get(dtype)
    if letter is None or struct.calcsize(letter) != len(data):
        return None
    return float(struct.unpack(letter, data)[0])
