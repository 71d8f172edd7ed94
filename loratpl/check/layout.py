"""What is wrong with the folders: everything the trainer would pass over in silence."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.config.settings import DEFAULT, Settings
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
    yield from _ignored_problems(project, dataset)


def unread_problems(project: ProjectPaths, dataset: Dataset) -> Iterator[Problem]:
    """Yields the files that the trainer passes over or ends on, as far as a scan tells; a closer look tells why."""
    for concept in dataset.concepts:
        if concept.left_out:
            names = ", ".join(path.name for path in concept.left_out[:_SHOWN_FILES])
            more = len(concept.left_out) - _SHOWN_FILES
            where = project.relative(concept.folder)
            yield Problem(
                "dataset.image.left_out",
                f"{len(concept.left_out)} pictures of {where} would not be trained: {names}"
                f"{f' and {more} more' if more > 0 else ''}. The trainer reads png, jpg, jpeg, webp and bmp, the "
                "extension all in lower or all in upper case.",
                where,
                "Rename the extension, convert them to png, or take them out.",
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


def _ignored_problems(project: ProjectPaths, dataset: Dataset) -> Iterator[Problem]:
    for ignored in dataset.ignored:
        where = project.relative(ignored.folder)
        if ignored.right_name != ignored.folder.name and ignored.picture_count:
            yield Problem(
                "dataset.folder.ignored",
                f"The {ignored.picture_count} pictures of {where} would not be trained: {ignored.reason}.",
                where,
                f"Rename the folder to `{ignored.right_name}`, or move it out of {ignored.folder.parent.name}.",
            )
        elif ignored.right_name == ignored.folder.name:
            yield Problem(
                "dataset.folder.empty",
                f"{where} would not be trained: {ignored.reason}.",
                where,
                "Put pictures (png, jpg, jpeg, webp, bmp) into it, or remove the folder.",
                "error" if ignored.picture_count else "warning",
            )


def reg_dir_problems(project: ProjectPaths, settings: Settings) -> Iterator[Problem]:
    """Yields an error where the folder of regularisation images is not there, or is that of the training images.

    The trainer would train without regularisation and say nothing of it.
    """
    reg_dir, image_dir = settings.path("reg_data_dir"), settings.path("train_data_dir")
    if reg_dir.is_dir() and image_dir.is_dir() and reg_dir.samefile(image_dir):
        yield Problem(
            "dataset.reg.same",
            f"{project.relative(reg_dir)} is given for training images and for regularisation images; the trainer "
            "takes each picture once, and trains without regularisation.",
            settings.where("reg_data_dir"),
            'Give the regularisation images a folder of their own, or write `"reg_data_dir": ""`.',
        )
    if settings.options["reg_data_dir"].source != DEFAULT and not reg_dir.is_dir():
        yield Problem(
            "dataset.reg.missing",
            f"The config names {project.relative(reg_dir)} for regularisation images, but there is no such folder.",
            settings.where("reg_data_dir"),
            "Make the folder (it may stay empty), or take `reg_data_dir` out of the config.",
        )
