"""Pictures and captions brought into a project that is being built; the source is read and never changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from loratpl.dataset.intake.sources import Intake
from loratpl.errors import Problem, ProjectError
from loratpl.project import ProjectPaths


def refuse_without_room(root_dir: Path, intake: Intake) -> None:
    """Raises ProjectError where a copy of the pictures would not fit on the project's disk."""
    place = next(folder for folder in (root_dir.absolute(), *root_dir.absolute().parents) if folder.is_dir())
    free_bytes = shutil.disk_usage(place).free
    if intake.copied_bytes > free_bytes:
        raise ProjectError(
            Problem(
                "project.disk",
                f"The pictures take {intake.copied_bytes / 1e9:.1f} GB, and the disk of {root_dir} has "
                f"{free_bytes / 1e9:.1f} GB left.",
                str(root_dir),
                "Make room, name another disk, or leave the pictures on the disk where they are with `--link`.",
            )
        )


def bring_in(project: ProjectPaths, intake: Intake, *, link: bool) -> None:
    """Puts what was planned into the folders of the concepts, which are there and empty.

    A link is a hard link: a second name of the same file, so that the picture stays when the source is tidied up, and
    git takes it as any other. Captions are copied all the same, since they are edited in place.

    Args:
        project: Where it is being built.
        intake: What is taken, and the captions that are written.
        link: Whether pictures are linked instead of copied.

    Raises:
        ProjectError: A file cannot be copied or linked.
    """
    for item in intake.folders:
        parent = project.reg_dir if item.source.is_reg else project.image_dir
        folder = parent / item.source.concept.folder_name
        for file in item.files.taken:
            _bring_in_file(item.source.folder / file.name, folder / file.new_name, link=link and not file.is_caption)
        for name, text in item.files.written.items():
            with (folder / name).open("x", encoding="utf-8") as caption:
                caption.write(f"{text}\n")


def _bring_in_file(source: Path, target: Path, *, link: bool) -> None:
    try:
        if link:
            os.link(source.resolve(), target)  # a link to a link would break with it
            return
        if target.exists():  # a file system that takes two names of ours for one
            raise FileExistsError(0, "a file of that name is there already", str(target))
        shutil.copyfile(source, target)  # the content alone: a read-only picture must not stay so
    except OSError as error:
        reason = error.strerror or str(error)
        raise (_not_linked(source, reason) if link else _not_copied(source, reason)) from error


def _not_copied(source: Path, reason: str) -> ProjectError:
    return ProjectError(
        Problem(
            "project.copy",
            f"{source} cannot be copied into the project: {reason}. Nothing was laid out.",
            str(source),
            "See that it can be read and that the project's disk has room, then try again.",
        )
    )


def _not_linked(source: Path, reason: str) -> ProjectError:
    return ProjectError(
        Problem(
            "project.link",
            f"{source} cannot be linked into the project: {reason}. Nothing was laid out.",
            str(source),
            "Leave `--link` out to copy the pictures, or put the project on the disk that they are on.",
        )
    )
