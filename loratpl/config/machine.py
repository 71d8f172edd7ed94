"""What this machine can train with, asked of the driver: no torch is imported."""

from __future__ import annotations

import functools
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from loratpl import process

QUERY_TIMEOUT_S = 20.0
# What other drivers leave, and NVIDIA's where its tool is not on PATH (containers, WSL).
_OTHER_DRIVERS = (Path("/dev/kfd"), Path("/dev/nvidiactl"), Path("/dev/dxg"))
# https://developer.nvidia.com/cuda-gpus: bfloat16 arithmetic came with compute capability 8.0 (Ampere).
BF16_COMPUTE_CAPABILITY = 8.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU as its driver describes it."""

    name: str
    memory_mib: int
    compute_capability: float


@functools.cache
def nvidia_gpus() -> tuple[Gpu, ...]:
    """Returns the GPUs that `nvidia-smi` lists; empty without a working driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        answer = process.run_short(query, timeout_s=QUERY_TIMEOUT_S)
    except (OSError, process.ProcessTimeoutError):
        return ()
    return parse_gpus(answer.stdout) if answer.returncode == 0 else ()


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """Returns the GPUs of a csv answer of nvidia-smi: name, MiB of memory, compute capability a line.

    >>> parse_gpus("NVIDIA H100 80GB HBM3, 81559, 9.0")
    (Gpu(name='NVIDIA H100 80GB HBM3', memory_mib=81559, compute_capability=9.0),)
    """
    gpus = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.rsplit(",", 2)]
        try:
            gpus.append(Gpu(fields[0], int(fields[1]), float(fields[2])))
        except (ValueError, IndexError):  # "[N/A]" of a driver too old to know, or a warning line
            continue
    return tuple(gpus)


def known_gpu_count() -> int | None:
    """Returns how many GPUs torch can use, None where that cannot be told without torch (AMD, Apple)."""
    gpus = nvidia_gpus()
    if not gpus and (sys.platform == "darwin" or any(path.exists() for path in _OTHER_DRIVERS)):
        return None
    return len(gpus)


@dataclass(frozen=True, slots=True)
class Machine:
    """What defaults and presets are made to suit.

    Attributes:
        title: As a note says it: "in place of bf16, without a GPU".
        mixed_precision: The fastest that it can do without a change of result.
    """

    title: str
    mixed_precision: str

    @property
    def has_gpu(self) -> bool:
        """Whether what needs CUDA can be used: 8-bit optimisers, xformers, fp8, swapping of blocks."""
        return self.mixed_precision != "no"


WITHOUT_GPU = Machine("without a GPU", "no")
WITH_GPU = Machine("with a GPU", "bf16")
WITH_OLD_GPU = Machine("with a GPU that has no bf16", "fp16")


def this_machine() -> Machine:
    """Returns what suits this machine.

    A GPU that NVIDIA's driver does not list is taken for none: slower, never wrong.
    """
    gpus = nvidia_gpus()
    if not gpus:
        return WITHOUT_GPU
    weakest = min(gpu.compute_capability for gpu in gpus)
    return WITH_GPU if weakest >= BF16_COMPUTE_CAPABILITY else WITH_OLD_GPU
