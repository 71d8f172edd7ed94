"""From a folder to everything that a render or a run starts from: config, dataset, problems, plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.check.layout import layout_problems
from loratpl.check.machine import machine_problems
from loratpl.config.machine import known_gpu_count
from loratpl.config.reading import has_known_keys, read_config
from loratpl.config.settings import OWN_KEYS, Settings, resolve
from loratpl.dataset.scan import scan
from loratpl.errors import Problem, raise_errors
from loratpl.plan.planner import TrainingPlan, length_problems, make_plan
from loratpl.project import ProjectPaths, find_config
from loratpl.trainer.manifest import load_manifest


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project that can be trained: no error was found."""

    project: ProjectPaths
    settings: Settings
    plan: TrainingPlan
    warnings: tuple[Problem, ...]


def load_settings(
    project: ProjectPaths, config_path: Path | None, overrides: Sequence[tuple[str, Any]] = ()
) -> tuple[Settings, tuple[Problem, ...]]:
    """Returns the settings of a project's config and what is wrong with them.

    Raises:
        KohyatplError: There is no config, or it cannot be read at all.
    """
    raw = read_config(config_path or find_config(project, _looks_like_config))
    return resolve(raw, project_name=project.root_dir.name, overrides=overrides)


def _looks_like_config(path: Path) -> bool:
    known = {name for options in load_manifest().options_of.values() for name in options}
    return has_known_keys(path, frozenset(known.union(OWN_KEYS) - {"$schema"}))


def prepare(
    project: ProjectPaths, config_path: Path | None = None, overrides: Sequence[tuple[str, Any]] = ()
) -> Prepared:
    """Returns the project's settings and plan.

    Raises:
        KohyatplError: With every problem of config and dataset at once.
    """
    settings, problems = load_settings(project, config_path, overrides)
    dataset = scan(settings.path("train_data_dir"), settings.path("reg_data_dir"))
    found = (
        *problems,
        *layout_problems(project, dataset),
        *machine_problems(settings, known_gpu_count()),
        *length_problems(settings),
    )
    raise_errors(found)
    return Prepared(project, settings, make_plan(dataset, settings), found)
