"""Whether a LoRA loads onto a base model in another program than its trainer, and whether it does anything there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loratpl.errors import Problem
from loratpl.trainer.environment import run_inside
from loratpl.trainer.paths import TrainerPaths

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading one LoRA in Diffusers.

    Attributes:
        path: The LoRA.
        layers: Layers of the base model that have it beside them now.
        wanted: Layers that its tensors are for.
        unmatched: Those of them that the base model has not; the first fifty.
        max_difference: Of a render's latents with and without it.
        mean_difference: Likewise.
        mean_latent: Size of the latents without it, to compare with.
        notes: What Diffusers warned of.
        problems: Why it is not, or not wholly, in use.
    """

    path: Path
    layers: int = 0
    wanted: int = 0
    unmatched: tuple[str, ...] = ()
    max_difference: float = 0.0
    mean_difference: float = 0.0
    mean_latent: float = 0.0
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of loading LoRAs onto one base model.

    Attributes:
        loras: Each of them; none where the base model itself cannot be loaded.
        problems: Why it cannot.
    """

    loras: tuple[Loaded, ...] = ()
    problems: tuple[Problem, ...] = ()


def load_onto(paths: Sequence[Path], base: Path, trainer: TrainerPaths) -> Proof:
    """Returns what came of loading LoRAs onto a base model and rendering with each.

    Raises:
        TrainerError: The trainer's environment cannot be asked.
    """
    if why := _no_base(base):
        fix = "Name a folder in the layout of Diffusers, or a file of Stable Diffusion 1, 2 or XL."
        return Proof(problems=(Problem("project.weights.base", why, str(base), fix),))
    loras = [path.resolve() for path in paths]
    answer = run_inside(trainer, "load.py", "--model", base.resolve(), "--lora", *loras)
    if answer["failed"]:
        fix = "A single file needs that model's configs in the hub's cache; a folder must be whole."
        message = f"Diffusers cannot load the base model {base}: {answer['why']}"
        return Proof(problems=(Problem("project.weights.base", message, str(base), fix),))
    return Proof(tuple(_loaded(path, base, one) for path, one in zip(paths, answer["loras"], strict=True)))


def _no_base(base: Path) -> str | None:
    """Returns why a base model need not be tried, before minutes go into it."""
    if not base.exists():
        return f"There is no base model at {base}."
    if base.is_dir() and not (base / "model_index.json").is_file():
        return f"{base} is no pipeline of Diffusers: it has no model_index.json."
    return None


def _loaded(path: Path, base: Path, answer: Mapping[str, Any]) -> Loaded:
    if answer["failed"]:
        return Loaded(path, notes=tuple(answer["notes"]), problems=(_failure(path, base, answer["why"]),))
    loaded = Loaded(
        path,
        layers=answer["layers"],
        wanted=answer["wanted"],
        unmatched=tuple(answer["unmatched"]),
        max_difference=answer["max_difference"],
        mean_difference=answer["mean_difference"],
        mean_latent=answer["mean_latent"],
        notes=tuple(answer["notes"]),
    )
    return replace(loaded, problems=tuple(_problems(loaded, base, answer["unmatched_count"])))


def _failure(path: Path, base: Path, why: str) -> Problem:
    return Problem(
        "project.weights.load",
        f"Diffusers cannot load {path} onto {base}: {why}",
        str(path),
        "Look whether it is for this base model; Diffusers has no LyCORIS, nor every family that sd-scripts trains.",
    )


def _problems(loaded: Loaded, base: Path, unmatched: int) -> Iterator[Problem]:
    path = loaded.path
    if unmatched:
        named = ", ".join(loaded.unmatched[:_SHOWN])
        yield Problem(
            "project.weights.unmatched",
            f"{unmatched:,} of {loaded.wanted:,} layers that {path} is for are not in {base}: {named}"
            f"{f' and {unmatched - _SHOWN:,} more' if unmatched > _SHOWN else ''}.",
            str(path),
            "It was trained on another base model; load it onto that one.",
            "error" if unmatched == loaded.wanted else "warning",
        )
    if not loaded.max_difference:
        yield Problem(
            "project.weights.no_effect",
            f"{path} loads onto {base} and changes nothing: a render is the same with and without it.",
            str(path),
            "Look at it with `kohyatpl inspect --norms`: what it adds may be zero.",
        )
