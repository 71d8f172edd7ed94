"""The GPU's memory is full: in the words of CUDA, ROCm, XPU and MPS, of PyTorch 2.0 to 2.13, and of its libraries."""

from __future__ import annotations

import re

from loratpl.check.machine.disk import size_text
from loratpl.run.diagnosis.evidence import Case, Explanation, row
from loratpl.run.diagnosis.ladder import advice

_SIZE = r"([\d.]+ (?:[KMGT]i?B|bytes))"
_ASKED = re.compile(rf"Tried to allocate {_SIZE}")
_TOTAL = re.compile(rf"total capac\w* of {_SIZE}|{_SIZE} total capacity")
_FREE = re.compile(rf"of which {_SIZE} is free|{_SIZE} free;")
_UNUSED = re.compile(rf"and {_SIZE} is reserved by PyTorch but unallocated")
_OF_OTHERS = re.compile(rf"Process (\d+) has {_SIZE} memory in use")
_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
          "KB": 1000, "MB": 10**6, "GB": 10**9, "TB": 10**12}  # fmt: skip
_MIB = 1 << 20
# Other programs that hold less than this are the desktop.
_OTHERS_BYTES = 1 << 30
_SEGMENTS = '`kohyatpl.env: {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}`'


def _bytes(size: str) -> float:
    value, _, unit = size.partition(" ")
    return float(value) * _UNITS[unit]


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return next(group for group in found.groups() if group) if found else None


def _full(case: Case, found: re.Match[str]) -> Explanation | None:
    text = found.string
    asked, total, free = (_first(pattern, text) for pattern in (_ASKED, _TOTAL, _FREE))
    figures = [
        f"{asked} more were asked for" if asked else "",
        f"{free} of {total} were free" if free and total else "",
    ]
    told = " and ".join(filter(None, figures)) or _of_driver(case)
    others = [(pid, size) for pid, size in _OF_OTHERS.findall(text) if _bytes(size) >= _OTHERS_BYTES]
    if others:
        pid, size = max(others, key=lambda other: _bytes(other[1]))
        return Explanation(
            f"The GPU's memory is full, and another program has {size} of it (process {pid}): {told}.",
            advice(case, "end that program, then train again"),
        )
    unused = _first(_UNUSED, text)
    if asked and unused and _bytes(unused) >= 2 * _bytes(asked):
        return Explanation(
            f"The GPU's memory is in pieces that are too small: {told}, while PyTorch holds {unused} that it does not "
            "use.",
            advice(case, f"set {_SEGMENTS}"),
        )
    return Explanation(f"The GPU's memory is full: {told}.", advice(case))


def _of_driver(case: Case) -> str:
    """How much there is, and how much of it PyTorch had, where its error has no figures."""
    held = next((event.get("gpu_reserved_bytes") for event in reversed(case.evidence.events)
                 if event.get("event") == "memory"), None)  # fmt: skip
    had = f" beside the {size_text(held)} that PyTorch had" if held else ""
    gpus = case.machine.gpus
    if not gpus:
        return f"the trainer could get no more of it{had}"
    return f"the trainer could get no more of the {size_text(gpus[0].memory_mib * _MIB)} of {gpus[0].name}{had}"


def _mps_full(case: Case, found: re.Match[str]) -> Explanation | None:
    of_mps, others, most, asked = found.groups()
    cause = (
        f"The memory that the GPU may use is full: {asked} more were asked for, and {of_mps} with {others} of others "
        f"were in use, of at most {most}."
    )
    return Explanation(cause, advice(case))


ROWS = (
    row(
        "run.gpu.memory",
        rf"MPS backend out of memory \(MPS allocated: {_SIZE}, other allocations: {_SIZE}, max allowed: {_SIZE}\)\. "
        rf"Tried to allocate {_SIZE}",
        _mps_full,
        "Apple's GPUs share the machine's memory; torch sets a limit (MPSAllocator.mm)",
    ),
    row(
        "run.gpu.memory",
        r"(?:CUDA|HIP|XPU|MPS backend) out of memory",
        _full,
        "torch's caching allocators (CUDACachingAllocator.cpp); the figures changed their form with 2.1 and 2.2",
    ),
    row(
        "run.gpu.memory",
        r"(?:CUDA|HIP)(?: driver)? error: out of memory|cudaMalloc failed|cudaErrorMemoryAllocation"
        r"|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|Error out of memory at line \d+ in file",
        _full,
        "CUDA's own word for it, without figures; the last is that of bitsandbytes",
    ),
)
