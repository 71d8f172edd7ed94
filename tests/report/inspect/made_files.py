"""Weights files made byte by byte: whole ones, and such as no writer would write."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from loratpl.report.inspect.family import layers_of

TYPES = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "|u1": "U8", "|b1": "BOOL"}


def raw_file(path: Path, header: Any, data: bytes = b"", *, length: int | None = None) -> Path:
    """Returns a file of a header, which may be any bytes, and what follows it."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head) if length is None else length) + head + data)
    return path


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    """Returns what a header says of a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def weights_file(
    path: Path, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None, *, hashed: bool = False
) -> Path:
    """Returns a whole file of these arrays; a pair of a type's name and an array of its bits stands for other types."""
    header: dict[str, Any] = {}
    chunks: list[bytes] = []
    end = 0
    for name, value in tensors.items():
        dtype, array = value if isinstance(value, tuple) else (TYPES[np.asarray(value).dtype.str], np.asarray(value))
        chunks.append(array.tobytes())
        header[name] = entry(dtype, list(array.shape), end, end + len(chunks[-1]))
        end += len(chunks[-1])
    data = b"".join(chunks)
    said = dict(metadata or {})
    if hashed:
        said["sshs_model_hash"] = hashlib.sha256(data).hexdigest()
    return raw_file(path, {"__metadata__": said, **header} if said else header, data)


def lora(
    name: str, *, dim: int = 4, alpha: float | None = 2.0, shape: tuple[int, ...] = (8, 6), dtype: Any = np.float32,
    ends: tuple[str, str] = ("lora_down.weight", "lora_up.weight"), up: float = 1.0,
) -> dict[str, Any]:  # fmt: skip
    """Returns the tensors of one LoRA module for a layer of a shape."""
    outputs, inputs, *kernel = shape
    generator = np.random.default_rng(len(name))
    found = {
        f"{name}.{ends[0]}": generator.normal(size=(dim, inputs, *kernel)).astype(dtype),
        f"{name}.{ends[1]}": (up * generator.normal(size=(outputs, dim, *([1] * len(kernel))))).astype(dtype),
    }
    if alpha is not None:
        found[f"{name}.alpha"] = np.array(alpha, dtype)
    return found


def family_lora(family: str, *, parts: tuple[str, ...] = ("unet",), every: int = 7, dim: int = 2) -> dict[str, Any]:
    """Returns a LoRA for every n-th layer of a family, named and sized as sd-scripts names and sizes it."""
    tensors: dict[str, Any] = {}
    for (part, layer), shape in list(layers_of(family).items())[::every]:
        if part in parts:
            tensors |= lora(f"lora_{part}_{layer}", dim=dim, shape=shape, dtype=np.float16)
    return tensors
