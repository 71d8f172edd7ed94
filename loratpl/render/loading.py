"""Finds a project's config and resolves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loratpl.config.gui.keys import gui_only_keys
from loratpl.config.machine import Machine
from loratpl.config.reading import has_known_keys, read_config
from loratpl.config.settings import OWN_KEYS, Settings, resolve
from loratpl.errors import Problem
from loratpl.project import ProjectPaths, find_config
from loratpl.trainer.manifest import load_manifest


def load_settings(
    project: ProjectPaths,
    config_path: Path | None,
    overrides: Sequence[tuple[str, Any]] = (),
    machine: Machine | None = None,
) -> tuple[Settings, tuple[Problem, ...]]:
    """Returns the settings of a project's config and what is wrong with them.

    Args:
        project: The project.
        config_path: Its config, where that is not to be looked for.
        overrides: Settings of the command line.
        machine: What defaults and presets are made to suit; this one unless given.

    Raises:
        KohyatplError: There is no config, or it cannot be read at all.
    """
    raw = read_config(config_path_of(project, config_path))
    return resolve(raw, project_name=project.root_dir.name, overrides=overrides, machine=machine)


def config_path_of(project: ProjectPaths, config_path: Path | None = None) -> Path:
    """Returns the config of a project: the one that is named, else the one that is found.

    Raises:
        ProjectError: None is named, and there is none or there are several.
    """
    return config_path or find_config(project, looks_like_config)


def looks_like_config(path: Path) -> bool:
    """Returns whether a file holds settings: the trainer's, its GUI's or ours."""
    known = {name for options in load_manifest().options_of.values() for name in options}
    return has_known_keys(path, frozenset(known.union(OWN_KEYS, gui_only_keys()) - {"$schema"}))
