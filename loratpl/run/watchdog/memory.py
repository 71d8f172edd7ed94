"""Whether the machine's memory is nearly gone: when it is, the kernel kills, and a killed process says nothing."""

from __future__ import annotations

from collections.abc import Callable

from loratpl.check.machine.disk import size_text
from loratpl.check.machine.machine_memory import read_memory
from loratpl.errors import Problem

# With less than this the kernel has begun to take away what programs need to run, and is near to ending one.
LEAST_BYTES = 400_000_000
LOOK_EVERY_S = 2.0


def available_bytes() -> int | None:
    """Returns what this machine or container still gives, swap included; None where it does not say."""
    return read_memory().available_bytes


class MemoryWatch:
    """Looks at the machine's memory every few seconds; tells once."""

    def __init__(self, available: Callable[[], int | None]) -> None:
        self._available = available
        self._next_s = 0.0
        self._is_told = False

    def look(self, now_s: float) -> Problem | None:
        """Returns a warning when little is left."""
        if self._is_told or now_s < self._next_s:
            return None
        self._next_s = now_s + LOOK_EVERY_S
        left = self._available()
        if left is None or left >= LEAST_BYTES:
            return None
        self._is_told = True
        return Problem(
            "run.memory",
            f"The machine has {size_text(left)} of memory left, swap included. When it has none, the system ends a "
            "process, most likely the training, without a word.",
            "",
            "End other programs. If the training is killed, lower `max_data_loader_n_workers`, or set "
            "`cache_latents_to_disk`, before `kohyatpl run --resume`.",
            "warning",
        )
