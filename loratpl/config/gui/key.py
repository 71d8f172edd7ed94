"""One row of the table of the kohya_ss GUI's keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loratpl.config.gui.values import as_written


@dataclass(frozen=True, slots=True)
class GuiKey:
    """One key of the GUI.

    Attributes:
        name: As the GUI writes it.
        becomes: The option or key of ours that says the same, None where there is none.
        meaning: Returns the value of `becomes` for a value of the GUI, None for one that the GUI took as unset; an
            `Instead` of values.py where the value decides what the key becomes.
        reason: What is done with the value and why, as docs/config.md says it.
        no_default: Unset means unset: our own default would change what is trained or written.
        instead: What to use for a key that became nothing though it asked for something.
        families: The model families in whose part of the window it stands; empty for all.
        argument: The key's name inside `network_args`, where it is one of those.
    """

    name: str
    becomes: str | None
    meaning: Callable[[Any], Any]
    reason: str
    no_default: bool = False
    instead: str = ""
    families: tuple[str, ...] = ()
    argument: str = ""


def same(
    *names: str,
    reason: str = "the same option",
    meaning: Callable[[Any], Any] = as_written,
    families: tuple[str, ...] = (),
) -> tuple[GuiKey, ...]:
    """Returns rows of keys that are options of the same name."""
    return tuple(GuiKey(name, name, meaning, reason, families=families) for name in names)
