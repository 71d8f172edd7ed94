"""Every rule there is, in the order in which its findings are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from loratpl.check.caching import caching_problems
from loratpl.check.combinations import combination_problems
from loratpl.check.files import file_problems
from loratpl.check.latent_caches import cache_name_problems
from loratpl.check.layout import layout_problems, parent_problems
from loratpl.check.machine.this_machine import MachineFacts, this_machine_problems
from loratpl.check.machine.writable import cache_folder_problems
from loratpl.check.model_file import model_file_problems
from loratpl.check.network import network_problems
from loratpl.check.optimizer import optimizer_problems
from loratpl.check.pictures import picture_problems
from loratpl.check.ranges import range_problems
from loratpl.check.rates import rate_problems
from loratpl.check.scheduler import scheduler_problems
from loratpl.check.siblings import sibling_problems
from loratpl.check.target import target_problems
from loratpl.config.settings import Settings
from loratpl.dataset.scan import Dataset
from loratpl.errors import Problem
from loratpl.plan.datasets import trained_settings
from loratpl.project import ProjectPaths

# What needs nothing but the settings, and the files that they name.
_SETTINGS_RULES: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
    range_problems,
    combination_problems,
    caching_problems,
    sibling_problems,
    network_problems,
    optimizer_problems,
    scheduler_problems,
    rate_problems,
    target_problems,
    model_file_problems,
    file_problems,
)


def settings_problems(*trained: Settings) -> tuple[Problem, ...]:
    """Returns everything that is wrong with settings by themselves.

    Args:
        trained: Those that pictures are trained with: several where datasets or concepts have options of their own.
    """
    return tuple(dict.fromkeys(problem for rule in _SETTINGS_RULES for one in trained for problem in rule(one)))


def find_problems(
    project: ProjectPaths, settings: Settings, dataset: Dataset, facts: MachineFacts
) -> tuple[Problem, ...]:
    """Returns everything that is wrong with a dataset, a config, and with what a config asks of a machine.

    Args:
        project: For naming places.
        settings: Resolved; what is wrong with single values is known already.
        dataset: What the trainer will find.
        facts: Of the machine that is judged for.
    """
    return (
        *layout_problems(project, dataset),
        *parent_problems(project, settings),
        *settings_problems(*trained_settings(dataset, settings)),
        *picture_problems(settings, dataset),
        *cache_name_problems(project, dataset),
        *cache_folder_problems(settings, dataset.concepts),
        *this_machine_problems(settings, facts),
    )
