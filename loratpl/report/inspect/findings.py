"""What is wrong with an adapter whose file is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.errors import Problem
from loratpl.report.inspect.adapters import INCOMPLETE, Module
from loratpl.report.inspect.hashing import HashCheck

if TYPE_CHECKING:
    from loratpl.report.inspect.values import Values

_SHOWN = 3


def module_problems(path: Path, modules: Iterable[Module]) -> Iterator[Problem]:
    """Yields modules that are not whole, and alphas that are no numbers."""
    incomplete = [module.name for module in modules if module.method == INCOMPLETE]
    if incomplete:
        yield Problem(
            "project.weights.modules",
            f"{path} has {len(incomplete):,} modules of which a part is missing: {_named(incomplete)}.",
            str(path),
            "Get the file again, or the one that it was converted from: programs leave such modules out, or refuse it.",
        )
    broken = [module.name for module in modules if module.has_broken_alpha]
    if broken:
        yield _not_finite(path, f"{len(broken):,} alphas", broken)


def hash_problems(path: Path, hashed: HashCheck) -> Iterator[Problem]:
    """Yields that the tensors are not those that the trainer hashed."""
    if hashed.state == "different":
        yield Problem(
            "project.weights.hash",
            f"{path} has other tensors than those that its trainer hashed: it was converted, resized, merged or edited "
            "since, or it is damaged.",
            str(path),
            "Get it again from where it was trained, if you did not change it yourself.",
            "warning",
        )


def value_problems(path: Path, values: Values, modules: tuple[Module, ...]) -> Iterator[Problem]:
    """Yields tensors that hold NaN or infinities, and modules that change nothing where they should."""
    settings = {name for module in modules for name in module.tensors.get("alpha", ())}
    names = [name for name, _ in values.non_finite if name not in settings]
    if names:
        yield _not_finite(path, f"{len(names):,} tensors", names)
    if values.dead and len(values.dead) == len(modules):
        yield Problem(
            "project.weights.untrained",
            f"{path} changes nothing: what each of its {len(modules):,} modules adds is zero.",
            str(path),
            "It was saved before its first step, or trained with a learning rate of 0; use another file.",
            "warning",
        )
        return
    unusual = [name for name in values.dead if name not in usually_dead(modules, values.dead)]
    if unusual:
        yield Problem(
            "project.weights.dead",
            f"{path} has {len(unusual):,} modules of {len(modules):,} that change nothing: {_named(unusual)}.",
            str(path),
            "Look at the learning rate of that part of the model, if you meant to train it.",
            "warning",
        )


def usually_dead(modules: Iterable[Module], dead: Iterable[str]) -> frozenset[str]:
    """Returns the modules of a text encoder's last layers, if none of these changes anything.

    With `clip_skip`, and in models that take an earlier layer's output, no gradient reaches them.
    """
    names = set(dead)
    by_part: dict[str, dict[int, list[str]]] = {}
    for module in modules:
        if module.place.part != "unet" and module.place.number is not None:
            by_part.setdefault(module.place.part, {}).setdefault(module.place.number, []).append(module.name)
    found: set[str] = set()
    for layers in by_part.values():
        last: list[str] = []
        for number in sorted(layers, reverse=True):
            if not names.issuperset(layers[number]):
                found.update(last)  # a part of which nothing was trained is not usual
                break
            last += layers[number]
    return frozenset(found)


def _not_finite(path: Path, what: str, names: Iterable[str]) -> Problem:
    return Problem(
        "project.weights.nan",
        f"{path} has NaN or infinite values in {what}: {_named(names)}. Pictures come out black or not at all.",
        str(path),
        "Use a checkpoint from before; train again with a lower learning rate, or with mixed_precision bf16 or no.",
    )


def _named(names: Iterable[str]) -> str:
    listed = [ascii(name)[1:-1][:100] for name in names]
    more = f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
