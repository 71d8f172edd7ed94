"""A tree that is there already becomes a project: a config is written into it, and nothing in it is moved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.project.creation import cannot_write, write_config
from loratpl.project.paths import ProjectPaths


def adopt_project(root_dir: Path, *, config: Mapping[str, object], folders: Iterable[str]) -> ProjectPaths:
    """Returns the project that a tree has become: its config is new, and those of these folders that were missing.

    Args:
        root_dir: The tree.
        config: What config.json shall hold.
        folders: What the config names for logs and LoRAs, relative to the tree.

    Raises:
        ProjectError: There is a config.json already, or the tree cannot be written; then nothing of it has changed.
    """
    project = ProjectPaths(root_dir.resolve())
    made: list[Path] = []
    try:
        write_config(project.config_path, config)
    except FileExistsError as error:
        raise _has_config(project) from error
    except OSError as error:
        raise cannot_write(root_dir, error) from error
    try:
        for name in folders:
            folder = project.root_dir / name
            if not folder.is_dir():
                folder.mkdir()
                made.append(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            project.config_path.unlink()
            for folder in made:
                folder.rmdir()
        raise cannot_write(root_dir, error) from error
    return project


def _has_config(project: ProjectPaths) -> ProjectError:
    return ProjectError(
        Problem(
            "project.exists",
            f"{project.root_dir} has a {project.config_path.name} already; `new` never writes over what is there.",
            str(project.config_path),
            f'Look at it with `kohyatpl check "{project.root_dir}"`, or move the file away.',
        )
    )
