"""Pictures and folders where the trainer does not look, and folders that cannot be looked into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from loratpl.dataset.inspect import InspectedParent, InspectedTree
from loratpl.dataset.inspect.walk import FolderBelow, FolderContents
from loratpl.dataset.scan import parse_folder_name
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_LEVEL, _MISPLACED = "dataset.folder.level", "dataset.image.misplaced"
_SHOWN = 5


def place_problems(project: ProjectPaths, tree: InspectedTree) -> Iterator[Problem]:
    """Yields an error for pictures that lie where the trainer does not look: it says nothing of them."""
    for parent in tree.parents:
        where = project.relative(parent.contents.path)
        if parent.contents.error:
            yield _unlistable(where, parent.contents.error, "nothing of it would be trained")
        yield from _loose(project, parent)
        for folder in parent.folders:
            yield from _in_folder(project, folder.contents)


def _loose(project: ProjectPaths, parent: InspectedParent) -> Iterator[Problem]:
    """Yields an error for each picture beside the concept folders; a single one where there is no concept at all."""
    folder, names = parent.contents.path, parent.contents.loose
    where, option = project.relative(folder), "reg_data_dir" if parent.contents.is_reg else "train_data_dir"
    if names and not any(inside.contents.is_concept for inside in parent.folders):
        message = (
            f"The {_counted(names)} of {where} would not be trained: the trainer only looks into folders inside it, "
            "and none of these is a concept folder."
        )
        if parse_folder_name(folder.name) is not None:
            message += f" {folder.name} is named like a concept folder itself."
            fix = f"Let `{option}` name the folder that {folder.name} lies in."
        else:
            fix = f"Move the pictures into a folder in there that is named like `10_ohwx cat`, and keep `{option}`."
        yield Problem(_LEVEL, message, where, fix)
        return
    for name in names:
        place = project.relative(folder / name)
        message = f"{place} would not be trained: it lies beside the concept folders, not in one of them."
        yield Problem(_MISPLACED, message, place, f"Move it into a concept folder, or out of {folder.name}.")


def _in_folder(project: ProjectPaths, folder: FolderContents) -> Iterator[Problem]:
    where = project.relative(folder.path)
    if folder.error:
        yield _unlistable(where, folder.error, "its pictures would not be trained")
    if folder.is_loop:
        yield _loop(where)
    deeper = [] if folder.is_concept or folder.pictures else _concepts_below(folder)
    if deeper:
        names = ", ".join(below.path.name for below in deeper[:_SHOWN])
        message = f"The concept folders in {where} lie one level too deep ({names}): none of them would be trained."
        fix = f"Move them up into {folder.path.parent.name}, or name {where} in the config."
        yield Problem(_LEVEL, message, where, fix)
    for below in folder.below:
        if below not in deeper:
            yield from _below(project, folder.path, below)


def _concepts_below(folder: FolderContents) -> list[FolderBelow]:
    """Returns the folders in a folder that would be concepts one level higher."""
    return [
        below
        for below in folder.below
        if below.picture_count
        and below.path.parent == folder.path
        and (parse_folder_name(below.path.name) or (0,))[0] > 0
    ]


def _below(project: ProjectPaths, concept_dir: Path, below: FolderBelow) -> Iterator[Problem]:
    where = project.relative(below.path)
    if below.is_loop:
        yield _loop(where)
    elif below.error:
        message = f"{where} cannot be listed ({below.error}); pictures in it would not be trained."
        yield Problem("dataset.folder.unreadable", message, where, f'`chmod +rx "{where}"`', "warning")
    elif below.picture_count:
        count = f"{below.picture_count} picture{'' if below.picture_count == 1 else 's'}"
        message = f"The {count} of {where} would not be trained: the trainer does not look into folders of a concept."
        fix = f"Move the pictures up into {concept_dir.name}, or the folder out of {concept_dir.parent.name}."
        yield Problem(_MISPLACED, message, where, fix)


def _loop(where: str) -> Problem:
    message = f"{where} is a link to a folder that it lies in; whatever follows it never comes to an end."
    return Problem("dataset.folder.loop", message, where, "Delete it.", "warning")


def _unlistable(where: str, error: str, harm: str) -> Problem:
    message = f"{where} cannot be listed ({error}); {harm}."
    return Problem("dataset.folder.unreadable", message, where, f'`chmod +rx "{where}"`, or take the folder out.')


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} picture{'' if len(names) == 1 else 's'}"
