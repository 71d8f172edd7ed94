"""The most memory that this process has held, of the machine's and of the GPU's."""

from __future__ import annotations

import contextlib
import sys


def peak_memory() -> dict[str, int | None]:
    """Returns the most memory that the process has held so far, in bytes; None for what cannot be told."""
    return {"process_peak_bytes": _process_peak_bytes(), **_gpu_peaks()}


def _process_peak_bytes() -> int | None:
    # On Linux getrusage(2) also counts what the process that started this one once held.
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # getrusage(2): KiB everywhere else


def _gpu_peaks() -> dict[str, int | None]:
    torch = sys.modules.get("torch")
    # A GPU that has failed must not hide the error that the training ends with.
    with contextlib.suppress(Exception):
        if torch is not None and torch.cuda.is_available():
            allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
            return {"gpu_peak_bytes": int(allocated), "gpu_reserved_bytes": int(reserved)}
    return {"gpu_peak_bytes": None, "gpu_reserved_bytes": None}
