"""Folders of pictures to take in, and what a test looks at afterwards."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

PICTURE = b"\x89PNG\r\n\x1a\n"


def make_files(folder: Path, names: Iterable[str]) -> Path:
    """Returns a folder with files of these names, each of another content."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE + os.fsencode(str(path)))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def contents(folder: Path) -> Mapping[str, str]:
    """Returns the hash of every file below a folder, by its path; where links lead does not matter."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
