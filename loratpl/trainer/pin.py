"""The pin: which commit of sd-scripts this version of kohyatpl drives (vendor/sd-scripts/pin.json)."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from loratpl.resources import SD_SCRIPTS_DIR

PIN_PATH = SD_SCRIPTS_DIR / "pin.json"
ENVIRONMENT_LOCK_PATH = SD_SCRIPTS_DIR / "environment.txt"


@dataclass(frozen=True, slots=True)
class Pin:
    """One commit of the trainer.

    Attributes:
        url: Where it comes from.
        commit, tree: Git object ids of the commit and of its files.
        tag, commits_after_tag: The release before it and how far it is ahead of it.
        licence: The trainer's licence, as an SPDX expression.
        python_min, python_max: The Python versions (major, minor) that its environment exists for, both included.
    """

    url: str
    commit: str
    tree: str
    tag: str
    commits_after_tag: int
    licence: str
    python_min: tuple[int, int]
    python_max: tuple[int, int]

    @property
    def short_commit(self) -> str:
        """The commit as people read it."""
        return self.commit[:8]

    def allows_this_python(self) -> bool:
        """Returns whether the trainer's environment can be made with the Python that runs now."""
        return self.python_min <= sys.version_info[:2] <= self.python_max


def load_pin(path: Path = PIN_PATH) -> Pin:
    """Returns the pin at `path`."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Pin(
        url=data["url"],
        commit=data["commit"],
        tree=data["tree"],
        tag=data["tag"],
        commits_after_tag=data["commits_after_tag"],
        licence=data["licence"],
        python_min=_version(data["python_min"]),
        python_max=_version(data["python_max"]),
    )


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
