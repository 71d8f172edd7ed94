"""One option's value, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COMMAND_LINE = "command line"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One option's value, where it came from, and how a problem names the place.

    Attributes:
        value: None where it is unset.
        source: A file's name, `COMMAND_LINE`, "preset sdxl-8gb" or `DEFAULT`.
        where: "config.json line 12: network_dim".
        written_as: The key it was written under, where that is not the option's own name.
        preset: The preset that it is from, "" for none.
        note: Why it is another one than the default or the preset has: the machine it is for.
    """

    value: Any
    source: str
    where: str
    written_as: str = ""
    preset: str = ""
    note: str = ""

    @property
    def is_written(self) -> bool:
        """Whether the user wrote it; what a default or a preset says is nobody's wish."""
        return self.source != DEFAULT and not self.preset

    @property
    def place(self) -> str:
        """How a message starts: file and line, or the flag of the command line."""
        return self.where.partition(": ")[0]

    @property
    def is_unset(self) -> bool:
        """Whether it says nothing: null and empty texts mean so, as the kohya_ss GUI writes them."""
        return self.value is None or self.value in ("", [])
