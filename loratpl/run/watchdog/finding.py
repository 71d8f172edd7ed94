"""What a look of the watchdog finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loratpl.errors import Problem

Action = Literal["tell", "dump_stacks", "stop"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should know, and what is to be done about it.

    Attributes:
        problem: What it is.
        action: "tell" does nothing more; "dump_stacks" has the trainer write down what it is doing; "stop" asks it to
            stop, as Ctrl-C does.
    """

    problem: Problem
    action: Action = "tell"


def shown(path: Path, base_dir: Path) -> str:
    """Returns a path as a person reads it: relative to the project where it lies inside it."""
    try:
        return path.relative_to(base_dir).as_posix()
    except ValueError:
        return str(path)
