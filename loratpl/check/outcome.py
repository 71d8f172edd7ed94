"""What only the finished plan can tell: whether the run is long enough for its settings, and what it would replace."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.check.files import resumed_step
from loratpl.check.latent_caches import cache_content_problems
from loratpl.check.optimizer import is_schedule_free
from loratpl.check.views import view_problems
from loratpl.config.settings import Settings
from loratpl.errors import Problem
from loratpl.plan.outputs import planned_files
from loratpl.plan.planner import TrainingPlan
from loratpl.project import ProjectPaths

OUTPUT_EXISTS = "project.output.exists"


def outcome_problems(project: ProjectPaths, settings: Settings, plan: TrainingPlan) -> Iterator[Problem]:
    """Yields what is wrong with a run of this length."""
    yield from _warm_up_problems(settings, plan)
    yield from _start_problems(settings, plan)
    yield from _output_problems(project, settings, plan)
    yield from cache_content_problems(project, settings, plan)
    yield from view_problems(project, settings, plan)


def _warm_up_problems(settings: Settings, plan: TrainingPlan) -> Iterator[Problem]:
    steps = settings["lr_warmup_steps"]
    if not isinstance(steps, int) or is_schedule_free(settings):
        return
    # accelerate moves the scheduler on once for each process.
    whole = plan.total_steps * plan.processes
    if steps > whole:
        length = "max_train_steps" if settings["max_train_epochs"] is None else "max_train_epochs"
        yield Problem(
            "config.steps",
            f"lr_warmup_steps is {steps}, but the whole training has {whole} steps: the learning rate would never be "
            "reached.",
            settings.where("lr_warmup_steps"),
            f"Write a share, `0.1` for a tenth, or train longer with `{length}`"
            f"{'' if length == 'max_train_steps' else ' or `max_train_steps`'}.",
        )


def _start_problems(settings: Settings, plan: TrainingPlan) -> Iterator[Problem]:
    start = resumed_step(settings)
    if start >= plan.total_steps > 0:
        option = "initial_step" if settings["initial_step"] is not None else "resume"
        length = "max_train_steps" if settings["max_train_epochs"] is None else "max_train_epochs"
        yield Problem(
            "config.steps",
            f"{option} goes on from step {start}, and the training has {plan.total_steps} steps (max_train_steps or "
            "max_train_epochs): nothing is left to do, and the trainer ends on it.",
            settings.where(option),
            f"Raise `{length}`, or take `{option}` out.",
        )


def _output_problems(project: ProjectPaths, settings: Settings, plan: TrainingPlan) -> Iterator[Problem]:
    existing = [file.path for file in planned_files(settings, plan) if file.path.exists()]
    if existing:
        name = project.relative(existing[0])
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        yield Problem(
            OUTPUT_EXISTS,
            f"{name}{more} would be written over: an earlier LoRA of the same name is there.",
            name,
            "Give this training another name, `--set output_name=NAME`, or move the earlier files away.",
        )
