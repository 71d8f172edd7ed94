"""What a config asks of this machine that it does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loratpl.check.optimizer import optimizer_name, optimizer_path
from loratpl.check.rule import number
from loratpl.config.machine import BF16_COMPUTE_CAPABILITY, Gpu
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_HALF_PRECISIONS = ("fp16", "bf16")
# Tried on a CPU with tiny models: these train in bf16 there; SD, SDXL and HunyuanImage end in the first step.
_BF16_ON_CPU = frozenset({"sd3", "flux", "chroma", "lumina", "anima"})


def machine_problems(settings: Settings, gpu_count: int | None, gpus: Sequence[Gpu] = ()) -> Iterator[Problem]:
    """Yields what cannot be trained here.

    All of it ends the trainer after the base model has been loaded: half precision on a CPU in the first step, several
    processes on a CPU while accelerate wraps the U-Net (accelerate 1.6, `prepare_model`, MULTI_CPU).

    Args:
        settings: The run's.
        gpu_count: None where it cannot be told; then nothing is said.
        gpus: What the driver says of them, where it says something.
    """
    if gpu_count is None:
        return
    if gpu_count == 0:
        yield from _cpu_problems(settings)
    elif settings["mixed_precision"] == "bf16" and gpus:
        weakest = min(gpus, key=lambda gpu: gpu.compute_capability)
        if weakest.compute_capability < BF16_COMPUTE_CAPABILITY:
            yield Problem(
                "machine.precision",
                f"mixed_precision bf16 is emulated by the GPU {weakest.name}, which has no arithmetic for it: the "
                "training would be slow.",
                settings.where("mixed_precision"),
                'Set `"mixed_precision": "fp16"`.',
                "warning",
            )
    processes = settings.block.launch.processes
    if processes > max(gpu_count, 1):
        on_hand = {0: "no GPU", 1: "one GPU"}.get(gpu_count, f"{gpu_count} GPUs")
        message = f"{processes} processes need a GPU each; this machine has {on_hand}."
        yield Problem("machine.gpus", message, "kohyatpl.launch.processes", f"Set it to {max(gpu_count, 1)}.")


def _cpu_problems(settings: Settings) -> Iterator[Problem]:
    precision = settings["mixed_precision"]
    if precision in _HALF_PRECISIONS and not (precision == "bf16" and settings.family.name in _BF16_ON_CPU):
        yield Problem(
            "machine.precision",
            f"mixed_precision {precision} needs a GPU, and no driver on this machine lists one (CUDA).",
            settings.where("mixed_precision"),
            'Set `"mixed_precision": "no"`, or train on another machine.',
        )
    path = optimizer_path(settings)
    if path.startswith("bitsandbytes."):
        option = "use_8bit_adam" if settings["use_8bit_adam"] else "optimizer_type"
        yield Problem(
            "machine.optimizer",
            f"The optimiser {optimizer_name(settings)} is of bitsandbytes, which needs a GPU (CUDA).",
            settings.where(option),
            'Set `"optimizer_type": "AdamW"`, or train on another machine.',
        )
    if settings["xformers"]:
        yield Problem(
            "machine.attention",
            "xformers needs a GPU (CUDA).",
            settings.where("xformers"),
            'Write `"sdpa": true` in its place, or train on another machine.',
        )
    is_swapping = settings.family.name == "sd3" and number(settings, "blocks_to_swap") > 0
    is_offloading = settings["cpu_offload_checkpointing"] and settings["gradient_checkpointing"]
    if is_swapping or (is_offloading and settings.family.name in ("flux", "chroma")):
        option = "blocks_to_swap" if is_swapping else "cpu_offload_checkpointing"
        yield Problem(
            "machine.offload",
            f"{option} moves parts of the model between GPU and memory; without a GPU the trainer ends on it.",
            settings.where(option),
            f"Take `{option}` out, or train on another machine.",
        )
