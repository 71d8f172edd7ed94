"""What a run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """One optimiser update; a loss of None is one that was no number."""

    number: int
    total: int
    loss: float | None
    average_loss: float | None


class Watcher(Protocol):
    """Is told what happens, in the order in which it happens; it must not raise."""

    def phase(self, name: str) -> None:
        """The trainer began something else."""

    def step(self, step: Step) -> None:
        """A step was done."""

    def note(self, text: str) -> None:
        """Something that the user should read."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Every event, as it stands in events.jsonl."""


class Unwatched:
    """A watcher for runs that nobody watches."""

    def phase(self, name: str) -> None:
        """Ignores it."""

    def step(self, step: Step) -> None:
        """Ignores it."""

    def note(self, text: str) -> None:
        """Ignores it."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Ignores it."""
