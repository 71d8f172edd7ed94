"""An existing project: opened, and its config found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.project.paths import CONFIG_NAME, ProjectPaths

_CONFIG_SUFFIXES = (".json", ".yaml", ".yml", ".toml")


def open_project(root_dir: Path) -> ProjectPaths:
    """Returns the project at `root_dir`.

    Raises:
        ProjectError: There is no such folder.
    """
    if not root_dir.is_dir():
        raise ProjectError(
            Problem(
                "project.missing",
                f"{root_dir} is not a folder, so there is no project in it.",
                str(root_dir),
                f'Lay one out with `kohyatpl new "{root_dir}"`, or name the folder of yours.',
            )
        )
    return ProjectPaths(root_dir.resolve())


def find_config(project: ProjectPaths, looks_like_config: Callable[[Path], bool]) -> Path:
    """Returns the config of a project: config.json, else the single file at its root that is one.

    Args:
        project: The project to look in.
        looks_like_config: Says whether a file holds at least one key that we know.

    Raises:
        ProjectError: There is none, or there are several.
    """
    found = find_configs(project, looks_like_config)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise ProjectError(
            Problem(
                "project.config.several",
                f"{project.root_dir.name} has several files that could be its config: {names}.",
                names,
                f'Name the one you mean: `--config "{found[0].name}"`.',
            )
        )
    raise ProjectError(
        Problem(
            "project.config.missing",
            f"{project.root_dir} has no {CONFIG_NAME} and no other file with training settings.",
            CONFIG_NAME,
            f'Name the file with `--config FILE`, or lay out a project with `kohyatpl new "{project.root_dir}"`.',
        )
    )


def find_configs(project: ProjectPaths, looks_like_config: Callable[[Path], bool]) -> tuple[Path, ...]:
    """Returns the files at a project's root that may be its config: config.json alone where it is there."""
    if project.config_path.is_file():
        return (project.config_path,)
    return tuple(
        sorted(
            path
            for path in project.root_dir.iterdir()
            if path.suffix.lower() in _CONFIG_SUFFIXES and path.is_file() and looks_like_config(path)
        )
    )
