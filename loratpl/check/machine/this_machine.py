"""The machine that a training is judged for: its facts, read once, and every rule that judges by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loratpl import process
from loratpl.check.machine.cuda import cuda_problems, driver_version, has_compatibility_libraries
from loratpl.check.machine.environment_health import environment_problems
from loratpl.check.machine.gpus import machine_problems
from loratpl.check.machine.hub_files import hub_problems
from loratpl.check.machine.machine_memory import MachineMemory, read_memory
from loratpl.check.machine.memory import memory_problems
from loratpl.check.machine.packages import package_build_problems, package_problems
from loratpl.check.machine.trainer_environment import TorchBuild, TrainerEnvironment, normal_name, read_environment
from loratpl.check.machine.variables import GPU_VARIABLE, hidden_by, variable_problems, visible_gpus
from loratpl.config.machine import Gpu
from loratpl.config.settings import Settings
from loratpl.errors import Problem

if TYPE_CHECKING:
    from loratpl.trainer.status import TrainerStatus


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What the rules judge by.

    Attributes:
        gpu_count: Of the machine that is judged for; None where it cannot be told.
        gpus: What its driver says of them.
        packages: What the trainer's environment has; None where that is not known.
        trainer: The installed one, None where another machine is judged for: nothing of this one is said then.
        environment: Its environment as it lies on the disk, None where there is none.
        torch: Its PyTorch, None where it has none.
        driver: The version of the GPU's driver, None where nobody tells it.
        memory: What is free.
        env: The environment variables that a training will have.
    """

    gpu_count: int | None
    gpus: Sequence[Gpu] = ()
    packages: Collection[str] | None = None
    trainer: TrainerStatus | None = None
    environment: TrainerEnvironment | None = None
    torch: TorchBuild | None = None
    driver: str | None = None
    memory: MachineMemory = field(default_factory=MachineMemory)
    env: Mapping[str, str] = field(default_factory=dict)


def read_facts(
    settings: Settings,
    trainer: TrainerStatus,
    gpu_count: int | None,
    gpus: Sequence[Gpu],
    packages: Collection[str] | None,
) -> MachineFacts:
    """Returns the facts of this machine; no process is started, but for a driver that no file tells of."""
    environment = read_environment(trainer.paths) if trainer.marker is not None else None
    torch = environment.torch() if environment else None
    return MachineFacts(
        gpu_count=gpu_count,
        gpus=gpus,
        packages=packages,
        trainer=trainer,
        environment=environment,
        torch=torch,
        driver=driver_version() if gpus and torch else None,
        memory=read_memory(),
        env=process.child_environment(settings.block.env),
    )


def facts_of_another(gpu_count: int | None, packages: Collection[str] | None) -> MachineFacts:
    """Returns all that is known of a machine that is not this one."""
    return MachineFacts(gpu_count, packages=packages)


def this_machine_problems(settings: Settings, facts: MachineFacts, *, cached_bytes: int = 0) -> Iterator[Problem]:
    """Yields everything that a machine does not have, or has wrong, for a training.

    Args:
        settings: The run's.
        facts: Of the machine.
        cached_bytes: What is kept in memory of latents and text encoders' outputs for the whole training.
    """
    yield from package_problems(settings, facts.packages)
    if facts.trainer is None:
        yield from machine_problems(settings, facts.gpu_count, facts.gpus)
        return
    if facts.trainer.marker is not None:
        yield from environment_problems(facts.trainer.paths, facts.trainer.marker, facts.env)
    if facts.environment is not None:
        yield from package_build_problems(settings, facts.environment)
    yield from variable_problems(settings, facts.gpu_count, facts.env)
    unseen = _unseen(facts)
    count = _seen_count(facts, unseen)
    yield from machine_problems(settings, count, facts.gpus, unseen=unseen)
    may_be_compatible = has_compatibility_libraries(facts.env)
    yield from cuda_problems(facts.torch, facts.gpus, facts.driver, may_be_compatible=may_be_compatible)
    seen = facts.gpus if count else ()
    if count is not None:
        yield from memory_problems(settings, facts.memory, seen, cached_bytes=cached_bytes)
    packages = None if facts.packages is None else {normal_name(name) for name in facts.packages}
    yield from hub_problems(settings, facts.env, packages)


def _unseen(facts: MachineFacts) -> str:
    """Returns why PyTorch would see none of the GPUs there are, "" where it sees one or there is none."""
    if facts.gpus and facts.torch is not None and facts.torch.cuda is None and facts.torch.hip is None:
        return f"the trainer's PyTorch {facts.torch.version} is a build for CPUs"
    return hidden_by(facts.gpu_count, facts.env)


def _seen_count(facts: MachineFacts, unseen: str) -> int | None:
    if facts.gpu_count is None:
        return None
    return 0 if unseen else visible_gpus(facts.gpu_count, facts.env.get(GPU_VARIABLE))
