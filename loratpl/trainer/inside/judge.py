"""Writes to a JSON file what the values in weights files say: NaN, infinities, and what was not trained.

Run by the trainer's interpreter, by path: `python judge.py --out judged.json WEIGHTS.safetensors …`
The files are memory-mapped and looked at as bits. torch is not needed: importing it takes seconds, and numpy
has no bfloat16 and no 8-bit floats. Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# All bits of the mask set means NaN or infinity: the exponent of an IEEE type; for E4M3 the mantissa as well,
# for that type has one NaN and no infinity (https://arxiv.org/abs/2209.05433, table 1).
NON_FINITE_MASK_BY_TYPE = {
    "F64": 0x7FF0_0000_0000_0000,
    "F32": 0x7F80_0000,
    "F16": 0x7C00,
    "BF16": 0x7F80,
    "F8_E4M3": 0x7F,
    "F8_E5M2": 0x7C,
}
SIZE_BYTES_BY_TYPE = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip

# A LoRA's "up" matrix starts as zeros, so one that is still all zero was never trained.
UP_ENDINGS = (".lora_up.weight", ".lora_B.weight")
# The part of the model that a module belongs to, as the trainer names it: a text encoder (te, te1, …) or the unet,
# which is what it calls every denoiser.
PART = re.compile(r"lora_(te\d*|unet)_")

# The safetensors library refuses a longer header.
MAX_HEADER_BYTES = 100_000_000
CHUNK_ELEMENTS = 1 << 22
MAX_NAMES = 20


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file.

    Attributes:
        name: its key in the file.
        dtype: the format's name of its type, such as "BF16".
        shape: empty for a scalar.
        begin: its first byte, counted from the start of the file.
        end: the byte after its last.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def is_floating(self) -> bool:
        """Whether its type can hold NaN."""
        return self.dtype in NON_FINITE_MASK_BY_TYPE

    @property
    def is_scale(self) -> bool:
        """Whether it is a setting (alpha, a scale) and not something that training moves."""
        return self.name.endswith(".alpha") or math.prod(self.shape) == 1


def header_of(path: Path) -> tuple[dict[str, Any], int]:
    """Returns the parsed header of a safetensors file, and the position of the first byte after it.

    Raises:
        ValueError: the file is cut inside the header or is of another kind.
    """
    file_bytes = path.stat().st_size
    if file_bytes < 8:
        raise ValueError(f"{path} is no safetensors file: it has {file_bytes} bytes and a header takes at least 8.")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        # A file of another kind, such as a torch pickle, is told by this and not by what its "length" happens to be.
        if file.read(1) not in (b"{", b"") or length > MAX_HEADER_BYTES:
            raise ValueError(f"{path} is no safetensors file: it does not start with a header.")
        if 8 + length > file_bytes:
            raise ValueError(f"{path} is cut: its header needs {8 + length} bytes and the file has {file_bytes}.")
        file.seek(8)
        raw = file.read(length)
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise ValueError(f"{path} is no safetensors file: its header is not JSON ({error}).") from error
    return header, 8 + length


def tensor_of(path: Path, name: str, entry: Any, data_begin: int) -> Tensor:
    """Returns the tensor that one entry of the header describes.

    Raises:
        ValueError: the entry is malformed, of a type not known here, or its bytes do not fit its shape.
    """
    try:
        dtype = str(entry["dtype"])
        shape = tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        is_whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: the header's entry for {name} is incomplete: {entry!r}.") from error
    if not is_whole:
        raise ValueError(f"{path} is damaged: the shape or offsets of {name} are no whole numbers: {entry!r}.")
    if dtype not in SIZE_BYTES_BY_TYPE:
        raise ValueError(f"{path} cannot be judged: {name} has the type {dtype!r}, which judge.py does not know.")
    needed = math.prod(shape) * SIZE_BYTES_BY_TYPE[dtype]
    if end - begin != needed:
        raise ValueError(f"{path} is damaged: {name} needs {needed} bytes and its offsets span {end - begin}.")
    return Tensor(name, dtype, shape, data_begin + begin, data_begin + end)


def tensors_of(path: Path) -> list[Tensor]:
    """Returns the tensors of a safetensors file in the order of its header.

    Raises:
        ValueError: the file is cut, longer than its header says, or malformed.
    """
    header, data_begin = header_of(path)
    tensors = [tensor_of(path, name, entry, data_begin) for name, entry in header.items() if name != "__metadata__"]
    file_bytes = path.stat().st_size
    needed = max((tensor.end for tensor in tensors), default=data_begin)
    if needed > file_bytes:
        raise ValueError(f"{path} is cut: its tensors need {needed} bytes and the file has {file_bytes}.")
    if needed < file_bytes:
        raise ValueError(f"{path} is damaged: {file_bytes - needed} bytes follow its last tensor.")
    return tensors


def chunks_of(tensor: Tensor, mapped: Any) -> Iterator[Any]:
    """Yields the bits of a floating tensor as unsigned integers, a bounded number of elements at a time."""
    size_bytes = SIZE_BYTES_BY_TYPE[tensor.dtype]
    step = CHUNK_ELEMENTS * size_bytes
    for begin in range(tensor.begin, tensor.end, step):
        yield mapped[begin : min(begin + step, tensor.end)].view(f"<u{size_bytes}")


def has_non_finite(tensor: Tensor, mapped: Any) -> bool:
    """Whether a tensor holds NaN or an infinity; integers never do."""
    if not tensor.is_floating:
        return False
    mask = NON_FINITE_MASK_BY_TYPE[tensor.dtype]
    return any(bool(((bits & bits.dtype.type(mask)) == mask).any()) for bits in chunks_of(tensor, mapped))


def has_non_zero(tensor: Tensor, mapped: Any) -> bool:
    """Whether a floating tensor holds anything but zeros; minus zero is a zero."""
    without_sign = (1 << (8 * SIZE_BYTES_BY_TYPE[tensor.dtype] - 1)) - 1
    return any(bool((bits & bits.dtype.type(without_sign)).any()) for bits in chunks_of(tensor, mapped))


def trainable_of(tensors: list[Tensor]) -> list[Tensor]:
    """Returns the tensors that show whether training moved anything: the ups, or all of them without ups."""
    floating = [tensor for tensor in tensors if tensor.is_floating]
    ups = [tensor for tensor in floating if tensor.name.endswith(UP_ENDINGS)]
    return ups or [tensor for tensor in floating if not tensor.is_scale]


def judged(path: Path) -> dict[str, object]:
    """Returns what the values of one weights file say.

    Raises:
        ValueError: the file is cut or malformed; the sentence names the file and what is wrong.
    """
    tensors = tensors_of(path)
    trainable = trainable_of(tensors)
    mapped: Any = np.memmap(path, dtype=np.uint8, mode="r")
    non_finite = [tensor.name for tensor in tensors if has_non_finite(tensor, mapped)]
    moved = [has_non_zero(tensor, mapped) for tensor in trainable]
    return {
        "path": str(path),
        "tensors": len(tensors),
        "non_finite": non_finite[:MAX_NAMES],
        "non_finite_count": len(non_finite),
        "trained": sum(moved),
        "trainable": len(trainable),
        "parts": parts_of(trainable, moved),
    }


def parts_of(trainable: list[Tensor], moved: list[bool]) -> dict[str, dict[str, int]]:
    """Returns the same counts for each part of the model, by its name in the keys."""
    parts: dict[str, dict[str, int]] = {}
    for tensor, is_trained in zip(trainable, moved, strict=True):
        match = PART.match(tensor.name)
        if match is not None:
            counts = parts.setdefault(match.group(1), {"trained": 0, "trainable": 0})
            counts["trained"] += is_trained
            counts["trainable"] += 1
    return parts


def main() -> None:
    """Writes a list with one object for each file, in the order given."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("weights", type=Path, nargs="+", metavar="WEIGHTS", help="safetensors files")
    given = arguments.parse_args()
    verdicts = [judged(path) for path in given.weights]
    given.out.write_text(json.dumps(verdicts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
