"""Whether what a training writes fits on the disks it writes to; told before the first step, not at a checkpoint."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.config.settings import Settings
from loratpl.errors import Problem

if TYPE_CHECKING:
    from loratpl.plan.disk.need import DiskNeed

# Less than this left over is too little to be sure: samples, logs and other programs write there as well. Where next to
# nothing is written, a small disk is no fault: ten times what is written will do there.
SPARE_BYTES = 1_000_000_000
SPARE_SHARE = 0.1
SPARE_TIMES = 10
# What every run writes beside what its plan says: the trainer's log, events and TensorBoard's numbers; and what Python
# and its libraries put aside for a moment.
RECORD_BYTES = 5_000_000
TEMPORARY_BYTES = 5_000_000
# What else mends a disk that is too small, by the option whose files are the most there.
_INSTEAD = {
    "output_dir": "keep fewer files (`save_every_n_epochs`, `save_last_n_epochs`)",
    "train_data_dir": "keep the caches in memory (`cache_latents_to_disk`, `cache_text_encoder_outputs_to_disk`)",
    "reg_data_dir": "keep the caches in memory (`cache_latents_to_disk`, `cache_text_encoder_outputs_to_disk`)",
}


@dataclass(frozen=True, slots=True)
class Need:
    """What a training will write below one folder.

    Attributes:
        folder: Which need not be there yet.
        size_bytes: All of it, when it is kept at the same time.
        what: As a message says it: "12 checkpoints".
        option: The one that names the folder.
        where: Where that was set.
    """

    folder: Path
    size_bytes: int
    what: str
    option: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """How much one file system takes; `device` tells it from others. What a quota leaves cannot be seen."""

    device: int
    free_bytes: int


def planned_needs(settings: Settings, need: DiskNeed) -> tuple[Need, ...]:
    """Returns where what a plan writes will lie; of what is not known nothing.

    Args:
        settings: The run's.
        need: What the plan writes in all.
    """
    known = [(need.samples_bytes, "sample pictures")]
    if need.peak_bytes is not None:
        beside = (need.samples_bytes or 0) + need.latent_caches_bytes + need.text_caches_bytes
        beside += need.resume_states_bytes or 0
        known.append((need.peak_bytes - beside, "checkpoints and states"))
    else:
        known += [(need.checkpoints_peak_bytes, "checkpoints"), (need.states_peak_bytes, "states")]
    output, pictures = settings.path("output_dir"), settings.path("train_data_dir")
    log = settings.path("logging_dir")
    caches = [(need.latent_caches_bytes, "latent caches"), (need.text_caches_bytes, "caches of text encoders' outputs")]
    return (
        *(Need(output, size, what, "output_dir", settings.where("output_dir")) for size, what in known if size),
        *(
            Need(pictures, size, what, "train_data_dir", settings.where("train_data_dir"))
            for size, what in caches
            if size
        ),
        *(
            Need(log, size, "states to resume from", "logging_dir", settings.where("logging_dir"))
            for size in (need.resume_states_bytes,)
            if size
        ),
    )


def standing_needs(settings: Settings, env: Mapping[str, str]) -> tuple[Need, ...]:
    """Returns what every training writes, whatever its plan.

    Args:
        settings: The run's.
        env: The environment variables that the trainer will get.
    """
    folder = next((env[name] for name in ("TMPDIR", "TEMP", "TMP") if env.get(name)), tempfile.gettempdir())
    return (
        Need(
            settings.path("logging_dir"),
            RECORD_BYTES,
            "the run's record",
            "logging_dir",
            settings.where("logging_dir"),
        ),
        Need(Path(folder), TEMPORARY_BYTES, "temporary files", "TMPDIR"),
    )


def room_at(folder: Path) -> Room | None:
    """Returns the room where a folder is or will be made, None where nobody can tell."""
    for place in (folder, *folder.parents):
        try:
            return Room(place.stat().st_dev, shutil.disk_usage(place).free)
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return None
    return None


def disk_problems(needs: Iterable[Need], room_of: Callable[[Path], Room | None] = room_at) -> Iterator[Problem]:
    """Yields an error for each disk that cannot take what will be written to it, a warning where little is left.

    Args:
        needs: Of the whole training.
        room_of: Tells how much room there is at a folder.
    """
    on_device: dict[int, tuple[Room, list[Need]]] = {}
    for need in needs:
        room = room_of(need.folder) if need.size_bytes > 0 else None
        if room is not None:
            on_device.setdefault(room.device, (room, []))[1].append(need)
    for room, here in on_device.values():
        yield from _problems_of(room, here)


def _problems_of(room: Room, needs: list[Need]) -> Iterator[Problem]:
    wanted = sum(need.size_bytes for need in needs)
    left = room.free_bytes - wanted
    by_option: dict[str, list[Need]] = {}
    by_kind: dict[str, int] = {}
    for need in needs:
        by_option.setdefault(need.option, []).append(need)
        by_kind[need.what] = by_kind.get(need.what, 0) + need.size_bytes
    largest = max(by_option, key=lambda option: sum(need.size_bytes for need in by_option[option]))
    first = by_option[largest][0]
    places = ", ".join(f"{option} ({here[0].folder})" for option, here in by_option.items())
    parts = ", ".join(f"{size_text(size)} of {what}" for what, size in by_kind.items())
    numbers = f"The training writes {parts}; {size_text(room.free_bytes)} are free."
    elsewhere = f"name a folder on another disk in `{largest}`"
    if left < 0:
        instead = _INSTEAD.get(largest)
        yield Problem(
            "machine.disk",
            f"No space left for the training on the disk of {places}. {numbers}",
            first.where or largest,
            f"Free {size_text(-left + _spare(wanted))} there, {elsewhere}, or {instead}."
            if instead
            else f"Free {size_text(-left + _spare(wanted))} there, or {elsewhere}.",
        )
    elif left < _spare(wanted) or left < SPARE_SHARE * room.free_bytes:
        yield Problem(
            "machine.disk.tight",
            f"Only {size_text(left)} would be left on the disk of {places}. {numbers}",
            first.where or largest,
            f"Free some space there, or {elsewhere}.",
            "warning",
        )


def _spare(wanted_bytes: int) -> int:
    return min(SPARE_BYTES, SPARE_TIMES * wanted_bytes)


def size_text(size_bytes: float) -> str:
    """Returns a size as people read it.

    >>> size_text(1_234_567_890), size_text(25_000_000), size_text(3_400), size_text(0)
    ('1.2 GB', '25 MB', '3 kB', '0 bytes')
    """
    for unit, factor, digits in (("TB", 1e12, 1), ("GB", 1e9, 1), ("MB", 1e6, 0), ("kB", 1e3, 0)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.{digits}f} {unit}"
    return f"{size_bytes:.0f} bytes"
