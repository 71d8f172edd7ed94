"""The machine's memory is full: what Python, PyTorch, Windows and shared memory say of it."""

from __future__ import annotations

import re

from loratpl.check.machine.disk import size_text
from loratpl.check.rule import number
from loratpl.run.diagnosis.evidence import Case, Explain, Explanation, row, saying

SHARED_FIX = 'Set `"max_data_loader_n_workers": 0`, or start the container with `--shm-size 8g`.'


def figures(case: Case) -> str:
    """Returns how much memory there is, as the end of a sentence; "" where nobody tells."""
    machine = case.machine
    if machine.address_limit_bytes is not None:
        return f"a process may have {size_text(machine.address_limit_bytes)} (`ulimit -v`)"
    if machine.limit_bytes is not None:
        most = f" and had {size_text(machine.peak_bytes)} at most" if machine.peak_bytes else ""
        return f"its container or service may have {size_text(machine.limit_bytes)}{most}"
    return f"the machine has {size_text(machine.total_bytes)}" if machine.total_bytes else ""


def less_memory(case: Case) -> str:
    """Returns what makes the trainer take less of the machine's memory."""
    settings = case.settings
    steps = []
    if number(settings, "max_data_loader_n_workers") > 0:
        steps.append('set `"max_data_loader_n_workers": 0`')
    if settings["cache_latents"] and not settings["cache_latents_to_disk"]:
        steps.append('set `"cache_latents_to_disk": true`')
    if settings["cache_text_encoder_outputs"] and not settings["cache_text_encoder_outputs_to_disk"]:
        steps.append('set `"cache_text_encoder_outputs_to_disk": true`')
    if number(settings, "blocks_to_swap") > 0:
        steps.append("lower `blocks_to_swap`")
    if not settings["lowram"] and case.machine.gpus:
        steps.append('set `"lowram": true`')
    return ", ".join(["End other programs", *steps[:3]]) + ", or train on a machine with more memory."


def _full(case: Case, found: re.Match[str]) -> Explanation | None:
    asked = next((group for group in found.groups() if group), None)
    if asked and asked.isdecimal():
        asked = size_text(int(asked))
    wanted = f"{asked} more were asked for" if asked else "the trainer could get no more"
    told = figures(case)
    return Explanation(f"The machine's memory is full: {wanted}{f', and {told}' if told else ''}.", less_memory(case))


def shared(case: Case, _found: re.Match[str]) -> Explanation | None:
    """Explains that there is no more room in /dev/shm."""
    size = case.machine.shared_bytes
    there = f" (/dev/shm has {size_text(size)})" if size is not None else ""
    workers = case.settings["max_data_loader_n_workers"]
    return Explanation(f"The {workers} workers that prepare the pictures ran out of shared memory{there}.", SHARED_FIX)


_too_small_page_file: Explain = saying(
    "Windows has no room left in its page file, which it sets aside for all memory that programs ask for.",
    "Enlarge the page file to 32 GB or more, or let Windows manage its size (System, Advanced, Performance), then "
    "train again.",
)

ROWS = (
    row(
        "run.memory.page_file",
        r"\[WinError 1455\]|paging file is too small|os error 1455",
        _too_small_page_file,
        "ERROR_COMMITMENT_LIMIT of Windows",
    ),
    row(
        "run.memory.shared",
        r"unable to (?:write to|allocate|resize|mmap).*?(?:/torch_\w+|shared memory).*?"
        r"(?:No space left on device|Cannot allocate memory)",
        shared,
        "torch's workers hand tensors over in files named torch_… in /dev/shm (MapAllocator.cpp)",
    ),
    row(
        "run.memory.full",
        r"DefaultCPUAllocator: (?:can't allocate memory|not enough memory): you tried to allocate (\d+) bytes",
        _full,
        "torch's allocator for the CPU, c10/core/impl/alloc_cpu.cpp",
    ),
    row(
        "run.memory.full",
        r"_ArrayMemoryError: Unable to allocate ([\d.]+ [KMGT]?i?B)",
        _full,
        "numpy's allocation of an array",
    ),
    row(
        "run.memory.full",
        r"^MemoryError(?:\b|$)|^(?:std::bad_alloc|c10::Error: .*not enough memory)|\[Errno 12\]"
        r"|unable to mmap \d+ bytes.*Cannot allocate memory|Unable to mmap.*Cannot allocate memory",
        _full,
        "Python's and C++'s own word for it, and the system's (ENOMEM)",
    ),
)
