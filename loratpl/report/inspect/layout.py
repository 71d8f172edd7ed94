"""Whether the tensors lie in the file as its header says: each as long as its shape, all of them without a gap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from loratpl.errors import Problem
from loratpl.report.inspect.header import Entry, Header
from loratpl.report.inspect.opening import AGAIN

# Bits of an element, by the format's names of types.
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6,
    "F4": 4, "C64": 64, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip
_SHOWN = 3


def layout_problems(path: Path, header: Header, size_bytes: int) -> Iterator[Problem]:
    """Yields what is wrong with where the tensors lie, each kind of damage once."""
    data_bytes = size_bytes - header.data_begin
    end = max((entry.end for entry in header.tensors.values()), default=0)
    if end > data_bytes:
        beyond = [name for name, entry in header.tensors.items() if entry.end > data_bytes]
        yield Problem(
            "project.weights.cut",
            f"{path} is cut: {end - data_bytes:,} bytes are missing at its end, where {_named(beyond)} should be.",
            str(path),
            "Download or copy it again; a run that was killed while it saved leaves such a file.",
        )
    for what, names in _damage(header.tensors, data_bytes).items():
        yield Problem("project.weights.tensors", f"{path} is damaged: {_named(names)} {what}.", str(path), AGAIN)
    if header.duplicates:
        message = f"{path} is damaged: its header has {_named(header.duplicates)} more than once."
        yield Problem("project.weights.tensors", message, str(path), AGAIN)
    if end < data_bytes:
        message = f"{path} is damaged: {data_bytes - end:,} bytes follow its last tensor."
        yield Problem("project.weights.tensors", message, str(path), AGAIN)


def _damage(tensors: Mapping[str, Entry], data_bytes: int) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    expected = 0
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.dtype not in BITS:
            found["has a type that safetensors files do not have"].append(f"{name} ({entry.dtype[:20]})")
        elif entry.elements * BITS[entry.dtype] != 8 * (entry.end - entry.begin):
            found["has another size than its shape and type need"].append(name)
        if entry.begin > entry.end:
            found["ends before it begins"].append(name)
        elif entry.begin < expected:
            found["lies over the tensor before it"].append(name)
        elif entry.begin > expected and entry.begin <= data_bytes:
            found["comes after bytes that belong to no tensor"].append(name)
        expected = max(expected, entry.end)
    return dict(found)


def _named(names: Sequence[str]) -> str:
    listed = [ascii(name)[1:-1][:80] for name in names]
    more = f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
