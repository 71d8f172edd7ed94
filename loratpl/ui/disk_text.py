"""How much disk a training needs, for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loratpl.plan.disk.need import DiskNeed

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def disk_text(need: DiskNeed, files: int) -> str:
    """Returns one sentence of what a training adds to the disk.

    Args:
        need: Of the training.
        files: How many weights files it writes.
    """
    parts = ", ".join(_parts(need, files))
    if need.peak_bytes is None:
        return f"{parts + '; the rest is unknown' if parts else 'unknown'}: {need.unknown}"
    return f"{in_bytes(need.peak_bytes)} at most: {parts}" if parts else in_bytes(need.peak_bytes)


def _parts(need: DiskNeed, files: int) -> Iterator[str]:
    if need.lora_bytes is not None:
        yield (
            f"{files} LoRA files of {in_bytes(need.lora_bytes)}"
            if files > 1
            else f"a LoRA of {in_bytes(need.lora_bytes)}"
        )
    if need.states_peak_bytes:
        yield f"states {in_bytes(need.states_peak_bytes)}"
    if need.resume_states_bytes:
        yield f"states to resume from {in_bytes(need.resume_states_bytes)}"
    if need.samples_bytes:
        yield f"samples {in_bytes(need.samples_bytes)}"
    if need.latent_caches_bytes:
        yield f"latent caches {in_bytes(need.latent_caches_bytes)}"
    if need.text_caches_bytes:
        yield f"text encoder caches {in_bytes(need.text_caches_bytes)}"


def in_bytes(count: int) -> str:
    """Returns a number of bytes in the unit that it is best read in; a kB is 1,000 bytes.

    >>> in_bytes(900), in_bytes(37_900_000), in_bytes(999_999)
    ('900 bytes', '37.9 MB', '1.0 MB')
    """
    size, unit = float(count), 0
    while unit + 1 < len(_UNITS) and round(size, 1) >= 1000:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} bytes"
