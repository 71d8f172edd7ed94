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


_NO_DRIVER = "no driver on this machine lists one"


def machine_problems(
    settings: Settings, gpu_count: int | None, gpus: Sequence[Gpu] = (), *, unseen: str = ""
) -> Iterator[Problem]:
    """Yields what cannot be trained here.

    All of it ends the trainer after the base model has been loaded: half precision on a CPU in the first step, several
    processes on a CPU while accelerate wraps the U-Net (accelerate 1.6, `prepare_model`, MULTI_CPU).

    Args:
        settings: The run's.
        gpu_count: How many the trainer sees; None where it cannot be told, and then nothing is said.
        gpus: What the driver says of them, where it says something.
        unseen: Why the trainer sees none, where that is not for want of one.
    """
    if gpu_count is None:
        return
    if gpu_count == 0:
        yield from _cpu_problems(settings, unseen)
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
        seen = f"the trainer would see {on_hand} ({unseen})" if unseen else f"this machine has {on_hand}"
        message = f"{processes} processes need a GPU each; {seen}."
        yield Problem("machine.gpus", message, "kohyatpl.launch.processes", f"Set it to {max(gpu_count, 1)}.")


def _cpu_problems(settings: Settings, unseen: str) -> Iterator[Problem]:
    see_to_it = f"See to it that the trainer sees the GPU ({unseen}), or set" if unseen else "Set"
    because = f" ({unseen})" if unseen else ""
    precision = settings["mixed_precision"]
    if precision in _HALF_PRECISIONS and not (precision == "bf16" and settings.family.name in _BF16_ON_CPU):
        yield Problem(
            "machine.precision",
            f"mixed_precision {precision} needs a GPU, and {unseen or _NO_DRIVER} (CUDA).",
            settings.where("mixed_precision"),
            f'{see_to_it} `"mixed_precision": "no"`, or train on another machine.',
        )
    path = optimizer_path(settings)
    if path.startswith("bitsandbytes."):
        option = "use_8bit_adam" if settings["use_8bit_adam"] else "optimizer_type"
        yield Problem(
            "machine.optimizer",
            f"The optimiser {optimizer_name(settings)} is of bitsandbytes, which needs a GPU (CUDA){because}.",
            settings.where(option),
            'Set `"optimizer_type": "AdamW"`, or train on another machine.',
        )
    if settings["xformers"]:
        yield Problem(
            "machine.attention",
            f"xformers needs a GPU (CUDA){because}.",
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
