"""What the machine knows of a training that ended: memory, who was killed for lack of it, and what its GPU reported.

Everything is read from files; what this system does not tell, or not to this user, is None or empty.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from loratpl.check.machine.machine_memory import SHARED_DIR, read_memory, text_of
from loratpl.config.machine import Gpu, nvidia_gpus

_UNLIMITED_BYTES = 1 << 60  # what version 1 of control groups writes for no limit is about that
_KERNEL_LOG_BYTES = 8192  # one message of the kernel's log
_KERNEL_LOG_MESSAGES = 20_000
# Documentation/admin-guide/mm/oom and mm/oom_kill.c: "Killed process 42 (python) total-vm:…kB, anon-rss:1234kB, …"
_KILLED = re.compile(r"Killed process (\d+) \(([^)]*)\).*?anon-rss:(\d+)kB")
_NVIDIA_ERROR = re.compile(r"NVRM: Xid .*|NVRM: .*fallen off the bus.*")


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that the kernel ended for lack of memory: its id as the kernel counts, name, and memory."""

    pid: int
    name: str
    held_bytes: int


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What the machine says after a training; None and empty for what it does not tell.

    Attributes:
        total_bytes: Its memory.
        limit_bytes: What the control group (a container's, a service's) may have of it.
        peak_bytes: The most that the group ever had.
        kill_count: How many processes the kernel ended for lack of memory while the training ran.
        kills: Those of them that its log names.
        address_limit_bytes: What a process may map at most (`ulimit -v`), None without a limit.
        shared_bytes: Size of /dev/shm.
        gpus: As their driver lists them.
        gpu_errors: What NVIDIA's driver reported to the kernel's log meanwhile.
    """

    total_bytes: int | None = None
    limit_bytes: int | None = None
    peak_bytes: int | None = None
    kill_count: int | None = None
    kills: tuple[Kill, ...] = ()
    address_limit_bytes: int | None = None
    shared_bytes: int | None = None
    gpus: tuple[Gpu, ...] = ()
    gpu_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the kernel tells of itself."""

    proc_dir: Path = Path("/proc")
    cgroup_dir: Path = Path("/sys/fs/cgroup")
    kernel_log_path: Path = Path("/dev/kmsg")
    shared_dir: Path = SHARED_DIR


class MachineWatch:
    """Notes where the kernel's counters and log stand when a training begins, and what was added when it has ended."""

    def __init__(self, sources: Sources | None = None) -> None:
        self._sources = sources or Sources()
        self._kills_before = _kill_count(self._sources)
        self._log = _opened_at_its_end(self._sources.kernel_log_path)

    def facts(self) -> MachineFacts:
        """Returns what there is to know after the training; to be asked once."""
        messages = self._new_messages()
        kills_now = _kill_count(self._sources)
        count = None if kills_now is None or self._kills_before is None else max(0, kills_now - self._kills_before)
        limit, peak = _group_memory(self._sources)
        kills = [
            Kill(int(pid), name, int(size) * 1024) for text in messages for pid, name, size in _KILLED.findall(text)
        ]
        return MachineFacts(
            total_bytes=_total_bytes(self._sources),
            limit_bytes=limit,
            peak_bytes=peak,
            kill_count=max(count or 0, len(kills)) if count is not None or kills else None,
            kills=tuple(kills),
            address_limit_bytes=read_memory().address_limit_bytes,
            shared_bytes=_size_of(self._sources.shared_dir),
            gpus=nvidia_gpus(),
            gpu_errors=tuple(found.group(0) for text in messages if (found := _NVIDIA_ERROR.search(text))),
        )

    def close(self) -> None:
        """Gives the kernel's log back."""
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _new_messages(self) -> list[str]:
        messages: list[str] = []
        try:
            while self._log is not None and len(messages) < _KERNEL_LOG_MESSAGES:
                try:
                    data = os.read(self._log, _KERNEL_LOG_BYTES)
                except BrokenPipeError:  # older messages were overwritten meanwhile; the next read goes on after them
                    continue
                if not data:
                    break
                messages += data.decode("utf-8", errors="replace").splitlines()
        except OSError:  # nothing new
            pass
        finally:
            self.close()
        return messages


def free_bytes(path: Path) -> int | None:
    """Returns the room on the disk that a path is on, or would be on; None where that cannot be told."""
    for folder in (path, *path.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return None


def _opened_at_its_end(path: Path) -> int | None:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError:  # another system, or not for this user
        return None
    try:
        os.lseek(descriptor, 0, os.SEEK_END)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _numbers(path: Path) -> dict[str, int]:
    words = (line.replace(":", " ").split() for line in text_of(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) >= 2 and pair[1].isdecimal()}


def _number(path: Path) -> int | None:
    text = text_of(path).strip()
    return int(text) if text.isdecimal() else None


def _kill_count(sources: Sources) -> int | None:
    """All that the kernel ended for lack of memory: of the group where it is counted there, else of the machine."""
    for folder in _group_dirs(sources):
        for name in ("memory.events", "memory.oom_control"):
            count = _numbers(folder / name).get("oom_kill")
            if count is not None:
                return count
    return _numbers(sources.proc_dir / "vmstat").get("oom_kill")


def _group_dirs(sources: Sources) -> list[Path]:
    """Where this process's control group may tell of its memory: as the host names it, and as a container sees it."""
    folders = []
    for line in text_of(sources.proc_dir / "self" / "cgroup").splitlines():
        _, controllers, name = (*line.split(":", 2), "", "")[:3]
        own = name.lstrip("/")
        if "memory" in controllers.split(","):
            folders += [sources.cgroup_dir / "memory" / own, sources.cgroup_dir / "memory"]
        elif not controllers:
            folders += [sources.cgroup_dir / own, sources.cgroup_dir]
    return folders


def _group_memory(sources: Sources) -> tuple[int | None, int | None]:
    """Limit and peak of the control group, None where it has no limit."""
    for folder in _group_dirs(sources):
        for limit_name, peak_name in (
            ("memory.max", "memory.peak"), ("memory.limit_in_bytes", "memory.max_usage_in_bytes"),
        ):  # fmt: skip
            limit = _number(folder / limit_name)
            if limit is not None and limit < _UNLIMITED_BYTES:
                return limit, _number(folder / peak_name)
    return None, None


def _total_bytes(sources: Sources) -> int | None:
    total = _numbers(sources.proc_dir / "meminfo").get("MemTotal")
    return None if total is None else total * 1024


def _size_of(folder: Path) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return shutil.disk_usage(folder).total
    except OSError:
        return None
