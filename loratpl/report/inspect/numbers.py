"""The numbers of a weights file, piece by piece, so that no tensor costs more memory than a few of its pieces.

numpy has neither bfloat16 nor the floats of 8 bits; they are decoded here. It is imported when it is needed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import IO, Any

from loratpl.report.inspect.header import Entry, Header
from loratpl.report.inspect.layout import BITS

FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_PIECE = 1 << 19


class Numbers:
    """The tensors of an open file, as arrays of numbers."""

    def __init__(self, file: IO[bytes], header: Header) -> None:
        self._file, self._header = file, header

    def entry(self, name: str) -> Entry:
        """Returns what the header says of a tensor."""
        return self._header.tensors[name]

    def non_finite(self, name: str) -> int:
        """Returns how many numbers of a tensor are NaN or infinite."""
        import numpy as np

        return sum(int(np.count_nonzero(~np.isfinite(piece))) for piece in self._pieces(name, _PIECE))

    def square_sum(self, name: str) -> float:
        """Returns the sum of the squares of a tensor's numbers."""
        import numpy as np

        return sum(float(np.square(piece, dtype=np.float64).sum()) for piece in self._pieces(name, _PIECE))

    def array(self, name: str, max_elements: int) -> Any:
        """Returns a tensor in single precision, None where it is larger, or of a type that is not decoded."""
        import numpy as np

        entry = self.entry(name)
        if entry.dtype not in FLOATS or entry.elements > max_elements:
            return None
        array = np.empty(entry.elements, np.float32)
        at = 0
        for piece in self._pieces(name, _PIECE):
            array[at : at + len(piece)] = piece
            at += len(piece)
        return array.reshape(entry.shape) if at == len(array) else None

    def rows(self, name: str, columns: int) -> Iterator[Any]:
        """Yields a tensor as a matrix of so many columns, some rows at once; nothing of a type that is not decoded."""
        for piece in self._pieces(name, max(_PIECE // columns, 1) * columns):
            yield piece.reshape(-1, columns)

    def _pieces(self, name: str, elements: int) -> Iterator[Any]:
        entry = self.entry(name)
        if entry.dtype not in FLOATS:
            return
        size_bytes = BITS[entry.dtype] // 8
        self._file.seek(self._header.data_begin + entry.begin)
        left = entry.end - entry.begin
        while left and (data := self._file.read(min(left, elements * size_bytes))):
            left -= len(data)
            yield decoded(entry.dtype, data)


def decoded(dtype: str, data: bytes) -> Any:
    """Returns the numbers of some bytes, in single precision, or in double where they have it."""
    import numpy as np

    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    if dtype in ("F8_E4M3", "F8_E5M2"):
        return _table_of(dtype)[np.frombuffer(data, np.uint8)]
    numbers = np.frombuffer(data, {"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype])
    return numbers.astype(np.float32) if dtype == "F16" else numbers


@functools.cache
def _table_of(dtype: str) -> Any:
    """Returns the 256 values of a type of 8 bits (https://arxiv.org/abs/2209.05433, table 1)."""
    import numpy as np

    mantissa_bits, bias = (3, 7) if dtype == "F8_E4M3" else (2, 15)
    values = []
    for bits in range(256):
        sign = -1.0 if bits & 0x80 else 1.0
        exponent, mantissa = (bits & 0x7F) >> mantissa_bits, bits & ((1 << mantissa_bits) - 1)
        fraction = mantissa / (1 << mantissa_bits)
        value = fraction * 2.0 ** (1 - bias) if not exponent else (1 + fraction) * 2.0 ** (exponent - bias)
        if dtype == "F8_E4M3" and bits & 0x7F == 0x7F:
            value = math.nan
        elif dtype == "F8_E5M2" and exponent == 0x1F:
            value = math.nan if mantissa else math.inf
        values.append(sign * value)
    return np.array(values, np.float32)
