"""What a config asks of this machine that it does not have."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.config.settings import Settings
from loratpl.errors import Problem

_HALF_PRECISIONS = ("fp16", "bf16")


def machine_problems(settings: Settings, gpu_count: int | None) -> Iterator[Problem]:
    """Yields what cannot be trained here.

    Both end the trainer after the base model has been loaded: half precision on a CPU in the first step, several
    processes on a CPU while accelerate wraps the U-Net (accelerate 1.6, `prepare_model`, MULTI_CPU).

    Args:
        settings: The run's.
        gpu_count: None where it cannot be told; then nothing is said.
    """
    if gpu_count is None:
        return
    precision = settings["mixed_precision"]
    if gpu_count == 0 and precision in _HALF_PRECISIONS:
        where = settings.where("mixed_precision")
        message = f"mixed_precision {precision} needs a GPU, and no driver on this machine lists one."
        yield Problem(
            "machine.precision", message, where, 'Set `"mixed_precision": "no"`, or train on another machine.'
        )
    processes = settings.block.launch.processes
    if processes > max(gpu_count, 1):
        gpus = {0: "no GPU", 1: "one GPU"}.get(gpu_count, f"{gpu_count} GPUs")
        message = f"{processes} processes need a GPU each; this machine has {gpus}."
        yield Problem("machine.gpus", message, "kohyatpl.launch.processes", f"Set it to {max(gpu_count, 1)}.")
