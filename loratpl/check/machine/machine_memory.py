"""How much memory a process gets here: of the machine, of its container, and by its own limits."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
SHARED_DIR = Path("/dev/shm")  # noqa: S108 - the system's own place
_UNLIMITED_BYTES = 1 << 60  # what version 1 of control groups writes for no limit is about that


@dataclass(frozen=True, slots=True)
class MachineMemory:
    """What is free; None for what cannot be told on this system.

    Attributes:
        available_bytes: Without the system having to end something; swap counts.
        address_limit_bytes: What a process may map at most (`ulimit -v`), None without a limit.
        shared_free_bytes: Room in /dev/shm.
    """

    available_bytes: int | None = None
    address_limit_bytes: int | None = None
    shared_free_bytes: int | None = None


def read_memory(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP, shared: Path = SHARED_DIR) -> MachineMemory:
    """Returns what is free on this machine at this moment."""
    system = parse_meminfo(text_of(meminfo))
    container = container_bytes(cgroup)
    found = [size for size in (system, container) if size is not None]
    return MachineMemory(min(found) if found else None, _address_limit(), _free_in(shared))


def parse_meminfo(text: str) -> int | None:
    r"""Returns the bytes that /proc/meminfo says are available, None where it does not say.

    >>> parse_meminfo("MemTotal: 100 kB\nMemAvailable:   40 kB\nSwapFree: 2 kB\n")
    43008
    """
    sizes = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number, _, unit = rest.strip().partition(" ")
        if number.isdecimal() and unit == "kB":
            sizes[name] = int(number) * 1024
    return None if "MemAvailable" not in sizes else sizes["MemAvailable"] + sizes.get("SwapFree", 0)


def container_bytes(cgroup: Path) -> int | None:
    """Returns what a control group leaves of its limit, None where there is no limit.

    What the group's processes have read of files is counted as theirs, and can be had back: it is not used up.
    """
    version_2 = (cgroup / "memory.max", cgroup / "memory.current", cgroup / "memory.stat")
    version_1 = tuple(
        cgroup / "memory" / name for name in ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
    )
    for limit_path, used_path, stat_path in (version_2, version_1):
        limit, used = text_of(limit_path).strip(), text_of(used_path).strip()
        if limit.isdecimal() and used.isdecimal() and int(limit) < _UNLIMITED_BYTES:
            words = (line.split() for line in text_of(stat_path).splitlines())
            stat = {pair[0]: pair[1] for pair in words if len(pair) == 2 and pair[1].isdecimal()}
            reclaimable = sum(int(stat.get(name, 0)) for name in ("inactive_file", "active_file"))
            return max(0, int(limit) - max(0, int(used) - reclaimable))
    return None


def text_of(path: Path) -> str:
    """Returns what a file of the kernel's says, "" where there is none or it is not for us."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _address_limit() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _free_in(folder: Path) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
