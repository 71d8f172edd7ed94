"""Memory that a training cannot do without, and trainings that surely have too little of it.

Every number is a lower bound: the weights alone, in the precision that they are trained in. What fits may still be too
much; what does not fit is hopeless.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.check.machine.disk import size_text
from loratpl.check.machine.machine_memory import SHARED_DIR, MachineMemory
from loratpl.config.machine import Gpu
from loratpl.config.presets import preset_names, read_preset
from loratpl.config.settings import Settings
from loratpl.errors import Problem
from loratpl.plan.preconditions import parse_resolution
from loratpl.weights import WeightsFileError, read_weights_file

_MODEL = "pretrained_model_name_or_path"
_IN_CHECKPOINTS = "model.diffusion_model."
_BLOCK = re.compile(r"(?:^|\.)(double_blocks|single_blocks|joint_blocks|blocks|layers)\.\d+\.")
_BYTES_OF_DTYPE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
_BYTES_OF_PRECISION = {"no": 4, "fp16": 2, "bf16": 2}
# The libraries alone on a CPU: 450 to 560 MB with models of next to nothing.
_LIBRARIES_BYTES = 500_000_000
# CUDA's own context, the LoRA with its gradients, and the activations of one block.
_ON_GPU_BYTES = 1_200_000_000
# A training of a tiny model ended under `ulimit -v` of 1.9 GB.
_ADDRESSES_BYTES = 2_000_000_000
_MIB = 1024 * 1024
_PRESET_FOR = re.compile(r"-(\d+)gb\b")
_PREFETCHED_BATCHES = 2  # of each worker: torch.utils.data.DataLoader's prefetch_factor
_BYTES_OF_PIXEL = 3 * 4  # three channels as float32


@dataclass(frozen=True, slots=True)
class Denoiser:
    """The weights of the U-Net or transformer of a base model.

    Attributes:
        file_bytes: Of the whole file.
        elements: How many numbers the weights are.
        stored_bytes: Of one of them in the file, the commonest kind.
        blocks: Number of blocks and elements of all of them together, by the kind of block.
    """

    file_bytes: int
    elements: int
    stored_bytes: int
    blocks: dict[str, tuple[int, int]]

    def swapped_elements(self, count: int) -> float:
        """Returns how many elements `blocks_to_swap` keeps away from the GPU.

        With two kinds of blocks the trainer swaps half as many of the large ones and as many pairs of the small ones
        (`enable_block_swap` of FLUX and HunyuanImage).
        """
        if "double_blocks" in self.blocks and "single_blocks" in self.blocks:
            shares = {"double_blocks": count // 2, "single_blocks": 2 * (count - count // 2)}
        else:
            shares = dict.fromkeys(self.blocks, count)
        return sum(
            min(shares.get(kind, 0), number) * elements / number for kind, (number, elements) in self.blocks.items()
        )


def read_denoiser(path: Path) -> Denoiser | None:
    """Returns what a base model's file holds, None where it cannot be told: another format, or a folder."""
    if path.suffix != ".safetensors":
        return None
    try:
        weights = read_weights_file(path)
    except (OSError, ValueError, WeightsFileError):
        return None
    own = {name: tensor for name, tensor in weights.tensors.items() if name.startswith(_IN_CHECKPOINTS)}
    elements = 0
    numbers: dict[str, set[str]] = {}
    of_kind: dict[str, int] = {}
    of_dtype: dict[int, int] = {}
    for name, tensor in (own or weights.tensors).items():
        size = math.prod(tensor.shape)
        elements += size
        stored = _BYTES_OF_DTYPE.get(tensor.dtype, 1)
        of_dtype[stored] = of_dtype.get(stored, 0) + size
        found = _BLOCK.search(name)
        if found:
            kind = found.group(1)
            numbers.setdefault(kind, set()).add(found.group(0))
            of_kind[kind] = of_kind.get(kind, 0) + size
    blocks = {kind: (len(numbers[kind]), of_kind[kind]) for kind in of_kind}
    stored_bytes = max(of_dtype, key=lambda stored: of_dtype[stored], default=2)
    return Denoiser(weights.size_bytes, elements, stored_bytes, blocks)


def memory_problems(
    settings: Settings,
    memory: MachineMemory,
    gpus: Sequence[Gpu],
    *,
    cached_bytes: int = 0,
    denoiser_of: Callable[[Path], Denoiser | None] = read_denoiser,
) -> Iterator[Problem]:
    """Yields what this machine surely has too little memory for.

    Args:
        settings: The run's.
        memory: What is free here.
        gpus: What the training may use; none for a training on the CPU.
        cached_bytes: What is kept in memory of latents and text encoders' outputs for the whole training.
        denoiser_of: Tells what is in a base model's file.
    """
    model = settings[_MODEL]
    denoiser = denoiser_of(Path(model)) if model is not None and Path(model).is_file() else None
    if denoiser is not None and gpus:
        yield from _gpu_problems(settings, denoiser, gpus)
    yield from _memory_problems(settings, memory, denoiser, cached_bytes, has_gpu=bool(gpus))
    if memory.address_limit_bytes is not None:
        wanted = _ADDRESSES_BYTES + (denoiser.file_bytes if denoiser else 0)
        if memory.address_limit_bytes < wanted:
            yield Problem(
                "machine.memory",
                f"A limit of {size_text(memory.address_limit_bytes)} is set on the memory of a process (`ulimit -v`); "
                f"the trainer with this base model needs {size_text(wanted)} and more.",
                "ulimit -v",
                "Run `ulimit -v unlimited` before, or ask whoever runs this machine.",
            )
    yield from _shared_memory_problems(settings, memory)


