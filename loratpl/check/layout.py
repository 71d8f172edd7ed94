"""What is wrong with the folders: everything the trainer would pass over in silence."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.dataset.scan import Dataset
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_SHOWN_FILES = 5


def layout_problems(project: ProjectPaths, dataset: Dataset) -> Iterator[Problem]:
    """Yields the problems of the dataset's folders.

    The trainer exits with 0 and trains nothing when it finds no picture, leaves out a folder without a number with
    one warning among many lines, and ends in a ZeroDivisionError on a picture that it cannot read.
    """
    if not dataset.training:
        yield Problem(
            "dataset.empty",
            f"{project.relative(dataset.image_dir)} holds no concept with pictures that the trainer reads.",
            project.relative(dataset.image_dir),
            "Put pictures (png, jpg, jpeg, webp, bmp) into folders named like `10_ohwx cat` in there.",
        )
    for ignored in dataset.ignored:
        if ignored.picture_count:
            name = ignored.folder.name
            yield Problem(
                "dataset.folder.ignored",
                f"The {ignored.picture_count} pictures of {project.relative(ignored.folder)} would not be trained: "
                f"{ignored.reason}.",
                project.relative(ignored.folder),
                f"Rename the folder to `1_{name}`, or move it out of {ignored.folder.parent.name}.",
            )
    unreadable = [p.path for concept in dataset.concepts for p in concept.pictures if not p.is_readable]
    for path in unreadable[:_SHOWN_FILES]:
        yield Problem(
            "dataset.image.unreadable",
            f"{project.relative(path)} is not a picture that can be opened; the trainer would end on it.",
            project.relative(path),
            "Replace the file or take it out; a Git LFS pointer becomes a picture with `git lfs pull`.",
        )
    if len(unreadable) > _SHOWN_FILES:
        yield Problem(
            "dataset.image.unreadable",
            f"{len(unreadable) - _SHOWN_FILES} more files are not pictures that can be opened.",
            project.relative(dataset.image_dir),
            "Replace them or take them out.",
        )
