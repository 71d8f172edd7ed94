"""Environment variables that change a training behind the config's back: which GPUs it sees, and more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loratpl.config.settings import Settings
from loratpl.errors import Problem

GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"
_ACCUMULATION = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS"
# What starts several processes says so with these; accelerate then waits for the others (accelerate 1.6, state.py).
_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


def visible_gpus(count: int, value: str | None) -> int:
    """Returns how many of `count` GPUs a value of CUDA_VISIBLE_DEVICES leaves.

    The list ends at the first entry that names no GPU; one that names a GPU twice leaves none (`torch.cuda`).

    >>> [visible_gpus(2, value) for value in (None, "", "-1", "0", "1,0", "0,7", "GPU-8932f937", "7", "0,0")]
    [2, 0, 0, 1, 2, 1, 1, 0, 0]
    """
    if value is None:
        return count
    seen: list[str] = []
    for entry in (part.strip() for part in value.split(",")):
        if not ((entry.isdecimal() and int(entry) < count) or entry.startswith(("GPU-", "MIG-"))):
            break
        seen.append(entry)
    return len(seen) if len(set(seen)) == len(seen) else 0


def hidden_by(count: int | None, env: Mapping[str, str]) -> str:
    """Returns why none of the GPUs is seen, as a message goes on, "" where one is or where there is none."""
    value = env.get(GPU_VARIABLE)
    if not count or visible_gpus(count, value) > 0:
        return ""
    return f"{GPU_VARIABLE} is {value!r}, which hides {'the GPU' if count == 1 else f'all {count} GPUs'} from it"


def variable_problems(settings: Settings, gpu_count: int | None, env: Mapping[str, str]) -> Iterator[Problem]:
    """Yields what the environment variables of a training would make of it.

    Args:
        settings: The run's.
        gpu_count: How many GPUs there are, whether they are hidden or not; None where it cannot be told.
        env: What the trainer will get: ours without what misleads it, and the config's.
    """
    hidden = hidden_by(gpu_count, env)
    if hidden:
        yield Problem(
            "machine.gpus.hidden",
            f"The training would run on the CPU: {hidden}.",
            where_of(settings, GPU_VARIABLE),
            f"Take {GPU_VARIABLE} away, or set it to 0.",
            "warning",
        )
    accumulation = env.get(_ACCUMULATION)
    if accumulation is not None and accumulation != str(settings["gradient_accumulation_steps"]):
        yield Problem(
            "machine.variable",
            f"{_ACCUMULATION} is {accumulation}: it wins over gradient_accumulation_steps "
            f"({settings['gradient_accumulation_steps']}), and the training would not be the one that is planned.",
            where_of(settings, _ACCUMULATION),
            f"Take it out, and set `gradient_accumulation_steps` to {accumulation} if that is what you want.",
        )
    if settings.block.launch.processes == 1:
        yield from _rank_problems(settings, env)
    if env.get("PYTHONOPTIMIZE") not in (None, "", "0"):
        yield Problem(
            "machine.variable",
            "PYTHONOPTIMIZE is set: the trainer's own checks are assertions, which it switches off, and its packages "
            "have no byte code for it.",
            where_of(settings, "PYTHONOPTIMIZE"),
            "Take it away.",
            "warning",
        )


def _rank_problems(settings: Settings, env: Mapping[str, str]) -> Iterator[Problem]:
    names = [name for name in ("LOCAL_RANK",) if env.get(name, "-1") != "-1"]
    names += [name for name in _SIZES if env.get(name, "").isdecimal() and int(env[name]) > 1]
    if names:
        yield Problem(
            "machine.variable",
            f"{names[0]} is {env[names[0]]}: the trainer would take itself for one of several processes, and end "
            "on it or wait for the others.",
            where_of(settings, names[0]),
            f"Start kohyatpl outside torchrun and mpirun, or take {names[0]} away; several processes are "
            "`kohyatpl.launch.processes`.",
        )


def where_of(settings: Settings, variable: str) -> str:
    """Returns where a variable of the training was set: in the config, or outside of it."""
    return f"kohyatpl.env.{variable}" if variable in settings.block.env else variable
