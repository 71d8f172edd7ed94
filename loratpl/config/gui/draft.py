"""A translation in progress: what was written, what each key became so far, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loratpl.config.gui.keys import GUI_KEYS
from loratpl.config.setting import COMMAND_LINE, Setting
from loratpl.errors import Problem


@dataclass(frozen=True, slots=True)
class Mapped:
    """What one key of a config became.

    Attributes:
        key: As written.
        becomes: The option or key of ours, None where it is dropped.
        value: Of what it became, None where that stays unset.
        note: Why, "" where a key is simply the option of its name.
    """

    key: str
    becomes: str | None
    value: Any
    note: str = ""


@dataclass
class Draft:
    """What the decisions about several keys look at and change.

    Attributes:
        written: Every key of the file and of the command line.
        family: The model family that the boxes, or the key `family`, choose.
        is_second: Whether the file is of the GUI's second generation.
        has_boxes: Whether the file has the boxes of the model families.
        prompts_file: Where the prompts of a config that holds them will be; "" where they are not to be written.
        mapped: By key.
        added: What `additional_parameters` becomes, one for each option in it.
        items: What becomes `network_args`.
        problems: What is wrong so far.
    """

    written: Mapping[str, Setting]
    family: str = "sd15"
    is_second: bool = False
    has_boxes: bool = False
    prompts_file: str = ""
    mapped: dict[str, Mapped] = field(default_factory=dict)
    added: list[Mapped] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def value(self, key: str) -> Any:
        """Returns what a key became, None where it is dropped or unset."""
        row = self.mapped.get(key)
        return None if row is None or row.becomes is None or row.value in ("", []) else row.value

    def raw(self, key: str) -> Any:
        """Returns a key's value as it was written, None where it says nothing."""
        entry = self.written.get(key)
        return None if entry is None or entry.is_unset else entry.value

    def is_override(self, key: str) -> bool:
        """Returns whether a key was given on the command line."""
        return key in self.written and self.written[key].source == COMMAND_LINE

    def drop(self, key: str, note: str) -> None:
        """Leaves a key out."""
        self.mapped[key] = Mapped(key, None, None, note)

    def become(self, key: str, becomes: str, value: Any, note: str | None = None) -> None:
        """Makes an option of a key; the note is the row's reason unless given."""
        self.mapped[key] = Mapped(key, becomes, value, GUI_KEYS[key].reason if note is None else note)

    def warn(self, key: str, reason: str, fix: str, code: str = "config.gui.dropped") -> None:
        """Adds a warning at a key."""
        entry = self.written[key]
        self.problems.append(Problem(code, f"{entry.place}: {reason}.", entry.where, fix, "warning"))

    def refuse(self, key: str, reason: str, fix: str, code: str = "config.value") -> None:
        """Adds an error at a key."""
        entry = self.written[key]
        end = "" if reason.endswith("?") else "."
        self.problems.append(Problem(code, f"{entry.place}: {reason}{end}", entry.where, fix))
