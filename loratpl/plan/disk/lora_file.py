"""How many bytes a safetensors file of given tensors has, without one being made.

The format (https://github.com/huggingface/safetensors, "Format"): eight bytes, a JSON header without blanks, filled up
with blanks to a multiple of eight, the tensors. Its library puts wide element types first, names in order within each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

BYTES_OF = {"F16": 2, "BF16": 2, "F32": 4, "I64": 8}
# From the last to the first in the file.
_ORDER = ("F16", "BF16", "F32", "I64")
_LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class SavedTensor:
    """One tensor of a file: element type as the format spells it, and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Of its elements."""
        return BYTES_OF[self.dtype] * math.prod(self.shape)


def tensor_bytes(tensors: Sequence[SavedTensor]) -> int:
    """Returns the bytes of all elements."""
    return sum(tensor.size_bytes for tensor in tensors)


def header_bytes(tensors: Sequence[SavedTensor], metadata_bytes: int) -> int:
    """Returns the bytes before the first tensor.

    Args:
        tensors: In any order.
        metadata_bytes: Of the metadata's JSON with its braces, 0 for none.

    >>> header_bytes([SavedTensor("a", "F32", (2, 2))], 0)
    72
    """
    length = 1 + (len('"__metadata__":,') + metadata_bytes if metadata_bytes else 0)
    offset = 0
    for tensor in sorted(tensors, key=lambda tensor: (-_ORDER.index(tensor.dtype), tensor.name)):
        end = offset + tensor.size_bytes
        shape = ",".join(map(str, tensor.shape))
        entry = f'"{tensor.name}":{{"dtype":"{tensor.dtype}","shape":[{shape}],"data_offsets":[{offset},{end}]}},'
        length += len(entry.encode())
        offset = end
    return _LENGTH_BYTES + -(-length // 8) * 8  # the last comma is the closing brace
