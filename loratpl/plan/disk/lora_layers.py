"""The layers of a base model and its text encoders that a LoRA may be trained for, with their shapes.

Most shapes are written into the trainer's code: they are in vendor/sd-scripts/modules.json, which
trainer/inside/modules.py makes from the pinned trainer itself. What lies at hand is looked at first all the same, for
the trainer takes some sizes from it: all of Stable Diffusion 3's transformer, the number of FLUX.1's blocks, the text
encoder of a Diffusers folder. Only headers are read.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loratpl.config.settings import Settings
from loratpl.resources import SD_SCRIPTS_DIR
from loratpl.weights import Tensor, WeightsFileError, read_weights_file

TABLE_PATH = SD_SCRIPTS_DIR / "modules.json"
MODEL = "pretrained_model_name_or_path"
UNET = "unet"

# Which option names the file of each part; parts that are not here lie in the base model.
_OPTION_OF_PART: Mapping[tuple[str, str], str] = {
    ("sd3", "te1"): "clip_l", ("sd3", "te2"): "clip_g", ("sd3", "te3"): "t5xxl",
    ("flux", "te1"): "clip_l", ("flux", "te3"): "t5xxl", ("chroma", "te3"): "t5xxl",
    ("lumina", "te"): "gemma2", ("anima", "te"): "qwen3",
}  # fmt: skip
# Where the parts of a Diffusers folder lie, and the names that their files have there.
_FOLDERS = {"te": "text_encoder", "te1": "text_encoder", "te2": "text_encoder_2", UNET: "unet"}
_FILE_NAMES = ("model.safetensors", "diffusion_pytorch_model.safetensors")
# What stands before a layer's name where a file holds more than the one model.
_PREFIXES = {
    UNET: ("model.diffusion_model.", "diffusion_model.", "net.", ""),
    "te": ("cond_stage_model.transformer.", "model.", ""),
    "te1": ("conditioner.embedders.0.transformer.", ""),
}
# The trainer reads the shapes of this transformer from its file, and there are several of them.
_SIZED_BY_FILE = frozenset({"sd3"})
_DIFFUSERS_BLOCK = re.compile(r"(single_transformer_blocks|transformer_blocks)\.(\d+)\.")
_NUMBERS = re.compile(r"\{\d+-\d+\}|\b\d+\b")
WEIGHT = ".weight"
_RANGE = re.compile(r"\{(\d+)-(\d+)\}")


class SizeUnknownError(Exception):
    """The size of the LoRA cannot be told; the text says why."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that a LoRA may be trained for.

    Attributes:
        part: The model that it belongs to, as the names in a LoRA file tell it: `unet`, `te`, `te1`, …
        name: In that model, with dots.
        block: The class of the block that it lies in, "" where the trainer has no name for it.
        shape: Of its weight: outputs, inputs, and height and width of a convolution.
    """

    part: str
    name: str
    block: str
    shape: tuple[int, ...]

    @property
    def lora_name(self) -> str:
        """What its LoRA is called."""
        return f"lora_{self.part}_{self.name.replace('.', '_')}"

    @property
    def is_wide_convolution(self) -> bool:
        """Whether it looks at more than one point at a time."""
        return len(self.shape) > 2 and self.shape[2:] != (1, 1)


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    block: str
    shape: tuple[int, ...]


def layers_of(settings: Settings, parts: frozenset[str], table_path: Path = TABLE_PATH) -> tuple[Layer, ...]:
    """Returns the layers of those parts of the family's models.

    Raises:
        SizeUnknownError: Nothing at hand tells their shapes.
    """
    family = settings.family.name
    of_family = _table(table_path).get(family, {})
    found: list[Layer] = []
    for part in sorted(parts & of_family.keys()):
        tensors = _tensors_of(settings, part)
        layers = _found_in(tensors, of_family[part], part)
        if not layers and part == UNET and family in _SIZED_BY_FILE:
            raise SizeUnknownError(f"the base model is not at hand, and models of the family {family} differ in size")
        found += layers or _in_table(tensors, of_family[part], part)
    return tuple(found)


def in_table(family: str, part: str, table_path: Path = TABLE_PATH) -> tuple[Layer, ...]:
    """Returns the layers of a part of a family's models, as the trainer's code makes them."""
    return tuple(_in_table({}, _table(table_path)[family][part], part))


def table_commit(table_path: Path = TABLE_PATH) -> str:
    """Returns the trainer's commit that the table was made from."""
    commit: str = _content(table_path)["commit"]
    return commit


