"""A config as it was written, and the problems of reading one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.errors import ConfigError, Problem

KeyPath = tuple[str, ...]
# A config has three levels; whoever nests deeper has made a mistake, or wants the stack to overflow.
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class RawConfig:
    """A config file as it was written.

    Attributes:
        path: The file.
        values: Its top-level object.
        lines: The line (from 1) of each key; keys of objects inside it are named by their path.
    """

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def where(self, *key: str) -> str:
        """Returns how a problem names a key: "config.json line 12: learning_rate"."""
        line = self.lines.get(key)
        place = self.path.name if line is None else f"{self.path.name} line {line}"
        return f"{place}: {'.'.join(key)}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text says: its top-level value, and the line of each key in it."""

    value: Any
    lines: dict[KeyPath, int]


def whole_problem(path: Path, code: str, reason: str, fix: str) -> Problem:
    """Returns a problem of a file as a whole: "config.json is empty."."""
    return Problem(code, f"{path.name} {reason}.", str(path), fix)


def line_problem(name: str, line: int, code: str, reason: str, fix: str) -> Problem:
    """Returns a problem of one line: "config.json line 3: …"."""
    return Problem(code, f"{name} line {line}: {reason}.", f"{name} line {line}", fix)


def duplicate_problem(name: str, path: KeyPath, first_line: int, line: int) -> Problem:
    """Returns the problem of a key that stands on two lines."""
    key = ".".join(path)
    elsewhere = "twice on it" if first_line == line else f"on line {first_line} as well"
    fix = "Keep the one you mean."
    if first_line != line:
        fix = f"Keep the one you mean: line {first_line} or line {line}."
    return Problem(
        "config.key.duplicate",
        f"{name} line {line}: the key `{key}` stands {elsewhere}, and only one of the two can count.",
        f"{name} line {line}: {key}",
        fix,
    )


def too_deep(name: str, line: int) -> ConfigError:
    """Returns the error of a config that is nested deeper than any config is."""
    fix = "A config needs three levels at most; look for a bracket that is not closed."
    return ConfigError(line_problem(name, line, "config.nesting", f"nested deeper than {MAX_DEPTH} levels", fix))
