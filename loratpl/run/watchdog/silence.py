"""Whether the trainer still lives: how long it may be silent, and what is said when it is so for longer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loratpl.errors import Problem
from loratpl.run.phases import ENDED, SAMPLING, SAVING, TRAINING
from loratpl.run.watchdog.progress import Progress

# Between two steps: the end of an epoch may start worker processes, save a state and validate.
LEAST_SILENCE_S = 120.0
# A step that takes this many times what steps usually take is no step.
USUAL_STEPS = 30
# Before the first step: torch is imported, files of many GB are read from slow disks, and kernels are compiled, all
# without a word. What is downloaded or cached shows its progress.
SILENCE_BEFORE_STEPS_S = 900.0
# A file of some GB on a disk of a network; sample pictures show their progress, but decoding one on a CPU takes long.
SILENCE_OF = {SAVING: 600.0, SAMPLING: 900.0}
# A silence that ended by itself was none to worry about: the next one may be twice as long, up to this.
LONGEST_LEARNT_S = 3600.0
# Looks come about once a second. What passed beyond this between two of them passed while the machine slept or the
# launcher was held, and the trainer with it: it does not count.
MOST_BETWEEN_LOOKS_S = 5.0
# What the trainer writes so soon after it was told is the stacks that it was asked for.
STACKS_S = 5.0
# Events that come whether the training goes on or not.
_NO_LIFE = ("problem", "memory")


class Silence:
    """Counts how long the trainer has been silent, by a clock that does not go on while the machine sleeps.

    Args:
        progress: Knows of every event before this does.
        has_stacks: Whether the trainer can be asked for its stacks.
        now_s: The time, as `look` gets it.
    """

    def __init__(self, progress: Progress, now_s: float, *, has_stacks: bool = True) -> None:
        self._progress, self._has_stacks = progress, has_stacks
        self._looked_at = now_s
        self._silent_s = 0.0
        self._next_s: float | None = None  # of this silence, once it has been told
        self._deaf_until = now_s
        self._has_written = self._is_alive = False
        self._phase = ""
        self._learnt: dict[str, float] = {}

    def hear(self) -> None:
        """The trainer wrote something. Cheap: it comes with every line."""
        self._has_written = True

    def take(self, event: Mapping[str, Any]) -> None:
        """An event was told: by the trainer, or by the launcher of what the trainer had written."""
        if event.get("event") not in _NO_LIFE:
            self._is_alive = True
        if self._progress.phase != self._phase:
            self._note_silence()
            self._phase = self._progress.phase

    def look(self, now_s: float) -> Problem | None:
        """Returns a warning when the trainer has been silent for longer than it may be, again at each doubling."""
        passed_s = min(max(now_s - self._looked_at, 0.0), MOST_BETWEEN_LOOKS_S)
        self._looked_at = now_s
        has_written, self._has_written = self._has_written, False
        if self._is_alive or (has_written and now_s >= self._deaf_until):
            self._note_silence()
            return None
        self._silent_s += passed_s
        if self._phase == ENDED or self._silent_s < (self._next_s or self.allowed_s()):
            return None
        self._next_s, self._deaf_until = 2 * self._silent_s, now_s + STACKS_S
        return self._problem()

    def allowed_s(self) -> float:
        """Returns how long the trainer may be silent in its phase before it is told."""
        learnt_s = self._learnt.get(self._phase, 0.0)
        if not self._progress.has_trained and self._phase not in SILENCE_OF:
            return max(SILENCE_BEFORE_STEPS_S, learnt_s)
        usual_s = USUAL_STEPS * (self._progress.step_s or 0.0)
        return max(SILENCE_OF.get(self._phase, LEAST_SILENCE_S), usual_s, learnt_s)

    def _note_silence(self) -> None:
        """A silence ended."""
        if self._next_s is not None:
            learnt_s = min(2 * self._silent_s, LONGEST_LEARNT_S)
            self._learnt[self._phase] = max(self._learnt.get(self._phase, 0.0), learnt_s)
        self._silent_s, self._next_s, self._is_alive = 0.0, None, False

    def _problem(self) -> Problem:
        step, step_s = self._progress.step, self._progress.step_s
        after = f"after step {step}" if self._progress.has_trained else "before its first step"
        usual = ""
        if self._phase == TRAINING and step_s is not None:
            usual = f", where a step usually takes {duration_text(step_s)}"
        return Problem(
            "run.silent",
            f"The trainer has been silent for {duration_text(self._silent_s)} while {self._phase or 'starting'}, "
            f"{after}{usual}.{_STACKS if self._has_stacks else ''}",
            "trainer.log",
            "If the machine and its GPU are busy, wait; else stop it with Ctrl-C, twice if need be, and go on with "
            "`kohyatpl run --resume`.",
            "warning",
        )


_STACKS = " What it is doing, the stack of each of its threads, is at the end of trainer.log."


def duration_text(seconds: float) -> str:
    """Returns a time as a sentence says it.

    >>> duration_text(0.4), duration_text(4.2), duration_text(150), duration_text(7300)
    ('0.4 s', '4 s', '2 min 30 s', '2 h 1 min')
    """
    if seconds < 1:
        return f"{seconds:.1g} s"
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
