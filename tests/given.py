"""What several tests start from: a config that is resolved, and the one way to look at a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from loratpl.config.reading import read_config
from loratpl.config.settings import Settings, resolve
from loratpl.errors import KohyatplError, Problem
from tests.stand_in import write_safetensors

MODEL = "model.safetensors"
T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def write_config(folder: Path, values: dict[str, Any], name: str = "config.json") -> Path:
    """Returns a config of these values in `folder`, one key a line; the base model lies beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / MODEL, {"a": [1.0]})
    path = folder / name
    text = json.dumps({"pretrained_model_name_or_path": MODEL, **values}, indent=1, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


def resolved(
    folder: Path, values: dict[str, Any] | None = None, overrides: Sequence[tuple[str, Any]] = ()
) -> tuple[Settings, tuple[Problem, ...]]:
    """Returns settings and problems of a config of these values, and a base model that exists."""
    raw = read_config(write_config(folder, values or {}))
    return resolve(raw, project_name="cats", overrides=overrides)


def settings_of(folder: Path, values: dict[str, Any] | None = None) -> Settings:
    """Returns the settings of a config that nothing is wrong with."""
    settings, problems = resolved(folder, values)
    assert problems == ()
    return settings


def only(problems: Iterable[Problem]) -> Problem:
    """Returns the one problem that there is."""
    (problem,) = problems
    return problem


def refusal(error: KohyatplError, kind: type[KohyatplError], code: str, *named: str) -> Problem:
    """Returns the one problem of an error that is of this kind and code, and names all of these texts."""
    problem = only(error.problems)
    assert type(error) is kind
    assert problem.code == code
    for text in named:
        assert text in f"{problem.message}\n{problem.where}\n{problem.fix}"
    return problem


def outcome(kind: type[E], work: Callable[[], T]) -> tuple[T | None, E | None]:
    """Returns what some work gave, or the error of this kind that it ended in: for laws that allow both."""
    try:
        return work(), None
    except kind as error:
        return None, error
