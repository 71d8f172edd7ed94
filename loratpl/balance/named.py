"""What a config calls a folder: its class tokens, or its whole name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from loratpl.dataset.scan import parse_folder_name


class Named(Protocol):
    """A folder that a config can speak of."""

    @property
    def folder(self) -> Path:
        """The folder itself."""

    @property
    def class_tokens(self) -> str:
        """Its name after the number and the underscore."""

    @property
    def names(self) -> tuple[str, str]:
        """What it may be called, the exact name first."""


def config_keys(folders: Sequence[Named], known: Collection[str]) -> dict[Path, tuple[str, ...]]:
    """Returns the keys under which the config speaks of each folder: mostly one or none.

    A key that is a folder's whole name goes on to mean that folder when its repeats have changed, as long as no other
    folder has its class tokens.

    Args:
        folders: Concepts, or regularisation folders.
        known: The keys of `kohyatpl.concepts`.
    """
    count_of = Counter(item.class_tokens for item in folders)
    whole_names: dict[str, list[str]] = {}
    for name in known:
        parsed = parse_folder_name(name)
        if parsed is not None:
            whole_names.setdefault(parsed[1], []).append(name)
    found: dict[Path, tuple[str, ...]] = {}
    for item in folders:
        older = whole_names.get(item.class_tokens, []) if count_of[item.class_tokens] == 1 else []
        names = dict.fromkeys((*item.names, *older))
        found[item.folder] = tuple(name for name in names if name in known)
    return found
