"""Everything that is wrong with a project, and its plan: what `check` says, and `run` begins with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from loratpl.check.captions import caption_problems, pointers_among
from loratpl.check.dataset_files import dataset_file_problems, is_pointer, lfs_problems
from loratpl.check.layout import unread_problems
from loratpl.check.machine.disk import disk_problems, planned_needs, standing_needs
from loratpl.check.machine.packages import known_packages
from loratpl.check.machine.this_machine import MachineFacts, facts_of_another, read_facts
from loratpl.check.outcome import outcome_problems
from loratpl.check.registry import find_problems
from loratpl.config.machine import Machine, known_gpu_count, nvidia_gpus
from loratpl.config.settings import Settings
from loratpl.dataset.captions import read_captions
from loratpl.dataset.inspect import InspectedTree, Progress, Tier, inspect_tree
from loratpl.dataset.latent_caches import latent_cache_of
from loratpl.dataset.scan import Dataset, scan
from loratpl.errors import Problem, ProjectError
from loratpl.fix import interrupted_fix
from loratpl.journal import interrupted
from loratpl.plan.datasets import part_problems, settings_of_folders, trained_settings
from loratpl.plan.disk.need import disk_need
from loratpl.plan.planner import TrainingPlan, make_plan
from loratpl.plan.preconditions import plan_problems
from loratpl.project import ProjectPaths, make_hidden_dir
from loratpl.render.loading import load_settings
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status

# What can be planned all the same: the steps do not depend on the base model or on this machine.
_NO_MATTER_FOR_A_PLAN = (
    "config.model.missing", "config.model.form", "machine.", "trainer.", "project.write", "dataset.caption.",
    "dataset.folder.unwritable",
)  # fmt: skip


_POINTERS = {"dataset.lfs", "dataset.caption.lfs"}


class Depth(Enum):
    """How closely a project is looked at."""

    PLAN = "what a plan needs: settings, folders, the pictures' sizes"
    QUICK = "captions and the disk as well, and of each picture all that can be told without decoding it"
    FULL = "all that can be told, with every picture decoded"


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
    progress: Progress = lambda _done, _total, _bytes: None,
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
        progress: Told (files done, files in all, bytes of those done) while pictures are looked at.

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
    # What folders and files are called now is not what they shall be called.
    unsettled = (interrupted(project.journal_path), interrupted_fix(project))
    found = (
        *(problem for problem in unsettled if problem is not None),
        *problems,
        *find_problems(project, settings, dataset, facts),
        *plan_problems(settings, trained_settings(dataset, settings)),
        *part_problems(dataset, settings),
        *(unread_problems(project, dataset) if depth is Depth.PLAN else ()),
    )
    if depth is not Depth.PLAN:
        found += _looked_at(project, settings, dataset, "full" if depth is Depth.FULL else "headers", progress)
    if any(problem.severity == "error" and not problem.code.startswith(_NO_MATTER_FOR_A_PLAN) for problem in found):
        return Judged(settings, found, None)
    try:
        plan = make_plan(dataset, settings, processes)
    except ProjectError as error:
        return Judged(settings, (*found, *error.problems), None)
    found += tuple(outcome_problems(project, settings, plan))
    if depth is not Depth.PLAN and is_this_machine:
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


def look_at_pictures(
    project: ProjectPaths,
    settings: Settings,
    tier: Tier = "full",
    progress: Progress = lambda _done, _total, _bytes: None,
) -> InspectedTree:
    """Returns what the picture files of a project are; what is known of them is kept for the next look."""
    image_dir, reg_dir = settings.path("train_data_dir"), settings.path("reg_data_dir")
    if image_dir.is_dir():
        with contextlib.suppress(OSError):  # a project that cannot be written to is looked at all the same
            make_hidden_dir(project)
    return inspect_tree(image_dir, reg_dir, tier=tier, cache_path=project.inspections_path, progress=progress)


def _looked_at(
    project: ProjectPaths, settings: Settings, dataset: Dataset, tier: Tier, progress: Progress
) -> tuple[Problem, ...]:
    """Returns what is wrong with pictures and captions."""
    settings_of = settings_of_folders(dataset, settings)
    captions = read_captions(dataset, lambda concept: settings_of[concept.folder])
    tree = look_at_pictures(project, settings, tier, progress)
    found = [*dataset_file_problems(project, settings, tree), *caption_problems(project, settings, captions)]
    codes = {problem.code for problem in found}
    if codes >= _POINTERS:  # one cause, and one command mends it
        found = [problem for problem in found if problem.code not in _POINTERS]
        pictures = [picture.file_path for picture in tree.pictures if is_pointer(picture)]
        found += lfs_problems(project, [*pictures, *pointers_among(captions)])
    if not any(problem.severity == "error" for problem in found):
        found += unread_problems(project, dataset)
    return tuple(found)
