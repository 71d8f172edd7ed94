"""How much memory this process holds, and the most that it has held: of the machine's and of the GPU's."""

from __future__ import annotations

import contextlib
import sys


def memory_now() -> dict[str, int | None]:
    """Returns what the process holds now and the most that it has held so far, in bytes; None for what is not known."""
    process_bytes, process_peak_bytes = _of_process()
    gpu_bytes, gpu_peak_bytes, gpu_reserved_bytes = _of_gpu()
    return {
        "process_bytes": process_bytes,
        "gpu_bytes": gpu_bytes,
        "process_peak_bytes": process_peak_bytes,
        "gpu_peak_bytes": gpu_peak_bytes,
        "gpu_reserved_bytes": gpu_reserved_bytes,
    }


def _of_process() -> tuple[int | None, int | None]:
    told: dict[bytes, int] = {}
    # On Linux getrusage(2) also counts what the process that started this one once held.
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith((b"VmHWM:", b"VmRSS:")):
                told[line[:5]] = int(line.split()[1]) * 1024
    peak_bytes = told[b"VmHWM"] if b"VmHWM" in told else _peak_of_resource()
    return told.get(b"VmRSS"), peak_bytes


def _peak_of_resource() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # getrusage(2): KiB everywhere else


def _of_gpu() -> tuple[int | None, int | None, int | None]:
    """What torch has taken from the GPU, the most that tensors had of it, and the most that it has ever taken."""
    torch = sys.modules.get("torch")
    # A GPU that has failed must not hide the error that the training ends with.
    with contextlib.suppress(Exception):
        if torch is not None and torch.cuda.is_available():
            cuda = torch.cuda
            return int(cuda.memory_reserved()), int(cuda.max_memory_allocated()), int(cuda.max_memory_reserved())
    return None, None, None
