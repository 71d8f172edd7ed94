"""From a folder to everything that a render or a run starts from: config, dataset, problems, plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loratpl.check.outcome import OUTPUT_EXISTS
from loratpl.config.settings import Settings
from loratpl.dataset.inspect import Progress
from loratpl.errors import Problem, raise_errors
from loratpl.plan.planner import TrainingPlan
from loratpl.project import ProjectPaths
from loratpl.render.judging import Depth, Judged, judge
from loratpl.render.loading import config_path_of, load_settings, looks_like_config

__all__ = [
    "Depth", "Judged", "Prepared", "config_path_of", "judge", "load_settings", "looks_like_config", "prepare",
    "prepared_from",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project that can be trained: no error was found."""

    project: ProjectPaths
    settings: Settings
    plan: TrainingPlan
    warnings: tuple[Problem, ...]


def prepare(
    project: ProjectPaths,
    config_path: Path | None = None,
    overrides: Sequence[tuple[str, Any]] = (),
    *,
    depth: Depth = Depth.FULL,
    progress: Progress = lambda _done, _total, _bytes: None,
) -> Prepared:
    """Returns the project's settings and plan; the arguments are those of `judge`.

    Raises:
        KohyatplError: With every problem of config, dataset and machine at once.
    """
    return prepared_from(project, judge(project, config_path, overrides, depth=depth, progress=progress))


def prepared_from(project: ProjectPaths, judged: Judged) -> Prepared:
    """Returns what was judged as something to be trained; raises its problems where there are errors."""
    # A run refuses to write over an earlier LoRA by itself, and may be told to.
    problems = tuple(replace(p, severity="warning") if p.code == OUTPUT_EXISTS else p for p in judged.problems)
    raise_errors(problems)
    if judged.plan is None:
        raise RuntimeError("a project without errors has a plan")
    return Prepared(project, judged.settings, judged.plan, problems)
