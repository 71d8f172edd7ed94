"""From a folder to everything that a render or a run starts from: config, dataset, problems, plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from loratpl.check.captions import caption_problems
from loratpl.check.disk import disk_problems, planned_needs, standing_needs
from loratpl.check.outcome import OUTPUT_EXISTS, outcome_problems
from loratpl.check.packages import known_packages
from loratpl.check.registry import find_problems
from loratpl.check.this_machine import MachineFacts, facts_of_another, read_facts
from loratpl.config.gui.keys import gui_only_keys
from loratpl.config.machine import Machine, known_gpu_count, nvidia_gpus
from loratpl.config.reading import has_known_keys, read_config
from loratpl.config.settings import OWN_KEYS, Settings, resolve
from loratpl.dataset.captions import read_captions
from loratpl.dataset.latent_caches import latent_cache_of
from loratpl.dataset.scan import Dataset, scan
from loratpl.errors import Problem, ProjectError, raise_errors
from loratpl.journal import interrupted
from loratpl.plan.datasets import part_problems, settings_of_folders
from loratpl.plan.disk import disk_need
from loratpl.plan.planner import TrainingPlan, make_plan
from loratpl.plan.preconditions import plan_problems
from loratpl.project import ProjectPaths, find_config
from loratpl.trainer.manifest import load_manifest
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status

# What can be planned all the same: the steps do not depend on the base model or on this machine.
_NO_MATTER_FOR_A_PLAN = (
    "config.model.missing", "config.model.form", "machine.", "trainer.", "project.write", "dataset.caption.",
    "dataset.folder.unwritable",
)  # fmt: skip


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
    project: ProjectPaths,
    config_path: Path | None = None,
    overrides: Sequence[tuple[str, Any]] = (),
    *,
    depth: Depth | None = None,
) -> Prepared:
    """Returns the project's settings and plan; it is looked at as closely as can be unless told otherwise.

    Raises:
        KohyatplError: With every problem of config, dataset and machine at once.
    """
    return prepared_from(project, judge(project, config_path, overrides, depth=depth or Depth.FULL))


def prepared_from(project: ProjectPaths, judged: Judged) -> Prepared:
    """Returns what was judged as something to be trained; raises its problems where there are errors."""
    # A run refuses to write over an earlier LoRA by itself, and may be told to.
    problems = tuple(replace(p, severity="warning") if p.code == OUTPUT_EXISTS else p for p in judged.problems)
    raise_errors(problems)
    if judged.plan is None:
        raise RuntimeError("a project without errors has a plan")
    return Prepared(project, judged.settings, judged.plan, problems)


class Depth(Enum):
    """How closely a project is looked at."""

    PLAN = "what a plan needs: settings, folders, the pictures' sizes"
    FULL = "all that can be wrong: captions as well, and whether there is room on the disk"


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
    depth: Depth = Depth.FULL,
    gpu_count: Callable[[], int | None] = known_gpu_count,
    machine: Machine | None = None,
    is_this_machine: bool = True,
    processes: int | None = None,
    packages: Callable[[], Collection[str] | None] = known_packages,
    folder_mode: bool = False,
) -> Judged:
    """Returns every problem of a project, and its plan where it has one.

    Args:
        project: The project.
        config_path: Its config, where that is not to be looked for.
        overrides: Settings of the command line.
        depth: How closely it is looked at.
        gpu_count: Says for which machine is judged; this one unless given.
        machine: What defaults and presets are made to suit; this one unless given.
        is_this_machine: Whether this machine is to train; nothing is said of its disk, memory and trainer otherwise.
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
    facts = _facts(settings, gpu_count(), packages(), is_this_machine=is_this_machine)
    renaming = interrupted(project.journal_path)  # what the folders are called now is not what they shall be called
    found = (
        *((renaming,) if renaming else ()),
        *problems,
        *find_problems(project, settings, dataset, facts),
        *plan_problems(settings),
        *part_problems(dataset, settings),
        *(_caption_problems(project, settings, dataset) if depth is Depth.FULL else ()),
    )
    if any(problem.severity == "error" and not problem.code.startswith(_NO_MATTER_FOR_A_PLAN) for problem in found):
        return Judged(settings, found, None)
    try:
        plan = make_plan(dataset, settings, processes)
    except ProjectError as error:
        return Judged(settings, (*found, *error.problems), None)
    found += tuple(outcome_problems(project, settings, plan))
    if depth is Depth.FULL and is_this_machine:
        needs = (*planned_needs(settings, disk_need(settings, plan)), *standing_needs(settings, facts.env))
        found += tuple(disk_problems(needs))
    return Judged(settings, found, plan)


def _facts(
    settings: Settings, gpu_count: int | None, packages: Collection[str] | None, *, is_this_machine: bool
) -> MachineFacts:
    if not is_this_machine:
        return facts_of_another(gpu_count, packages)
    gpus = nvidia_gpus() if gpu_count else ()
    return read_facts(settings, status(load_pin(), ask_interpreter=False), gpu_count, gpus, packages)


def _caption_problems(project: ProjectPaths, settings: Settings, dataset: Dataset) -> Iterator[Problem]:
    settings_of = settings_of_folders(dataset, settings)
    captions = read_captions(dataset, lambda concept: settings_of[concept.folder])
    return caption_problems(project, settings, captions)
