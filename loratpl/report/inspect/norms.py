"""How much a module changes its layer: the Frobenius norm of what it adds to the weights, without multiplying it out.

Whatever a file has in it, this takes bounded memory; a norm that would take more is not told. The bounds are beyond
what trainers make: a LoRA of rank 256 for FLUX.1's widest layer has 5.5 million numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from loratpl.report.inspect.adapters import Module
from loratpl.report.inspect.numbers import Numbers

_MAX_RANK = 1024
_MAX_ELEMENTS = 6_000_000
# Of each factor of a LoHa, of the middle of a Tucker convolution, and of what a LoHa makes.
_MAX_FACTOR = 2_000_000
_MAX_LOHA_PRODUCT = 200_000_000
_BLOCK = 1 << 19
_SETTINGS = frozenset({"alpha", "scalar", "rescale", "magnitude", "ia3_side", "bias"})


def norm_of(module: Module, numbers: Numbers) -> float | None:
    """Returns the norm of what a module adds to its layer's weight, None where it cannot be told."""
    multiplied: Mapping[str, Callable[[Module, Numbers], float | None]] = {
        "LoRA": _norm_of_lora, "LoHa": _norm_of_loha, "LoKr": _norm_of_lokr,
    }  # fmt: skip
    if module.method in multiplied:
        return multiplied[module.method](module, numbers)
    names = [name for role, names in module.tensors.items() if role not in _SETTINGS for name in names]
    return math.sqrt(sum(numbers.square_sum(name) for name in names))


def _scale(module: Module) -> float:
    return abs(module.alpha / module.dim) if module.alpha is not None and module.dim else 1.0


def _norm_of_lora(module: Module, numbers: Numbers) -> float | None:
    """‖BA‖² is the sum of the products of BᵀB and AAᵀ, which are as small as the rank."""
    import numpy as np

    inner, outer = _rows_by_rows(module, numbers, "down"), _columns_by_columns(module, numbers, "up")
    if inner is None or outer is None:
        return None
    if "mid" in module.tensors:
        inner = _through_the_middle(module, numbers, inner, len(outer))
    if inner is None or inner.shape != outer.shape:
        return None
    return _scale(module) * _root(np.sum(outer * inner))


def _through_the_middle(module: Module, numbers: Numbers, inner: Any, outputs: int) -> Any:
    """Returns Σ M(AAᵀ)Mᵀ over the points of a Tucker convolution's middle, None where it does not fit."""
    import numpy as np

    middle = numbers.array(module.tensors["mid"][0], _MAX_FACTOR)
    if middle is None or middle.ndim < 2 or middle.shape[:2] != (outputs, len(inner)):
        return None
    points = middle.reshape(*middle.shape[:2], -1)
    total = np.zeros((outputs, outputs))
    for number in range(points.shape[2]):
        point = points[:, :, number].astype(np.float64)
        total += point @ inner @ point.T
    return total


def _norm_of_loha(module: Module, numbers: Numbers) -> float | None:
    import numpy as np

    factors = [_factor(module, numbers, f"hada_w{one}") for one in ("1_a", "1_b", "2_a", "2_b")]
    if "hada_t" in module.tensors or any(factor is None for factor in factors):
        return None
    first, first_b, second, second_b = factors
    fits = first.shape == second.shape and first_b.shape == second_b.shape and first.shape[1] == first_b.shape[0]
    if not fits or first.shape[0] * first_b.shape[1] > _MAX_LOHA_PRODUCT:
        return None
    square = 0.0
    at_once = max(_BLOCK // max(first_b.shape[1], 1), 1)
    for row in range(0, first.shape[0], at_once):
        rows = slice(row, row + at_once)
        product = (first[rows] @ first_b) * (second[rows] @ second_b)
        square += float(np.square(product, dtype=np.float64).sum())
    return _scale(module) * math.sqrt(square)


def _factor(module: Module, numbers: Numbers, role: str) -> Any:
    array = numbers.array(module.tensors[role][0], _MAX_FACTOR)
    return None if array is None or array.ndim < 2 else array.reshape(array.shape[0], -1)


def _norm_of_lokr(module: Module, numbers: Numbers) -> float | None:
    """The norm of a Kronecker product is the product of its factors' norms."""
    if "lokr_t" in module.tensors:
        return None
    left, right = (_norm_of_factor(module, numbers, f"lokr_w{number}") for number in (1, 2))
    return None if left is None or right is None else _scale(module) * left * right


def _norm_of_factor(module: Module, numbers: Numbers, role: str) -> float | None:
    import numpy as np

    if role in module.tensors:
        return math.sqrt(numbers.square_sum(module.tensors[role][0]))
    outer = _columns_by_columns(module, numbers, f"{role}_a")
    inner = _rows_by_rows(module, numbers, f"{role}_b")
    if inner is None or outer is None or inner.shape != outer.shape:
        return None
    return _root(np.sum(outer * inner))


def _columns_by_columns(module: Module, numbers: Numbers, role: str) -> Any:
    """Returns BᵀB of a tensor as a matrix B, in double precision, read some rows at once."""
    import numpy as np

    name = module.tensors[role][0]
    shape = numbers.entry(name).shape
    columns = math.prod(shape[1:])
    if len(shape) < 2 or not 0 < columns <= _MAX_RANK:
        return None
    total = np.zeros((columns, columns))
    for rows in numbers.rows(name, columns):
        exact = rows.astype(np.float64)
        total += exact.T @ exact
    return total


def _rows_by_rows(module: Module, numbers: Numbers, role: str) -> Any:
    """Returns AAᵀ of a tensor as a matrix A, in double precision."""
    import numpy as np

    name = module.tensors[role][0]
    shape = numbers.entry(name).shape
    array = numbers.array(name, _MAX_ELEMENTS) if len(shape) > 1 and 0 < shape[0] <= _MAX_RANK else None
    if array is None:
        return None
    matrix = array.reshape(shape[0], -1)
    total = np.zeros((shape[0], shape[0]))
    at_once = max(_BLOCK // shape[0], 1)
    for column in range(0, matrix.shape[1], at_once):
        exact = matrix[:, column : column + at_once].astype(np.float64)
        total += exact @ exact.T
    return total


def _root(square: Any) -> float:
    return math.sqrt(max(0.0, float(square)))
