"""What must not be renamed: to a name that is given twice, or from under something that would then lead nowhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from loratpl.balance.folders import BalancedFolder
from loratpl.errors import Problem
from loratpl.project import ProjectPaths


def conflicts(project: ProjectPaths, folders: Sequence[BalancedFolder], parents: Sequence[Path]) -> Iterator[Problem]:
    """Yields what stands against the new names, whatever the disk holds beside the folders.

    Args:
        project: Problems name paths from its root.
        folders: With their new names.
        parents: image_dir and reg_dir.
    """
    renamed = [item for item in folders if item.new_folder != item.folder.name]
    yield from _same_names(project, folders)
    for item in renamed:
        if any(parent.is_relative_to(item.folder) for parent in parents):
            yield Problem(
                "plan.balance.nested",
                f"{project.relative(item.folder)} holds image_dir or reg_dir itself; renaming it would take them away "
                "from the config.",
                project.relative(item.folder),
                "Give both a folder of their own, `image_dir` and `reg_dir` in the project.",
            )
    yield from _broken_links(project, renamed, parents)


def _same_names(project: ProjectPaths, folders: Sequence[BalancedFolder]) -> Iterator[Problem]:
    targets = Counter(item.folder.with_name(item.new_folder) for item in folders)
    for item in folders:
        if targets[item.folder.with_name(item.new_folder)] > 1:
            where = project.relative(item.folder)
            yield Problem(
                "plan.balance.name",
                f"{where} should be called {item.new_folder}, and so should another folder.",
                where,
                "Put the pictures of both into one folder, or change the class tokens of one. Nothing was renamed.",
            )


def _broken_links(
    project: ProjectPaths, renamed: Sequence[BalancedFolder], parents: Sequence[Path]
) -> Iterator[Problem]:
    """Yields the links beside the concepts that lead into a folder which gets another name."""
    leaving = {os.path.realpath(item.folder): item.folder for item in renamed if not item.folder.is_symlink()}
    for parent in parents:
        for link in _links(parent):
            target = Path(os.path.realpath(link))
            folder = next((leaving[str(path)] for path in (target, *target.parents) if str(path) in leaving), None)
            if folder is not None:
                where = project.relative(link)
                yield Problem(
                    "plan.balance.link",
                    f"{where} is a link into {project.relative(folder)}, which would get another name: it would lead "
                    "nowhere.",
                    where,
                    "Put a folder of its own in the place of the link, or take it away. Nothing was renamed.",
                )


def _links(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        return sorted(parent / entry.name for entry in entries if entry.is_symlink())
