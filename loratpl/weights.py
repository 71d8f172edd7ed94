"""What is in a weights file, read from its header alone: names, shapes, metadata, family. No tensor is touched.

The format (https://github.com/huggingface/safetensors, "Format"): eight bytes with the header's length N as an
unsigned little-endian integer, N bytes of JSON, then the tensors' bytes. Offsets count from the end of the header.
"""

from __future__ import annotations

import hashlib
import json
import re
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
# A base model's header has some hundred kB; what is longer is not parsed only to tell its family.
MAX_BASE_MODEL_HEADER_BYTES = 8_000_000
_MAX_CONFIG_BYTES = 1_000_000
# What the names of a base model's tensors start with in the files that hold more than the denoiser.
_PREFIXES = ("model.diffusion_model.", "net.", "diffusion_model.", "transformer.", "unet.")
# Names that only one family's denoiser has, without these prefixes. The first row of which every name is there counts:
# Chroma has the blocks of FLUX.1 as well. None is for models that the trainer does not train: FLUX.2 with the blocks of
# FLUX.1, Z-Image with the refiners of Lumina.
_NAMES_OF_FAMILIES: tuple[tuple[str | None, tuple[str, ...]], ...] = (
    ("chroma", ("distilled_guidance_layer.in_proj.weight", "double_blocks.0.img_attn.qkv.weight")),
    (None, ("double_stream_modulation_img.lin.weight", "double_blocks.0.img_attn.qkv.weight")),
    ("flux", ("double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight")),
    ("flux", ("transformer_blocks.0.attn.add_k_proj.weight", "single_transformer_blocks.0.attn.to_k.weight")),
    ("hunyuan-image", ("double_blocks.0.img_attn_qkv.weight", "byt5_in.fc1.weight")),
    ("sd3", ("joint_blocks.0.x_block.attn.qkv.weight",)),
    (None, ("cap_embedder.0.weight", "cap_pad_token")),
    ("lumina", ("cap_embedder.0.weight", "noise_refiner.0.attention.qkv.weight")),
    ("anima", ("llm_adapter.blocks.0.cross_attn.k_proj.weight", "blocks.0.adaln_modulation_mlp.1.weight")),
)
# The width of the text that a Stable Diffusion U-Net attends to: CLIP-L's, OpenCLIP-H's, both encoders' together.
_FAMILY_OF_TEXT_WIDTH = {768: "sd15", 1024: "sd2", 2048: "sdxl"}
_TEXT_ENCODERS = (
    ("conditioner.embedders.", "sdxl"), ("cond_stage_model.model.", "sd2"), ("cond_stage_model.transformer.", "sd15"),
)  # fmt: skip
_READS_TEXT = re.compile(r"(?:input_blocks|down_blocks)\..*\.attn2\.to_k\.weight")
# The starts of the names of Diffusers' pipelines; the longer ones first.
_FAMILY_OF_PIPELINE = (
    ("StableDiffusionXL", "sdxl"), ("StableDiffusion3", "sd3"), ("Flux", "flux"), ("Chroma", "chroma"),
    ("Lumina2", "lumina"), ("HunyuanImage", "hunyuan-image"),
)  # fmt: skip


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
    data = _header_bytes(path, size_bytes, MAX_HEADER_BYTES)
    header, length = _parse_header(path, data), len(data)
    metadata = header.pop("__metadata__", {})
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    missing = _LENGTH_BYTES + length + end - size_bytes
    if missing > 0:
        raise WeightsFileError(f"{path.name} is cut: {missing} bytes are missing at its end")
    if missing < 0:
        raise WeightsFileError(f"{path.name} is damaged: {-missing} bytes follow its last tensor")
    tensors = {name: Tensor(entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
    return WeightsFile(path, size_bytes, MappingProxyType(tensors), MappingProxyType(metadata))


def _header_bytes(path: Path, size_bytes: int, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        start = file.read(_LENGTH_BYTES)
        if len(start) < _LENGTH_BYTES:
            raise WeightsFileError(f"{path.name} is too short to be a safetensors file ({size_bytes} bytes)")
        (length,) = struct.unpack("<Q", start)
        if length > min(max_bytes, size_bytes - _LENGTH_BYTES):
            raise WeightsFileError(f"{path.name} is no safetensors file, or is cut inside its header")
        return file.read(length)


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


def base_model_family(path: Path) -> str | None:
    """Returns the family of a base model, None where it cannot be told: another kind of file, or of model.

    A safetensors file is told by the names of its tensors, whole or cut; a Diffusers folder by its configs. No text of
    a file is ever run, and a file of another format is not read beyond its first bytes.
    """
    try:
        if path.is_dir():
            return _family_of_folder(path)
        # Entries are not judged one by one: this is read at every command, and only their names are looked at.
        header = json.loads(_header_bytes(path, path.stat().st_size, MAX_BASE_MODEL_HEADER_BYTES))
    except (OSError, ValueError, RecursionError, WeightsFileError):  # ValueError: also a name that no system takes
        return None
    return _family_of_tensors(header) if isinstance(header, dict) else None


def _family_of_tensors(header: Mapping[str, Any]) -> str | None:
    prefix = next((prefix for prefix in _PREFIXES if any(name.startswith(prefix) for name in header)), "")
    for family, names in _NAMES_OF_FAMILIES:
        if all(prefix + name in header for name in names):
            return family
    for name, entry in header.items():
        if _READS_TEXT.fullmatch(name.removeprefix(prefix)) and _is_tensor(entry) and len(entry["shape"]) == 2:
            known = _FAMILY_OF_TEXT_WIDTH.get(entry["shape"][1])
            return known or next((f for start, f in _TEXT_ENCODERS if any(n.startswith(start) for n in header)), None)
    return None


def _family_of_folder(folder: Path) -> str | None:
    pipeline = _config_in(folder, "model_index.json").get("_class_name")
    if not isinstance(pipeline, str):
        return None
    for start, family in _FAMILY_OF_PIPELINE:
        if pipeline.startswith(start):
            return family
    if not pipeline.startswith("StableDiffusion"):
        return None
    width = _config_in(folder, "unet/config.json").get("cross_attention_dim")
    return _FAMILY_OF_TEXT_WIDTH.get(width) if isinstance(width, int) else None


def _config_in(folder: Path, name: str) -> dict[str, Any]:
    """Returns what one of the small JSON files of a Diffusers folder holds, nothing where it is none."""
    try:
        with (folder / name).open("rb") as file:
            data = file.read(_MAX_CONFIG_BYTES + 1)
        content = json.loads(data) if len(data) <= _MAX_CONFIG_BYTES else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
