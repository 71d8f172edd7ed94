"""Whether what the training is still to write fits on its disks, looked at while others write there as well.

A checkpoint that does not fit ends the trainer, and what was trained since the last state with it. So the training is
stopped before: in front of a saving that does not fit, or when something else fills the disk and the room for a state
is about to go. Where room is lacking but nothing is lost yet, that is told, so that somebody can make room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.check.machine.disk import Room, size_text
from loratpl.errors import Problem
from loratpl.project import RunPaths
from loratpl.run.phases import SAVING
from loratpl.run.watchdog.finding import Finding, shown
from loratpl.run.watchdog.progress import Progress
from loratpl.run.watchdog.sizes import NextSaving, Sizes

LOOK_EVERY_S = 3.0
# A stop is asked for this long before a saving that does not fit: some looks, and the step in progress.
LEAD_S = 15.0
LEAD_STEPS = 2
# What the log, the events and the record take while a training is being stopped.
RECORD_BYTES = 1_000_000
# Room for a state is kept with as much again, for what is written until the step in progress is done; but no more.
MOST_MARGIN_BYTES = 500_000_000
# How fast others fill the disk is taken from the last minute; logs and the like, which are less than this, are no sign.
_KEPT_LOOKS = 20
_NOISE_BYTES = 10_000_000
# What is written meanwhile must leave room for the state: until the stop is seen, and the step in progress is done.
REACTION_S = 30.0

RoomOf = Callable[[Path], Room | None]


@dataclass(frozen=True, slots=True)
class _View:
    """The disks at one moment; `output` and `log` are the same one where both folders lie on one file system.

    Attributes:
        rest_bytes: What is still to be written to the output folder, at the most.
        to_stop_bytes: What a stop writes to the log folder, a state above all.
    """

    output: Room
    log: Room
    saving: NextSaving | None
    rest_bytes: int
    to_stop_bytes: int

    @property
    def is_one_disk(self) -> bool:
        return self.output.device == self.log.device

    @property
    def lacks_rest(self) -> bool:
        return self.output.free_bytes < self.rest_bytes + (RECORD_BYTES if self.is_one_disk else 0)

    @property
    def lacks_saving(self) -> bool:
        """Whether the next saving leaves no room to stop, or does not fit itself."""
        if self.saving is None:
            return False
        return self.output.free_bytes < self.saving.size_bytes + (self.to_stop_bytes if self.is_one_disk else 0)

    @property
    def state_fits(self) -> bool:
        return self.log.free_bytes >= self.to_stop_bytes

    @property
    def state_is_pressed(self) -> bool:
        return self.log.free_bytes < self.to_stop_bytes + min(self.to_stop_bytes, MOST_MARGIN_BYTES)

    @property
    def left_bytes(self) -> int:
        """What will be left on the log's disk when all is written: others alone make it less."""
        return self.log.free_bytes - (self.rest_bytes if self.is_one_disk else 0)


