"""The files of models that a config names: each must be there, in a form that the trainer's script can load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.config.family import FOUND_FROM_TENSORS, MODEL_KEY
from loratpl.config.paths import exists, is_hub_id
from loratpl.errors import Problem
from loratpl.weights import base_model_family

if TYPE_CHECKING:
    from loratpl.config.families import Companion
    from loratpl.config.settings import Settings


def model_problems(settings: Settings) -> Iterator[Problem]:
    """Yields what is wrong with the base model and with the models that its family needs beside it."""
    yield from _base_model_problems(settings)
    for companion in settings.family.companions:
        yield from _companion_problems(settings, companion)
    vae = settings["vae"]
    needs_vae = any(companion.option == "vae" for companion in settings.family.companions)
    if vae is not None and not needs_vae and not is_hub_id(vae) and not exists(Path(vae)):
        yield Problem("config.vae.missing", f"The VAE {vae} does not exist.", settings.where("vae"), "Correct `vae`.")


def _base_model_problems(settings: Settings) -> Iterator[Problem]:
    family, model, where = settings.family, settings[MODEL_KEY], settings.where(MODEL_KEY)
    others = [
        *(["a Diffusers folder"] if family.takes_folder else []),
        *(["an owner/name of the Hugging Face hub"] if family.takes_hub_id else []),
    ]
    if model is None:
        also = f"; {' or '.join(others)} will do as well" if others else ""
        yield Problem(
            "config.model.missing",
            "The config names no base model.",
            MODEL_KEY,
            f'Set `"{MODEL_KEY}": "/path/to/model.safetensors"` in the config{also}.',
        )
    elif _is_there(model):
        if Path(model).is_dir() and not family.takes_folder:
            yield _wrong_form(f"The base model {model} is a folder", family.name, where)
        elif not settings.family_source.startswith(FOUND_FROM_TENSORS):
            yield from _other_family_problems(Path(model), family.name, where)
    elif not is_hub_id(model):
        yield Problem(
            "config.model.missing",
            f"The base model {model} does not exist.",
            where,
            f"Correct `{MODEL_KEY}` in the config.",
        )
    elif not family.takes_hub_id:
        yield _wrong_form(f"The base model {model} is no file here", family.name, where)


def _other_family_problems(model: Path, family: str, where: str) -> Iterator[Problem]:
    told = base_model_family(model)
    if told not in (None, family):
        yield Problem(
            "config.model.family",
            f"The base model {model} is of the family {told}, by its own tensors; the config's family is {family}.",
            where,
            f'Set `"family": "{told}"`, or name a model of the family {family}.',
        )


def _companion_problems(settings: Settings, companion: Companion) -> Iterator[Problem]:
    path, where, name = settings[companion.option], settings.where(companion.option), settings.family.name
    if path is None:
        yield Problem(
            "config.model.missing",
            f"The config names no {companion.title}; models of the family {name} are not trained without.",
            companion.option,
            f'Set `"{companion.option}": "/path/to/{companion.option}.safetensors"` in the config.',
        )
    elif not _is_there(path):
        message = f"The {companion.title} {path} does not exist."
        yield Problem("config.model.missing", message, where, f"Correct `{companion.option}` in the config.")
    elif Path(path).is_dir() and not companion.takes_folder:
        yield _wrong_form(f"The {companion.title} {path} is a folder", name, where)


def _is_there(path: str) -> bool:
    """Whether there is such a file or folder; what is no path of this machine was left relative."""
    return Path(path).is_absolute() and exists(Path(path))


def _wrong_form(what: str, family: str, where: str) -> Problem:
    return Problem(
        "config.model.form",
        f"{what}; for the family {family} the trainer loads it from a single file only.",
        where,
        "Name the .safetensors file itself.",
    )
