"""From a folder to everything that a render or a run starts from: config, dataset, problems, plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loratpl.check.outcome import OUTPUT_EXISTS, outcome_problems
from loratpl.check.packages import known_packages
from loratpl.check.registry import find_problems
from loratpl.config.gui.keys import gui_only_keys
from loratpl.config.machine import Machine, known_gpu_count, nvidia_gpus
from loratpl.config.reading import has_known_keys, read_config
from loratpl.config.settings import OWN_KEYS, Settings, resolve
from loratpl.dataset.latent_caches import latent_cache_of
from loratpl.dataset.scan import scan
from loratpl.errors import Problem, ProjectError, raise_errors
from loratpl.journal import interrupted
from loratpl.plan.datasets import part_problems
from loratpl.plan.planner import TrainingPlan, make_plan
from loratpl.plan.preconditions import plan_problems
from loratpl.project import ProjectPaths, find_config
from loratpl.trainer.manifest import load_manifest

# What can be planned all the same: the steps do not depend on the base model or on this machine.
_NO_MATTER_FOR_A_PLAN = ("config.model.missing", "config.model.form", "machine.", "trainer.", "project.write")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project that can be trained: no error was found."""

    project: ProjectPaths
    settings: Settings
    plan: TrainingPlan
    warnings: tuple[Problem, ...]


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


def prepare(
    project: ProjectPaths, config_path: Path | None = None, overrides: Sequence[tuple[str, Any]] = ()
) -> Prepared:
    """Returns the project's settings and plan.

    Raises:
        KohyatplError: With every problem of config, dataset and machine at once.
    """
    return prepared_from(project, judge(project, config_path, overrides))


def prepared_from(project: ProjectPaths, judged: Judged) -> Prepared:
    """Returns what was judged as something to be trained; raises its problems where there are errors."""
    # A run refuses to write over an earlier LoRA by itself, and may be told to.
    problems = tuple(replace(p, severity="warning") if p.code == OUTPUT_EXISTS else p for p in judged.problems)
    raise_errors(problems)
    if judged.plan is None:
        raise RuntimeError("a project without errors has a plan")
    return Prepared(project, judged.settings, judged.plan, problems)


@dataclass(frozen=True, slots=True)
class Judged:
    """Everything that was found of a project; there is a plan when nothing stands against one."""

    settings: Settings
    problems: tuple[Problem, ...]
    plan: TrainingPlan | None


def judge(
    project: ProjectPaths,
    config_path: Path | None = None,
    overrides: Sequence[tuple[str, Any]] = (),
    *,
    gpu_count: Callable[[], int | None] = known_gpu_count,
    machine: Machine | None = None,
    processes: int | None = None,
    packages: Callable[[], Collection[str] | None] = known_packages,
    folder_mode: bool = False,
) -> Judged:
    """Returns every problem of a project, and its plan where it has one.

    Args:
        project: The project.
        config_path: Its config, where that is not to be looked for.
        overrides: Settings of the command line.
        gpu_count: Says for which machine is judged; this one unless given.
        machine: What defaults and presets are made to suit; this one unless given.
        processes: Plans for so many instead of the config's.
        packages: Says what the trainer's environment has; asks the installed one unless given.
        folder_mode: Plans what the trainer does by itself with `--train_data_dir` and `--reg_data_dir`.

    Raises:
        KohyatplError: There is no config, or it cannot be read at all.
    """
    settings, problems = load_settings(project, config_path, overrides, machine)
    dataset = scan(
        settings.path("train_data_dir"),
        settings.path("reg_data_dir"),
        cache_suffix=latent_cache_of(settings.family.name).suffix,
        in_disk_order=folder_mode,
    )
    if folder_mode:
        settings = replace(settings, datasets=(), concepts={})  # it knows one dataset, and the same options for all
    count = gpu_count()
    renaming = interrupted(project.journal_path)  # what the folders are called now is not what they shall be called
    found = (
        *((renaming,) if renaming else ()),
        *problems,
        *find_problems(project, settings, dataset, count, gpus=nvidia_gpus() if count else (), packages=packages()),
        *plan_problems(settings),
        *part_problems(dataset, settings),
    )
    if any(problem.severity == "error" and not problem.code.startswith(_NO_MATTER_FOR_A_PLAN) for problem in found):
        return Judged(settings, found, None)
    try:
        plan = make_plan(dataset, settings, processes)
    except ProjectError as error:
        return Judged(settings, (*found, *error.problems), None)
    return Judged(settings, (*found, *outcome_problems(project, settings, plan)), plan)