class RoomWatch:
    """Looks at the disks every few seconds; tells once, and asks for a stop once."""

    def __init__(
        self, sizes: Sizes, progress: Progress, output_dir: Path, paths: RunPaths, base_dir: Path, room_of: RoomOf
    ) -> None:
        self._sizes, self._progress = sizes, progress
        self._output_dir, self._paths, self._base_dir = output_dir, paths, base_dir
        self._room_of = room_of
        self._next_s = 0.0
        self._left: deque[tuple[float, int]] = deque(maxlen=_KEPT_LOOKS)
        self._is_told = self._is_stopping = False

    def take(self, event: Mapping[str, Any]) -> None:
        """Forgets how full the disks were before something large of the run's own was written."""
        if event.get("event") in ("checkpoint", "state"):
            self._left.clear()

    def look(self, now_s: float) -> Finding | None:
        """Returns what is to be told or done about the room on the disks."""
        if self._is_stopping or now_s < self._next_s or self._is_writing():
            return None
        self._next_s = now_s + LOOK_EVERY_S
        view = self._view()
        return None if view is None else self._judged(view, now_s)

    def _is_writing(self) -> bool:
        """Something large is being written: what is free says nothing before it is done."""
        if self._progress.phase == SAVING or not self._progress.has_trained:
            return True
        return any(self._paths.state_dir.glob("*.partial"))

    def _view(self) -> _View | None:
        output, log = self._room_of(self._output_dir), self._room_of(self._paths.run_dir)
        if output is None or log is None:
            return None
        step = self._progress.step
        to_stop = self._sizes.state_bytes + RECORD_BYTES
        return _View(output, log, self._sizes.next_saving(step), self._sizes.rest_bytes(step), to_stop)

    def _judged(self, view: _View, now_s: float) -> Finding | None:
        self._left.append((now_s, view.left_bytes))
        if view.saving is not None and view.lacks_rest and view.lacks_saving and self._is_near(view.saving):
            return self._stop(self._before_saving(view, view.saving))
        is_last_moment = (view.lacks_rest and view.state_is_pressed) or self._is_filling(view)
        if view.state_fits and is_last_moment:
            return self._stop(self._while_a_state_fits(view))
        if self._is_told or not (view.lacks_rest or not view.state_fits):
            return None
        self._is_told = True
        return Finding(self._rest_lacks(view) if view.lacks_rest else self._state_lacks(view))

    def _is_filling(self, view: _View) -> bool:
        """Whether others write so fast that a little later no state would fit."""
        (then_s, left), (now_s, left_now) = self._left[0], self._left[-1]
        if now_s <= then_s or left - left_now < min(_NOISE_BYTES, view.to_stop_bytes):
            return False
        reaction_s = max(REACTION_S, LEAD_STEPS * (self._progress.step_s or 0.0))
        soon_bytes = (left - left_now) / (now_s - then_s) * reaction_s
        return view.log.free_bytes - soon_bytes < view.to_stop_bytes

    def _is_near(self, saving: NextSaving) -> bool:
        steps, step_s = saving.step - self._progress.step, self._progress.step_s
        return steps <= LEAD_STEPS or (step_s is not None and steps * step_s <= LEAD_S)

    def _stop(self, problem: Problem) -> Finding:
        self._is_stopping = True
        return Finding(problem, "stop")

    def _before_saving(self, view: _View, saving: NextSaving) -> Problem:
        wanted, parts = (
            saving.size_bytes,
            f"What is saved after step {saving.step} takes {size_text(saving.size_bytes)}",
        )
        if view.is_one_disk:
            wanted += view.to_stop_bytes
            parts += f", a state to resume from {size_text(view.to_stop_bytes)}"
        stopped = "the training is stopped before it" if view.state_fits else "the training is stopped, without a state"
        return self._stopped(self._output_dir, view.output, f"{parts}: {stopped}.", max(wanted, view.rest_bytes))

    def _while_a_state_fits(self, view: _View) -> Problem:
        parts = (
            f"A state to resume from takes {size_text(view.to_stop_bytes)}: the training is stopped while one still "
            "fits."
        )
        wanted = 2 * view.to_stop_bytes + (view.rest_bytes if view.is_one_disk else 0)
        return self._stopped(self._paths.run_dir, view.log, parts, wanted)

    def _stopped(self, folder: Path, room: Room, parts: str, wanted_bytes: int) -> Problem:
        name = shown(folder, self._base_dir)
        return Problem(
            "run.disk",
            f"The disk of {name} ({folder}) has {size_text(room.free_bytes)} left. {parts}",
            name,
            f"{_free(wanted_bytes - room.free_bytes)} there, then go on with `kohyatpl run --resume`.",
        )

    def _rest_lacks(self, view: _View) -> Problem:
        wanted = view.rest_bytes + (view.to_stop_bytes if view.is_one_disk else 0)
        parts = (
            f"What is still to be saved takes {size_text(view.rest_bytes)}. If there is no more room by then, the "
            "training is stopped, with a state to resume from, before the first saving that does not fit."
        )
        return self._low(self._output_dir, view.output, parts, wanted)

    def _state_lacks(self, view: _View) -> Problem:
        parts = (
            f"A state to resume from takes {size_text(view.to_stop_bytes)}. The training goes on, but a stop or a "
            "fault would cost what was trained since the last state."
        )
        return self._low(self._paths.run_dir, view.log, parts, view.to_stop_bytes + view.rest_bytes)

    def _low(self, folder: Path, room: Room, parts: str, wanted_bytes: int) -> Problem:
        name = shown(folder, self._base_dir)
        return Problem(
            "run.disk.low",
            f"The disk of {name} ({folder}) has {size_text(room.free_bytes)} left. {parts}",
            name,
            f"{_free(wanted_bytes - room.free_bytes)} there while the training goes on.",
            "warning",
        )


def _free(lacking_bytes: int) -> str:
    """What to do, with somewhat more than what lacks: other programs go on writing."""
    return f"Free at least {size_text(max(lacking_bytes, RECORD_BYTES) * 1.1)}"
