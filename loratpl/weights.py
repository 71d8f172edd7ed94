"""What is in a weights file, read from its header alone: names, shapes, metadata. No tensor is touched.

The format (https://github.com/huggingface/safetensors, "Format"): eight bytes with the header's length N as an
unsigned little-endian integer, N bytes of JSON, then the tensors' bytes. Offsets count from the end of the header.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

# The format's own limit, and what keeps a foreign file from being read whole.
MAX_HEADER_BYTES = 100_000_000
_LENGTH_BYTES = 8
_HASH_CHUNK_BYTES = 1 << 20


class WeightsFileError(Exception):
    """The file is not a whole safetensors file; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor's entry in the header: element type as the format spells it (F32, BF16, …) and shape."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """The header of a safetensors file that was found whole."""

    path: Path
    size_bytes: int
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]

    @property
    def trained_steps(self) -> int | None:
        """The steps that the trainer says went into the file (`ss_steps`), None where it does not say."""
        text = self.metadata.get("ss_steps", "")
        return int(text) if text.removeprefix("-").isdecimal() else None


def read_weights_file(path: Path) -> WeightsFile:
    """Returns the header of the file at `path`, once it is certain that no byte of the file is missing.

    Raises:
        WeightsFileError: The file is cut, or is no safetensors file.
        OSError: It cannot be read.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH_BYTES)
        if len(start) < _LENGTH_BYTES:
            raise WeightsFileError(f"{path.name} is too short to be a safetensors file ({size_bytes} bytes)")
        (length,) = struct.unpack("<Q", start)
        if length > min(MAX_HEADER_BYTES, size_bytes - _LENGTH_BYTES):
            raise WeightsFileError(f"{path.name} is no safetensors file, or is cut inside its header")
        header = _parse_header(path, file.read(length))
    metadata = header.pop("__metadata__", {})
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    missing = _LENGTH_BYTES + length + end - size_bytes
    if missing > 0:
        raise WeightsFileError(f"{path.name} is cut: {missing} bytes are missing at its end")
    if missing < 0:
        raise WeightsFileError(f"{path.name} is damaged: {-missing} bytes follow its last tensor")
    tensors = {name: Tensor(entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
    return WeightsFile(path, size_bytes, MappingProxyType(tensors), MappingProxyType(metadata))


def _parse_header(path: Path, data: bytes) -> dict[str, dict[str, Any]]:
    try:
        header = json.loads(data)
        is_header = all(_is_metadata(e) if n == "__metadata__" else _is_tensor(e) for n, e in header.items())
    except (ValueError, AttributeError, RecursionError):
        is_header = False
    if not is_header:
        raise WeightsFileError(f"{path.name} has a header that is not what safetensors files have")
    return dict(header)


def _is_metadata(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(text, str) for text in entry.values())


def _is_tensor(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    return (
        isinstance(entry.get("dtype"), str)
        and isinstance(shape, list)
        and isinstance(offsets, list)
        and len(offsets) == 2
        and all(type(number) is int and number >= 0 for number in (*shape, *offsets))
    )


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
