"""Every rule there is, in the order in which its findings are shown."""

from __future__ import annotations

from loratpl.check.layout import layout_problems, reg_dir_problems
from loratpl.check.machine import machine_problems
from loratpl.config.settings import Settings
from loratpl.dataset.scan import Dataset
from loratpl.errors import Problem
from loratpl.project import ProjectPaths


def find_problems(
    project: ProjectPaths, settings: Settings, dataset: Dataset, gpu_count: int | None
) -> tuple[Problem, ...]:
    """Returns everything that is wrong with a dataset, and with what a config asks of a machine.

    Args:
        project: For naming places.
        settings: Resolved; what is wrong with the config itself is known already.
        dataset: What the trainer will find.
        gpu_count: Of the machine that is judged for; None where it cannot be told.
    """
    return (
        *layout_problems(project, dataset),
        *reg_dir_problems(project, settings),
        *machine_problems(settings, gpu_count),
    )
