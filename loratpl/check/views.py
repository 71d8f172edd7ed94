"""What the plan shows of the pictures: how much of each is trained, and how often each is seen."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.balance.named import config_keys
from loratpl.config.settings import Settings
from loratpl.errors import Problem
from loratpl.plan.planner import PlannedView, TrainingPlan
from loratpl.project import ProjectPaths

# A bucket of the nearest shape keeps nine tenths of most pictures; who loses a third was meant to be cropped by hand.
LEAST_KEPT = 0.67
# Twice as large is soft already; beyond it the LoRA learns the blur.
MOST_UPSCALED = 2.0
# Up to this much more often than another concept is what repeats in whole numbers can bring.
MOST_IMBALANCE = 2.0


def view_problems(project: ProjectPaths, settings: Settings, plan: TrainingPlan) -> Iterator[Problem]:
    """Yields what is wrong with how the pictures would be seen; all of it warnings."""
    for dataset in plan.datasets:
        for view in dataset.views():
            if view.picture.is_readable:
                yield from _placement_problems(project, view)
    yield from _imbalance_problems(settings, plan)
    yield from _unused_problems(project, settings, plan)


def _placement_problems(project: ProjectPaths, view: PlannedView) -> Iterator[Problem]:
    size, placed = view.picture.trained_px, view.placement
    where = project.relative(view.picture.path)
    bucket = f"{placed.bucket[0]}x{placed.bucket[1]}"
    if placed.kept < LEAST_KEPT:
        yield Problem(
            "dataset.image.cropped",
            f"{where} is {size[0]}x{size[1]}: {1 - placed.kept:.0%} of it is cut away to fit the bucket {bucket}.",
            where,
            "Crop the picture to what matters, or take it out.",
            "warning",
        )
    scale = placed.scale_of(size)
    if scale > MOST_UPSCALED:
        yield Problem(
            "dataset.image.small",
            f"{where} is {size[0]}x{size[1]} and is enlarged {scale:.1f} times to fill the bucket {bucket}.",
            where,
            "Find a larger original, take the picture out, or train at a lower `resolution`.",
            "warning",
        )


def _imbalance_problems(settings: Settings, plan: TrainingPlan) -> Iterator[Problem]:
    training = plan.dataset.training
    keys = config_keys(training, settings.block.concepts)
    views = {}
    for concept, planned in zip(plan.dataset.concepts, plan.concepts, strict=True):
        if not concept.is_reg:
            weights = [settings.block.concepts[key].weight for key in keys[concept.folder]]
            views[concept.folder.name] = planned.views / (weights[0] if weights else 1.0)
    most, least = max(views, key=views.__getitem__), min(views, key=views.__getitem__)
    if views[most] > MOST_IMBALANCE * views[least]:
        times = f"{views[most] / views[least]:.1f} times as often as" if views[least] else "in every epoch, and never"
        yield Problem(
            "dataset.imbalance",
            f"{most} is seen {times} {least}: it would be learnt at the cost of the other concepts.",
            most,
            "`kohyatpl balance` evens the repeats out; a `weight` in the config says that it is meant to be so.",
            "warning",
        )


def _unused_problems(project: ProjectPaths, settings: Settings, plan: TrainingPlan) -> Iterator[Problem]:
    there = sum(concept.images for concept in plan.concepts if concept.is_reg)
    used = {view.picture.path for one in plan.datasets for view in one.views() if view.concept.is_reg}
    if len(used) < there:
        unused = there - len(used)
        where = project.relative(settings.path("reg_data_dir"))
        yield Problem(
            "dataset.reg.unused",
            f"{unused:,} of {there:,} regularisation images are never used: the trainer stops taking them when it has "
            f"as many views as of the training images, {plan.train_images:,}.",
            where,
            "This may stay as it is; with fewer of them, or more repeats of the concepts, all are used.",
            "warning",
        )
