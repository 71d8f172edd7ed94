"""Runs whose events, settings and files tell a story."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.report.story.reading import story_of
from loratpl.report.story.story import RunStory
from loratpl.run.history import find_run

A, B = "20260102-030405-a", "20260103-030405-b"
PLAN = {"total_steps": 6, "steps_per_epoch": 3, "epochs": 2}


def story(project: ProjectPaths, run_id: str = A) -> RunStory:
    """Returns the story of a run."""
    return story_of(project, find_run(project, run_id))


def step(number: int, loss: float | None = 0.5, *, time: float | None = None, **more: Any) -> dict[str, Any]:
    """Returns the event of a step; each ends a second after the one before."""
    ended_at = 1000.0 + number if time is None else time
    return {"event": "step", "time": ended_at, "step": number, "loss": loss, "average_loss": loss, "lr": {}, **more}


def steps(first: int, last: int) -> list[dict[str, Any]]:
    """Returns the events of steps, the last one counted in."""
    return [step(number, number / 10) for number in range(first, last + 1)]


def sample(path: Path, number: int, prompt: int | None = None) -> dict[str, Any]:
    """Returns the event of a sample picture; one of an older version has no prompt."""
    known = {} if prompt is None else {"prompt": prompt}
    return {"event": "sample", "time": 1000.5 + number, "path": str(path), "step": number, **known}


def checkpoint(path: Path, number: int, content: bytes | None = b"weights") -> dict[str, Any]:
    """Returns the event of a checkpoint; its file is written where it has content."""
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    size = len(content or b"weights")
    return {"event": "checkpoint", "time": 1000.2 + number, "path": str(path), "step": number, "size_bytes": size}
