"""Folders of a run, found again: `balance` renames them, and projects are moved."""

from __future__ import annotations

from pathlib import Path

from loratpl.dataset.scan import parse_folder_name
from loratpl.fix.log import FixRun
from loratpl.project import ProjectPaths


def folder_of(project: ProjectPaths, run: FixRun, name: str) -> Path | None:
    """Returns the folder that a log calls by this name, None where it cannot be found with certainty.

    One that has another name now is known by its number on the disk, else by the class tokens in its name.
    """
    folder = project.root_dir / name
    if folder.is_dir():
        return folder
    if not folder.parent.is_dir():
        return None
    others = [path for path in folder.parent.iterdir() if path.is_dir() and not path.is_symlink()]
    number = run.header.folders.get(name)
    same = [path for path in others if path.stat().st_ino == number]
    if len(same) != 1:
        tokens = parse_folder_name(folder.name)
        same = [path for path in others if tokens and (parse_folder_name(path.name) or ("", ""))[1] == tokens[1]]
    return same[0] if len(same) == 1 else None
