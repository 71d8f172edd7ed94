"""Disk → the folders that the trainer uses and how many pictures each holds; no picture is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loratpl.balance.naming import FolderName, read_folder_name, right_name
from loratpl.dataset.scan import is_left_out_name, is_picture_name, parse_folder_name
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True)
class CountedFolder:
    """A folder that the trainer uses, or would without the weight in its name.

    Attributes:
        folder: The folder.
        repeats: The number in its name, 0 where it has a weight alone.
        class_tokens: Its name after that.
        images: The pictures in it.
        weight: The weight in its name; None where it has none.
    """

    folder: Path
    repeats: int
    class_tokens: str
    images: int
    weight: float | None = None

    @property
    def names(self) -> tuple[str, str]:
        """What a weight may call it, the exact name first."""
        return self.folder.name, self.class_tokens


@dataclass(slots=True)
class _Inside:
    """What lies in a folder: pictures, folders named like one, pictures that are not read, folders with pictures."""

    images: int = 0
    false_pictures: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)


def look_into(project: ProjectPaths, parent: Path, *, takes_weights: bool) -> tuple[list[CountedFolder], list[Problem]]:
    """Returns the folders that the trainer uses, and why it would pass over the others (its rules: dataset/scan.py).

    `scan` reads the size of every picture; balancing needs their number alone.

    Args:
        project: Problems name paths from its root.
        parent: image_dir or reg_dir; need not exist.
        takes_weights: Whether a folder's name may hold a weight.
    """
    found: list[CountedFolder] = []
    problems: list[Problem] = []
    files: list[str] = []
    try:
        for entry in _entries(parent):
            path = parent / entry.name
            if not os.path.isdir(path):  # noqa: PTH112 - False for a link to itself, where others raise
                if entry.is_symlink() and not path.exists():
                    problems.append(_dead_link(project, path))
                elif "_" in entry.name and parse_folder_name(entry.name):
                    files.append(entry.name)
                continue
            name = read_folder_name(entry.name)
            if isinstance(name, FolderName) and name.weight is not None and not takes_weights:
                name = "its name holds a weight, and regularisation images follow their concepts"
            inside = _look_inside(path)
            if isinstance(name, str):
                problems.append(_ignored(project, path, name, inside))
                continue
            problems += _odd_contents(project, path, inside)
            if inside.images:
                found.append(CountedFolder(path, name.repeats, name.class_tokens, inside.images, name.weight))
            else:
                problems.append(_empty(project, path))
    except OSError as error:
        where = project.relative(Path(error.filename or parent))
        message = f"{where} cannot be read: {error.strerror or error}."
        problems.append(Problem("dataset.folder.unreadable", message, where, "See that you may read it."))
    if files:
        problems.append(_no_folders(project, parent, files))
    return found, problems


def _entries(parent: Path) -> list[os.DirEntry[str]]:
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _look_inside(folder: Path) -> _Inside:
    inside = _Inside()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_folder = entry.is_dir() if not entry.is_symlink() else os.path.isdir(entry.path)  # noqa: PTH112 - as above
            if is_picture_name(entry.name):
                if is_folder:
                    inside.false_pictures.append(entry.name)
                else:
                    inside.images += 1
            elif is_folder and _holds_picture(entry.path):
                inside.nested.append(entry.name)
            elif not is_folder and is_left_out_name(entry.name):
                inside.left_out.append(entry.name)
    return inside


def _holds_picture(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(is_picture_name(entry.name) and not entry.name.startswith(".") for entry in entries)
    except OSError:  # whatever is in there, it is not counted
        return False


def _odd_contents(project: ProjectPaths, folder: Path, inside: _Inside) -> Iterator[Problem]:
    where = project.relative(folder)
    if inside.false_pictures:
        yield Problem(
            "dataset.image.unreadable",
            f"{where} holds a folder that is named like a picture: {_listed(inside.false_pictures)}. It is not "
            "counted, and the trainer would end on it.",
            where,
            "Give it another name, or move it out.",
            "warning",
        )
    if inside.left_out:
        yield Problem(
            "dataset.image.left_out",
            f"{len(inside.left_out)} pictures of {where} are not counted, since the trainer does not read them: "
            f"{_listed(inside.left_out)}.",
            where,
            "Convert them to png, jpg, jpeg, webp or bmp, the extension all in lower or all in upper case; then run "
            "`kohyatpl balance` again.",
            "warning",
        )
    if inside.nested:
        yield Problem(
            "dataset.folder.nested",
            f"{where} holds folders with pictures, which are not counted: {_listed(inside.nested)}. The trainer looks "
            "into no folder within a concept's.",
            where,
            "Move these pictures up beside the others, or make a concept folder of each.",
            "warning",
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(sorted(names)[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _ignored(project: ProjectPaths, folder: Path, reason: str, inside: _Inside) -> Problem:
    where = project.relative(folder)
    fix = f"Rename the folder to `{right_name(folder.name)}`, or move it out of {folder.parent.name}."
    if not inside.images:
        fix = f"Move it out of {folder.parent.name}, or put pictures into it and call it `{right_name(folder.name)}`."
    return Problem(
        "dataset.folder.ignored",
        f"{where} is left as it is, and the trainer would pass over it: {reason}.",
        where,
        fix,
        "warning",
    )


def _empty(project: ProjectPaths, folder: Path) -> Problem:
    where = project.relative(folder)
    return Problem(
        "dataset.folder.empty",
        f"{where} is left as it is, and nothing of it would be trained: it holds no picture that the trainer reads.",
        where,
        "Put pictures (png, jpg, jpeg, webp, bmp) into it, or remove the folder.",
        "warning",
    )


def _dead_link(project: ProjectPaths, link: Path) -> Problem:
    where = project.relative(link)
    return Problem(
        "dataset.folder.link",
        f"{where} is left as it is, and nothing of it would be trained: it is a link that leads nowhere.",
        where,
        "Let it lead to the folder of pictures again, or remove it.",
        "warning",
    )


def _no_folders(project: ProjectPaths, parent: Path, names: Sequence[str]) -> Problem:
    where = project.relative(parent)
    return Problem(
        "dataset.folder.file",
        f"Files in {where} are named like concept folders: {_listed(names)}. They are left as they are, and nothing of "
        "them would be trained.",
        where,
        "Put pictures into a folder, such as `10_ohwx cat`; move anything else out.",
        "warning",
    )


def no_concept(project: ProjectPaths, image_dir: Path) -> Problem:
    """Returns what is said of a project without any concept to balance."""
    return Problem(
        "dataset.empty",
        f"{project.relative(image_dir)} holds no concept with pictures that the trainer reads.",
        project.relative(image_dir),
        "Put pictures (png, jpg, jpeg, webp, bmp) into folders named like `10_ohwx cat` in there. Where they lie "
        'elsewhere, name that folder in the config: `"train_data_dir": "img"`.',
    )
