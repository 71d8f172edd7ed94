"""Everything that is watched while a training runs, behind one face."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loratpl.check.machine.disk import Room, room_at
from loratpl.config.settings import Settings
from loratpl.plan.outputs import PlannedFile
from loratpl.plan.planner import TrainingPlan
from loratpl.project import RunPaths
from loratpl.run.watchdog.divergence import Divergence
from loratpl.run.watchdog.finding import Finding
from loratpl.run.watchdog.folders import FolderWatch
from loratpl.run.watchdog.memory import MemoryWatch, available_bytes
from loratpl.run.watchdog.pictures import PictureWatch, watched_files
from loratpl.run.watchdog.progress import Progress
from loratpl.run.watchdog.room import RoomWatch
from loratpl.run.watchdog.silence import Silence
from loratpl.run.watchdog.sizes import Sizes


class Watchdog:
    """Judges a run by what it tells and by what its disks, folders and memory look like.

    `line` may be called by another thread than the rest.

    Args:
        settings: The run's.
        plan: Of the whole training, also where this run goes on with one.
        planned_files: As `plan.outputs.planned_files` gives them.
        paths: The run's.
        clock: Seconds that go on by themselves; a wall clock may jump and will not do.
        free_bytes: Tells which disk a folder is on and how much room is there, None where nobody can tell.
        available: The bytes of memory that the machine still gives, None where it does not say.
    """

    def __init__(
        self,
        settings: Settings,
        plan: TrainingPlan,
        planned_files: Sequence[PlannedFile],
        paths: RunPaths,
        *,
        clock: Callable[[], float] = time.monotonic,
        free_bytes: Callable[[Path], Room | None] = room_at,
        available: Callable[[], int | None] = available_bytes,
    ) -> None:
        base_dir, output_dir = settings.base_dir, settings.path("output_dir")
        self._clock = clock
        self._progress = Progress()
        self._divergence = Divergence()
        # accelerate's launcher does not pass the signal on to its processes; Windows has none.
        self._has_stacks = plan.processes == 1 and hasattr(signal, "SIGUSR1")
        self._silence = Silence(self._progress, clock(), has_stacks=self._has_stacks)
        self._sizes = Sizes(settings, plan, planned_files)
        self._room = RoomWatch(self._sizes, self._progress, output_dir, paths, base_dir, free_bytes)
        self._folders = FolderWatch(output_dir, paths, base_dir)
        self._pictures = PictureWatch(watched_files(settings, plan), base_dir, clock)
        self._memory = MemoryWatch(available)
        self._found: list[Finding] = []

    def line(self) -> None:
        """The trainer wrote something. Cheap: it may do so ten thousand times a second."""
        self._silence.hear()

    def event(self, event: Mapping[str, Any]) -> None:
        """An event was told, the trainer's or the launcher's."""
        self._progress.take(event)
        self._silence.take(event)
        self._sizes.take(event)
        self._room.take(event)
        self._folders.take(event)
        problem = self._divergence.take(event)
        if problem is not None:
            self._found.append(Finding(problem))

    def look(self) -> list[Finding]:
        """Returns what was found since the last look; to be called about once a second while the trainer lives."""
        found, self._found = self._found, []
        return [*found, *self._looked()]

    def _looked(self) -> Iterator[Finding]:
        now_s = self._clock()
        silent = self._silence.look(now_s)
        if silent is not None:
            yield Finding(silent, "dump_stacks" if self._has_stacks else "tell")
        room = self._room.look(now_s)
        if room is not None:
            yield room
        yield from (Finding(problem) for problem in self._folders.look())
        if self._progress.has_trained:  # before, caches are made and tidied up
            yield from (Finding(problem) for problem in self._pictures.look())
        memory = self._memory.look(now_s)
        if memory is not None:
            yield Finding(memory)
