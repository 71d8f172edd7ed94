"""How much of the machine a training takes at this moment: the GPU by NVIDIA's library, memory by /proc."""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The driver answers in about a millisecond; the figures themselves are averages of about this time.
READ_INTERVAL_S = 1.0
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a training takes now; None for what cannot be told.

    Attributes:
        gpus: How many GPUs the trainer is at work on; the other figures of GPUs are over all of these.
        gpu_used_bytes: What is taken of their memory, by whatever program.
        gpu_total_bytes: What they have.
        gpu_busy_percent: How much of the time they were computing.
        ram_bytes: Resident memory of the trainer's first process.
    """

    gpus: int = 0
    gpu_used_bytes: int | None = None
    gpu_total_bytes: int | None = None
    gpu_busy_percent: int | None = None
    ram_bytes: int | None = None


def is_trainer(pid: int, run_id: str) -> bool:
    """Returns whether a process is the trainer of a run: another machine's id, or a later process's, is not.

    Always False where there is no /proc.
    """
    try:
        return run_id.encode() in (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def resident_bytes(pid: int) -> int | None:
    """Returns the memory that a process has resident, None where that cannot be told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (_PROC / str(pid) / "status").read_bytes().splitlines():
            if line.startswith(b"VmRSS:"):
                return int(line.split()[1]) * 1024
    return None


class Gauges(threading.Thread):
    """Reads now and then, in a thread of its own: a driver that hangs must hold up nobody.

    Attributes:
        reading: The last one.
        device: Where the training runs, as torch names it; "" before it is known.
    """

    def __init__(self, pid: int, run_id: str, interval_s: float = READ_INTERVAL_S) -> None:
        super().__init__(name="gauges", daemon=True)
        self._pid, self._run_id, self._interval_s = pid, run_id, interval_s
        self._is_over = threading.Event()
        self.reading = Reading()
        self.device = ""

    def run(self) -> None:
        """Reads until it is told to stop or the trainer is gone."""
        library = nvidia_library()
        while is_trainer(self._pid, self._run_id) or not _PROC.is_dir():
            gpus = Reading() if library is None else read_gpus(library, self._pid, self.device)
            self.reading = Reading(
                gpus.gpus, gpus.gpu_used_bytes, gpus.gpu_total_bytes, gpus.gpu_busy_percent, resident_bytes(self._pid)
            )
            if self._is_over.wait(self._interval_s):
                return

    def stop(self) -> None:
        """Ends the reading; does not wait for a driver that hangs."""
        self._is_over.set()


def nvidia_library() -> Any | None:
    """Returns NVIDIA's library, ready to be asked; None without it or without a driver that works."""
    try:
        library = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        library.nvmlInit()
    except (library.NVMLError, OSError):
        return None
    return library


def read_gpus(library: Any, pid: int, device: str) -> Reading:
    """Returns what is known of the GPUs that a trainer is at work on; a reading without GPUs where there are none."""
    try:
        gpus = [library.nvmlDeviceGetHandleByIndex(number) for number in range(library.nvmlDeviceGetCount())]
        used = [gpu for gpu in gpus if _is_used_by(library, gpu, pid)]
        # In a container the driver tells the process ids of the world outside.
        return _sum_of(library, used or _named(library, gpus, pid, device))
    except library.NVMLError:  # a GPU that fell off the bus: the training will say so itself
        return Reading()


def _sum_of(library: Any, gpus: list[Any]) -> Reading:
    if not gpus:
        return Reading()
    memory = [library.nvmlDeviceGetMemoryInfo(gpu) for gpu in gpus]
    busy = []
    with contextlib.suppress(library.NVMLError):  # a slice of a GPU (MIG) does not tell it
        busy = [library.nvmlDeviceGetUtilizationRates(gpu).gpu for gpu in gpus]
    return Reading(
        len(gpus),
        sum(int(one.used) for one in memory),
        sum(int(one.total) for one in memory),
        round(sum(busy) / len(busy)) if busy else None,
    )


def _is_used_by(library: Any, gpu: Any, pid: int) -> bool:
    with contextlib.suppress(library.NVMLError):
        return any(_is_of(process.pid, pid) for process in library.nvmlDeviceGetComputeRunningProcesses(gpu))
    return False


def _named(library: Any, gpus: list[Any], pid: int, device: str) -> list[Any]:
    """The GPU that torch calls `cuda` or `cuda:N` in the trainer: CUDA_VISIBLE_DEVICES chooses and orders."""
    kind, _, number = device.partition(":")
    visible = _visible_devices(pid)
    words = [str(index) for index in range(len(gpus))] if visible is None else visible.split(",")
    if kind != "cuda" or int(number or 0) >= len(words):
        return []
    word = words[int(number or 0)].strip()
    if word.isdecimal():
        return gpus[int(word) :][:1]
    return [gpu for gpu in gpus if word and str(library.nvmlDeviceGetUUID(gpu)).startswith(word)][:1]


def _visible_devices(pid: int) -> str | None:
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return os.environ.get("CUDA_VISIBLE_DEVICES")
    name = b"CUDA_VISIBLE_DEVICES="
    return next((one[len(name) :].decode(errors="replace") for one in variables if one.startswith(name)), None)


def _is_of(process: int, trainer: int) -> bool:
    """The trainer leads its group: what it started is in it."""
    if process == trainer:
        return True
    try:
        return os.getpgid(process) == trainer
    except (OSError, AttributeError):  # AttributeError: Windows has no groups
        return False
