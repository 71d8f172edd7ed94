"""Headers of model files, with no tensors behind them that anyone would read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from loratpl.plan.disk.lora_layers import TABLE_PATH, UNET, in_table

Shapes = Mapping[str, tuple[int, ...]]


def write_header(path: Path, shapes: Shapes) -> Path:
    """Writes a safetensors file of float16 tensors of these shapes; it is sparse where the file system can."""
    offset, header = 0, {}
    for name, shape in shapes.items():
        end = offset + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)
    return path


def table_shapes(family: str, part: str = UNET, prefix: str = "") -> dict[str, tuple[int, ...]]:
    """Returns name and shape of the weight of each layer that the table has for a part of a family's models."""
    return {f"{prefix}{layer.name}.weight": layer.shape for layer in in_table(family, part, TABLE_PATH)}


def write_table_model(path: Path, family: str) -> Path:
    """Writes the header of a family's model as the table has it, under the names that its publishers give."""
    return write_header(path, table_shapes(family, prefix="model.diffusion_model."))
