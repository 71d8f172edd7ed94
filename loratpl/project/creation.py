"""A new project: built beside its place, whole, and then moved into it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.project.naming import ConceptName, checked_names
from loratpl.project.paths import ProjectPaths
from loratpl.project.templates import DEFAULT_TEMPLATE, ProjectTemplate, read_template

# Begins with a full stop: whoever lists folders meanwhile passes it over.
_UNFINISHED_PREFIX = ".kohyatpl-new-"


def create_project(
    root_dir: Path,
    *,
    config: Mapping[str, object],
    concepts: Sequence[str | ConceptName] = (),
    reg_classes: Sequence[str | ConceptName] = (),
    template: str = DEFAULT_TEMPLATE,
    fill: Callable[[ProjectPaths], None] = lambda _: None,
) -> ProjectPaths:
    """Returns a new project at `root_dir`: the template's files, the concept folders and the config.

    Whatever goes wrong, and also when it is stopped, nothing of it is left.

    Args:
        root_dir: Where the project shall be; may exist as an empty folder.
        config: What the config shall hold.
        concepts: "TRIGGER CLASS" of each concept, for example "ohwx cat".
        reg_classes: The class of each set of regularisation images, for example "cat".
        template: A folder of templates/projects.
        fill: Puts the pictures in, once the folders are there; it is given the project where that is being built.

    Raises:
        ProjectError: Something is there already, or a name cannot be a folder.
    """
    refuse_occupied(root_dir)
    concept_names, reg_names = checked_names(concepts), checked_names(reg_classes)
    try:
        with _built_beside(root_dir) as unfinished_dir:
            project = ProjectPaths(unfinished_dir)
            source = read_template(template)
            _lay_out(project, source)
            for parent, wanted in ((project.image_dir, concept_names), (project.reg_dir, reg_names)):
                for concept in wanted:
                    (parent / concept.folder_name).mkdir()
            fill(project)
            write_config(unfinished_dir / source.config_name, config)
    except OSError as error:
        raise cannot_write(root_dir, error) from error
    return ProjectPaths(root_dir.resolve())


def refuse_occupied(root_dir: Path) -> None:
    """Raises ProjectError where a project cannot be laid out since something is there."""
    try:
        state = _occupation(root_dir)
    except OSError as error:
        raise cannot_write(root_dir, error) from error
    if state:
        raise ProjectError(
            Problem(
                "project.exists",
                f"{root_dir} {state}; `new` never writes over what is there.",
                str(root_dir),
                "Name a folder that does not exist yet.",
            )
        )


def _occupation(root_dir: Path) -> str:
    if not root_dir.is_dir():
        return "is a file" if root_dir.exists() else ""
    names = [path.name for path in root_dir.iterdir()]
    if names and all(name.startswith(_UNFINISHED_PREFIX) for name in names):  # nobody would see them
        return f"is empty but for what a `new` that was killed has left: {', '.join(names)}"
    return "is not empty" if names else ""


def write_config(path: Path, config: Mapping[str, object]) -> None:
    """Writes a config, never over one that is there (FileExistsError)."""
    with path.open("x", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def cannot_write(root_dir: Path, error: OSError) -> ProjectError:
    """Returns what is said when the disk refuses a project."""
    return ProjectError(
        Problem(
            "project.write",
            f"The project cannot be written to {root_dir}: {error.strerror or error} ({error.filename}).",
            str(root_dir),
            "Name a folder that you may write to, on a disk with room.",
        )
    )


def _lay_out(project: ProjectPaths, template: ProjectTemplate) -> None:
    for folder in (project.image_dir, project.reg_dir, project.log_dir, project.output_dir):
        folder.mkdir()
    for relative in template.files():
        target = project.root_dir / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        # The text alone: where the package is installed read-only, its modes would lock the project.
        shutil.copyfile(template.folder / relative, target)


@contextlib.contextmanager
def _built_beside(root_dir: Path) -> Iterator[Path]:
    """Gives a new folder on the disk of `root_dir`, whose content is moved there when the body ends well."""
    was_there = root_dir.is_dir()
    # An empty folder that is there stays the same one: somebody may stand in it.
    parent = root_dir if was_there else root_dir.parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    unfinished_dir = parent / f"{_UNFINISHED_PREFIX}{os.urandom(4).hex()}"
    try:
        unfinished_dir.mkdir(parents=True)
        yield unfinished_dir
        if was_there:
            _move_up(unfinished_dir)
        else:
            unfinished_dir.rename(root_dir)
    except BaseException:  # Ctrl-C as well: half a project would be in the way of the next attempt
        shutil.rmtree(unfinished_dir, ignore_errors=True)
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def _move_up(folder: Path) -> None:
    """Moves what is in `folder` to its parent, where nothing else is, and removes it; all of it or nothing."""
    entries = sorted(folder.iterdir())
    moved: list[Path] = []
    try:
        for entry in entries:
            target = entry.rename(folder.parent / entry.name)
            moved.append(target)
        folder.rmdir()
    except BaseException:
        for path in moved:
            with contextlib.suppress(OSError):
                path.rename(folder / path.name)
        raise
