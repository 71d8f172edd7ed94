"""How large the LoRA's weights file will be.

Exact, as the pinned trainer writes it: names, shapes and element types of all tensors, so their bytes and the part of
the header that names them. Estimated: the metadata, which holds the settings and how often each tag of the captions
occurs, some kilobytes; and what the ZIP archive around them adds in a .ckpt or .pt file.

Element types (sd-scripts 48d368fa, `save_weights`): those of `save_precision`; without it the weights stay as they are
trained, float32 unless `full_fp16` or `full_bf16`, and an alpha that stands for the rank stays a whole number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.plan.disk.lora_asked import Asked, Pair
from loratpl.plan.disk.lora_file import SavedTensor, header_bytes, tensor_bytes
from loratpl.plan.disk.lora_layers import TABLE_PATH, UNET, Layer, SizeUnknownError, layers_of, table_commit
from loratpl.plan.disk.lora_rules import pairs_of
from loratpl.trainer.pin import load_pin

# What the trainer takes where `network_dim` is not given.
_DEFAULT_DIM = 4
_DTYPES = {"fp16": "F16", "bf16": "BF16", "float": "F32"}
# Measured over all families, with captions of a few words and the trigger words of two concepts.
_METADATA_BYTES, _METADATA_BYTES_WITHOUT = 5_300, 1_200
# What the archive of torch.save keeps for each tensor: two headers, a name twice, and filling up to 64 bytes.
_ARCHIVE_BYTES_PER_TENSOR = 420
_TEXT_PARTS = frozenset({"te", "te1", "te2", "te3"})


@dataclass(frozen=True, slots=True)
class LoraSize:
    """The size of a weights file.

    Attributes:
        modules: How many layers have a LoRA.
        parameters: How many numbers are in them, the alphas left out.
        trained_parameters: How many of these the optimiser changes.
        tensor_bytes: Of all tensors in the file; exact.
        header_bytes: Of what stands before them without the metadata; exact, 0 where the file is no safetensors file.
        file_bytes: Of the whole file; the metadata in it is an estimate.
        state_bytes: Of the same weights in a training state, in the precision of the training.
    """

    modules: int
    parameters: int
    trained_parameters: int
    tensor_bytes: int
    header_bytes: int
    file_bytes: int
    state_bytes: int


@dataclass(frozen=True, slots=True)
class UnknownSize:
    """Why the size of a LoRA cannot be told, as the end of a sentence."""

    reason: str


def lora_size(settings: Settings, table_path: Path = TABLE_PATH) -> LoraSize | UnknownSize:
    """Returns the size of the LoRA that these settings make, or why it is not known; only headers are read.

    Args:
        settings: Resolved and without errors.
        table_path: The layers of the families' models.
    """
    try:
        _refuse_unknown(settings, table_path)
        pairs = pairs_in(settings, table_path)
        saved = tuple(saved_tensors(settings, pairs))
        kept = tuple(_kept_tensors(settings, pairs))
    except SizeUnknownError as error:
        return UnknownSize(str(error))
    metadata = _METADATA_BYTES_WITHOUT if settings["no_metadata"] else _METADATA_BYTES
    numbers = [_numbers_of(pair) for pair in pairs]
    is_safetensors = settings["save_model_as"] in (None, "safetensors")
    around = header_bytes(saved, metadata) if is_safetensors else len(saved) * _ARCHIVE_BYTES_PER_TENSOR
    is_half_frozen = settings["network_module"] == "networks.lora_fa"
    return LoraSize(
        modules=len(pairs),
        parameters=sum(down + up for down, up in numbers),
        trained_parameters=sum(up if is_half_frozen else down + up for down, up in numbers),
        tensor_bytes=tensor_bytes(saved),
        header_bytes=header_bytes(saved, 0) if is_safetensors else 0,
        file_bytes=tensor_bytes(saved) + around,
        state_bytes=tensor_bytes(kept) + header_bytes(kept, len('{"format":"pt"}')),
    )


def pairs_in(settings: Settings, table_path: Path = TABLE_PATH) -> tuple[Pair, ...]:
    """Returns the LoRAs of all layers that are trained.

    Raises:
        SizeUnknownError: It cannot be told which these are.
    """
    dim, alpha = settings["network_dim"], settings["network_alpha"]
    arguments = dict(item.partition("=")[::2] for item in settings["network_args"] or ())
    asked = Asked(
        module=settings["network_module"],
        family=settings.family.name,
        dim=_DEFAULT_DIM if dim is None else dim,
        alpha=1.0 if alpha is None else alpha,
        arguments=arguments,
    )
    parts = frozenset({UNET}) if not settings["network_train_text_encoder_only"] else frozenset[str]()
    if not settings["network_train_unet_only"]:
        parts |= _TEXT_PARTS
    layers: tuple[Layer, ...] = layers_of(settings, parts, table_path)
    return tuple(pairs_of(asked, layers))


def saved_tensors(settings: Settings, pairs: Sequence[Pair]) -> Iterator[SavedTensor]:
    """Yields the tensors of the weights file."""
    dtype = _DTYPES.get(settings["save_precision"] or "")
    if dtype is None:
        yield from _kept_tensors(settings, pairs)
        return
    yield from _tensors(pairs, dtype, dtype)


def _kept_tensors(settings: Settings, pairs: Sequence[Pair]) -> Iterator[SavedTensor]:
    """Yields the tensors as they are in training."""
    yield from _tensors(pairs, "F16" if settings["full_fp16"] else "BF16" if settings["full_bf16"] else "F32", "I64")


def _tensors(pairs: Sequence[Pair], dtype: str, dtype_of_whole_alpha: str) -> Iterator[SavedTensor]:
    for pair in pairs:
        name, shape = pair.layer.lora_name, pair.layer.shape
        points = (1,) * len(shape[2:])  # of a convolution: the second one looks at one point
        yield SavedTensor(f"{name}.alpha", dtype_of_whole_alpha if pair.has_whole_alpha else dtype, ())
        yield SavedTensor(f"{name}.lora_down.weight", dtype, (pair.rank, *shape[1:]))
        yield SavedTensor(f"{name}.lora_up.weight", dtype, (shape[0], pair.rank, *points))


def _numbers_of(pair: Pair) -> tuple[int, int]:
    """Returns how many numbers a layer's LoRA has going down and going up."""
    shape = pair.layer.shape
    return pair.rank * math.prod(shape[1:]), pair.rank * shape[0]


def _refuse_unknown(settings: Settings, table_path: Path) -> None:
    """Raises SizeUnknownError where the size rests on something that is not looked at."""
    if settings["dim_from_weights"]:
        raise SizeUnknownError("the ranks are those of `network_weights`")
    commit = table_commit(table_path)
    if load_pin().commit != commit:
        raise SizeUnknownError(f"the layers are known for sd-scripts {commit[:8]}, and another commit is pinned")
