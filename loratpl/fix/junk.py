"""What macOS puts into archives beside everybody's files: `__MACOSX`, full of `._` files that no other system reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from loratpl.fix.actions import Action, Step, relative
from loratpl.project import ProjectPaths

_NAME = "__MACOSX"
_MOST_FILES = 1_000_000


def junk_actions(project: ProjectPaths, folder: Path) -> Iterator[Action]:
    """Yields the removal of a `__MACOSX` folder in a folder, where nothing of anybody's own lies in it."""
    path = folder / _NAME
    if path.is_dir() and not path.is_symlink() and _is_junk(path):
        text = f"{relative(project.root_dir, path)}: removed, it holds nothing but what macOS notes for itself"
        yield Action(folder, "junk", _NAME, text, (Step(_NAME, None),))


def _is_junk(path: Path) -> bool:
    count = 0
    for folder, inner, names in os.walk(path):
        count += len(names)
        if count > _MOST_FILES or any(os.path.islink(os.path.join(folder, name)) for name in inner):  # noqa: PTH114, PTH118
            return False
        if not all(name.startswith("._") or name == ".DS_Store" for name in names):
            return False
    return True