@functools.cache
def _content(path: Path) -> Mapping[str, Any]:
    return dict(json.loads(path.read_bytes()))


@functools.cache
def _table(path: Path) -> Mapping[str, Mapping[str, tuple[_Row, ...]]]:
    content = _content(path)
    return {
        family: {
            part: tuple(_Row(name, block, tuple(shape)) for name, block, shape in rows) for part, rows in of.items()
        }
        for family, of in content["families"].items()
    }


def _tensors_of(settings: Settings, part: str) -> Mapping[str, Tensor]:
    """The tensors of the file that holds a part, none where there is no such file or it cannot be read."""
    path = settings.path(_OPTION_OF_PART.get((settings.family.name, part), MODEL))
    candidates = [path]
    if path.is_dir():
        folders = (path / _FOLDERS[part], path / "transformer", path)
        candidates = [file for folder in folders for file in _files_in(folder)]
    found: dict[str, Tensor] = {}
    for file in candidates:
        try:
            state = file.stat()
            found |= _read(file, state.st_mtime_ns, state.st_size)
        except (OSError, WeightsFileError):
            continue
        if not _is_one_of_several(file):
            break
    return found


@functools.lru_cache(maxsize=4)
def _read(path: Path, _modified_ns: int, _size_bytes: int) -> Mapping[str, Tensor]:
    """Reads a header once for all parts that lie in the file."""
    return read_weights_file(path).tensors


def _files_in(folder: Path) -> Iterator[Path]:
    for name in _FILE_NAMES:
        if (folder / name).is_file():
            yield folder / name
    yield from sorted(path for path in folder.glob("*.safetensors") if _is_one_of_several(path))


def _is_one_of_several(path: Path) -> bool:
    return re.search(r"-\d{5}-of-\d{5}\.safetensors$", path.name) is not None


def _found_in(tensors: Mapping[str, Tensor], rows: tuple[_Row, ...], part: str) -> list[Layer]:
    """Returns the layers that a file holds under the names by which the trainer knows them."""
    block_of = {_NUMBERS.sub("*", row.name): row.block for row in rows}
    weights = {name: tensor for name, tensor in tensors.items() if name.endswith(WEIGHT) and len(tensor.shape) > 1}
    for prefix in _PREFIXES.get(part, ("",)):
        layers = [
            Layer(part, layer, block_of[form], tensor.shape)
            for name, tensor in weights.items()
            if name.startswith(prefix)
            and (form := _NUMBERS.sub("*", layer := name[len(prefix) : -len(WEIGHT)])) in block_of
        ]
        if layers:
            return layers
    return []


def _in_table(tensors: Mapping[str, Tensor], rows: tuple[_Row, ...], part: str) -> Iterator[Layer]:
    """Yields the layers that the trainer's code makes; of a FLUX.1 in Diffusers' names, as many as it has blocks."""
    blocks = {"transformer_blocks": 0, "single_transformer_blocks": 0}
    for name in tensors:
        match = _DIFFUSERS_BLOCK.match(name)
        if match:
            blocks[match[1]] = max(blocks[match[1]], int(match[2]) + 1)
    counts = {"double_blocks.": blocks["transformer_blocks"], "single_blocks.": blocks["single_transformer_blocks"]}
    for row in rows:
        count = next((count for start, count in counts.items() if count and row.name.startswith(start)), None)
        counted = row if count is None else replace(row, name=_RANGE.sub(f"{{0-{count - 1}}}", row.name, count=1))
        for name in names_of(counted.name):
            yield Layer(part, name, row.block, row.shape)


def names_of(name: str) -> Iterator[str]:
    """Yields the names that a row's name stands for.

    >>> list(names_of("blocks.{0-1}.proj"))
    ['blocks.0.proj', 'blocks.1.proj']
    """
    texts = _RANGE.split(name)  # text, first, last, text, …
    ranges = [range(int(first), int(last) + 1) for first, last in zip(texts[1::3], texts[2::3], strict=True)]
    for numbers in itertools.product(*ranges):
        yield texts[0] + "".join(f"{number}{text}" for number, text in zip(numbers, texts[3::3], strict=True))