def _weight_bytes(settings: Settings, options: dict[str, Any]) -> int:
    """How many bytes each weight has while it is trained on, with some options in the place of the config's."""

    def value(name: str) -> Any:
        return options.get(name, settings[name])

    family = settings.family.name
    if family == "hunyuan-image":
        is_fp8 = value("fp8_scaled")
    else:
        is_fp8 = family != "anima" and (value("fp8_base") or value("fp8_base_unet"))
    return 1 if is_fp8 else _BYTES_OF_PRECISION.get(value("mixed_precision"), 1)


def _bytes_on_gpu(settings: Settings, denoiser: Denoiser, options: dict[str, Any] | None = None) -> float:
    options = options or {}
    swap = options.get("blocks_to_swap", settings["blocks_to_swap"]) or 0
    elements = denoiser.elements - denoiser.swapped_elements(int(swap))
    return elements * _weight_bytes(settings, options) + _ON_GPU_BYTES


def _gpu_problems(settings: Settings, denoiser: Denoiser, gpus: Sequence[Gpu]) -> Iterator[Problem]:
    gpu = max(gpus, key=lambda item: item.memory_mib)
    wanted = _bytes_on_gpu(settings, denoiser)
    if wanted <= gpu.memory_mib * _MIB:
        return
    preset = _fitting_preset(settings, denoiser, gpu)
    fix = "Train on a GPU with more memory, or take a smaller base model."
    if preset:
        fix = f'Set `"preset": "{preset}"`; what the config sets by itself wins over it, so take that out.'
    yield Problem(
        "machine.gpu_memory",
        f"The weights of the base model alone take {size_text(wanted - _ON_GPU_BYTES)} on the GPU with these settings, "
        f"and {gpu.name} has {size_text(gpu.memory_mib * _MIB)}: the training would run out of memory.",
        settings.where(_MODEL),
        fix,
        "warning",
    )


def _fitting_preset(settings: Settings, denoiser: Denoiser, gpu: Gpu) -> str | None:
    """Returns the preset for the largest GPU that is no larger than this one and whose settings fit it."""
    sizes = {
        name: int(found.group(1)) for name in preset_names(settings.family.name) if (found := _PRESET_FOR.search(name))
    }
    for name in sorted(sizes, key=lambda item: -sizes[item]):
        options = {"mixed_precision": "bf16", **{key: entry.value for key, entry in read_preset(name).options.items()}}
        if sizes[name] * 1000 <= gpu.memory_mib and _bytes_on_gpu(settings, denoiser, options) <= gpu.memory_mib * _MIB:
            return name
    return None


def _memory_problems(
    settings: Settings, memory: MachineMemory, denoiser: Denoiser | None, cached_bytes: int, *, has_gpu: bool
) -> Iterator[Problem]:
    if memory.available_bytes is None:
        return
    weights = _bytes_in_memory(settings, denoiser, has_gpu=has_gpu) if denoiser else 0.0
    wanted = _LIBRARIES_BYTES + weights + cached_bytes
    if wanted <= memory.available_bytes:
        return
    parts = [f"{size_text(weights)} for the base model"] if weights else []
    parts += [f"{size_text(cached_bytes)} for what is cached"] if cached_bytes else []
    parts += [f"{size_text(_LIBRARIES_BYTES)} for the trainer itself"]
    fix = "End other programs, or train on a machine with more memory."
    if cached_bytes > memory.available_bytes / 2:
        fix = 'Set `"cache_latents_to_disk": true`, so that the caches are on the disk, or train with fewer pictures.'
    yield Problem(
        "machine.memory",
        f"The training needs at least {size_text(wanted)} of memory ({', '.join(parts)}), and "
        f"{size_text(memory.available_bytes)} are available: the system would end it.",
        settings.where("cache_latents" if cached_bytes > weights else _MODEL),
        fix,
        "warning",
    )


def _bytes_in_memory(settings: Settings, denoiser: Denoiser, *, has_gpu: bool) -> float:
    """On a CPU all of it. For a GPU the file is mapped, which takes none, until its numbers are converted."""
    weight_bytes = _weight_bytes(settings, {})
    if not has_gpu or weight_bytes != denoiser.stored_bytes:
        return float(denoiser.elements * weight_bytes)
    return denoiser.swapped_elements(int(settings["blocks_to_swap"] or 0)) * weight_bytes


def _shared_memory_problems(settings: Settings, memory: MachineMemory) -> Iterator[Problem]:
    """Workers hand their batches over in /dev/shm; a container has 64 MB of it unless told otherwise."""
    workers = settings["max_data_loader_n_workers"] or 0
    if memory.shared_free_bytes is None or workers < 1 or settings["cache_latents"]:
        return
    try:
        width, height = parse_resolution(settings["resolution"])
    except (ValueError, AttributeError):
        return  # said where the plan is made
    batch = max(settings["train_batch_size"] or 1, 1) * width * height * _BYTES_OF_PIXEL
    wanted = batch * _PREFETCHED_BATCHES * workers
    if wanted > memory.shared_free_bytes:
        yield Problem(
            "machine.shared_memory",
            f"{workers} workers prepare pictures in shared memory and need about {size_text(wanted)} there; "
            f"{SHARED_DIR} has {size_text(memory.shared_free_bytes)} free: they would end with a bus error.",
            settings.where("max_data_loader_n_workers"),
            'Set `"max_data_loader_n_workers": 0`, or start the container with `--shm-size 2g`.',
            "warning",
        )
