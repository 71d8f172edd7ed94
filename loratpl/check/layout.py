"""What is wrong with the folders: everything the trainer would pass over in silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loratpl.config.options import nearest
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
            "Put pictures (png, jpg, jpeg, webp, bmp) into folders named N_name in there: those of `10_ohwx cat` are "
            "seen 10 times per epoch.",
        )
    yield from _ignored_problems(project, dataset)


def unread_problems(project: ProjectPaths, dataset: Dataset) -> Iterator[Problem]:
    """Yields the files that the trainer passes over or ends on, as far as a scan tells; a closer look tells why."""
    for ignored in dataset.ignored:
        if ignored.is_unreadable:
            where = project.relative(ignored.folder)
            yield Problem(
                "dataset.folder.unreadable",
                f"{where} would not be trained: {ignored.reason}.",
                where,
                f'`chmod +rx "{where}"`, or take the folder out.',
            )
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
        if ignored.is_unreadable:
            continue  # said by whoever looks at the files
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


def parent_problems(project: ProjectPaths, settings: Settings) -> Iterator[Problem]:
    """Yields an error where image_dir or reg_dir is not where the config says, or where they are one folder.

    The trainer would train nothing and exit with 0, or train without regularisation, and say nothing of it.
    """
    image_dir, reg_dir = settings.path("train_data_dir"), settings.path("reg_data_dir")
    if _is_named_in_vain(settings, "train_data_dir"):
        yield Problem(
            "dataset.missing",
            f"train_data_dir names {project.relative(image_dir)!r}, and there is no such folder.",
            settings.where("train_data_dir"),
            _meant(project, image_dir) or "Make the folder, or correct `train_data_dir` in the config.",
        )
    if _is_named_in_vain(settings, "reg_data_dir"):
        yield Problem(
            "dataset.reg.missing",
            f"reg_data_dir names {project.relative(reg_dir)!r} for regularisation images, and there is no such folder.",
            settings.where("reg_data_dir"),
            _meant(project, reg_dir)
            or "Make the folder (it may stay empty), or take `reg_data_dir` out of the config.",
        )
    if reg_dir.is_dir() and image_dir.is_dir() and reg_dir.samefile(image_dir):
        yield Problem(
            "dataset.reg.same",
            f"reg_data_dir and train_data_dir are one folder, {project.relative(image_dir)}; the trainer takes each "
            "picture once, and trains without regularisation.",
            settings.where("reg_data_dir"),
            'Give the regularisation images a folder of their own, or write `"reg_data_dir": ""`.',
        )


def _is_named_in_vain(settings: Settings, name: str) -> bool:
    return settings.options[name].source != DEFAULT and settings[name] is not None and not settings.path(name).is_dir()


def _meant(project: ProjectPaths, folder: Path) -> str:
    """Returns the fix where another folder beside it is likely to be meant, "" where none is."""
    try:
        beside = [entry.name for entry in folder.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    if folder.name.strip() != folder.name and folder.name.strip() in beside:
        return "Remove the blank at the beginning or the end of the name."
    near = nearest(folder.name, beside)
    return f"Did you mean `{project.relative(folder.with_name(near[0]))}`?" if near else ""
