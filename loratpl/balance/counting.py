"""Disk → the folders that the trainer uses and how many pictures each holds; no picture is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loratpl.dataset.scan import parse_folder_name, picture_paths
from loratpl.errors import Problem
from loratpl.project import ProjectPaths


@dataclass(frozen=True, slots=True)
class CountedFolder:
    """A folder that the trainer uses: what its name says, and the pictures in it."""

    folder: Path
    repeats: int
    class_tokens: str
    images: int

    @property
    def names(self) -> tuple[str, str]:
        """What a weight may call it, the exact name first."""
        return self.folder.name, self.class_tokens


def look_into(project: ProjectPaths, parent: Path) -> tuple[list[CountedFolder], list[Problem]]:
    """Returns the folders that the trainer uses, and why it would pass over the others (its rules: dataset/scan.py).

    `scan` reads the size of every picture; balancing needs their number alone.
    """
    found: list[CountedFolder] = []
    problems: list[Problem] = []
    try:
        folders = sorted(entry for entry in parent.iterdir() if entry.is_dir()) if parent.is_dir() else []
        for folder in folders:
            if folder.name.startswith("."):
                continue
            parsed, images = parse_folder_name(folder.name), sum(1 for _ in picture_paths(folder))
            name = folder.name
            if parsed is None:
                reason = "its name does not start with a number and an underscore"
                problems.append(_ignored(project, folder, reason, f"1_{name}"))
            elif parsed[0] < 1:
                problems.append(_ignored(project, folder, f"its repeats are {parsed[0]}", f"1_{parsed[1]}"))
            elif not images:
                problems.append(_empty(project, folder))
            else:
                found.append(CountedFolder(folder, *parsed, images))
    except OSError as error:
        where = project.relative(Path(error.filename or parent))
        message = f"{where} cannot be read: {error.strerror or error}."
        problems.append(Problem("dataset.folder.unreadable", message, where, "See that you may read it."))
    return found, problems


def _ignored(project: ProjectPaths, folder: Path, reason: str, right_name: str) -> Problem:
    where = project.relative(folder)
    return Problem(
        "dataset.folder.ignored",
        f"{where} is left as it is, and the trainer would pass over it: {reason}.",
        where,
        f"Rename the folder to `{right_name}`, or move it out of {folder.parent.name}.",
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


def no_concept(project: ProjectPaths, image_dir: Path) -> Problem:
    """Returns what is said of a project without any concept to balance."""
    return Problem(
        "dataset.empty",
        f"{project.relative(image_dir)} holds no concept with pictures that the trainer reads.",
        project.relative(image_dir),
        "Put pictures (png, jpg, jpeg, webp, bmp) into folders named like `10_ohwx cat` in there.",
    )
