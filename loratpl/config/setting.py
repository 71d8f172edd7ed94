"""One option's value, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COMMAND_LINE = "command line"
DEFAULT = "default"
ENVIRONMENT = "environment"
# Of these 0 is a count, if an impossible one; of all other options it means off.
_COUNTS = frozenset({"max_train_steps", "save_every_n_steps", "save_n_epoch_ratio"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One option's value, where it came from, and how a problem names the place.

    Attributes:
        value: None where it is unset.
        source: A file's name, `COMMAND_LINE`, "preset sdxl-8gb", "environment KOHYATPL_AUTHOR" or `DEFAULT`.
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


def source_of(setting: Setting) -> str:
    """Returns where a value is from; what was written under another key is found by that key and its line alone."""
    source = setting.where if setting.written_as else setting.source
    return f"{source}, {setting.note}" if setting.note else source


def is_on(options: Mapping[str, Setting], name: str) -> bool:
    """Returns whether an option asks for something; one that the network module knows may be in `network_args`."""
    setting = options.get(name)
    if setting is None:
        arguments = options.get("network_args")
        return arguments is not None and f"{name}=True" in arguments.value
    return any(setting.value) if isinstance(setting.value, list) else bool(setting.value) or name in _COUNTS
