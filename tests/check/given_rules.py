"""Settings for a rule to judge: of any family, with whatever is wrong in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loratpl.config.settings import Settings
from loratpl.errors import Problem
from tests.given import resolved


def settings_for(folder: Path, family: str = "sd15", /, **options: Any) -> Settings:
    """Returns the settings of a config of this family; what it lacks, such as further models, is no matter here."""
    return resolved(folder, {"family": family, "mixed_precision": "no", **options})[0]


def codes(problems: Iterable[Problem]) -> list[tuple[str, str]]:
    """Returns severity and code of each problem."""
    return [(problem.severity, problem.code) for problem in problems]


def text_of(problem: Problem) -> str:
    """Returns all that a problem says."""
    return f"{problem.message}\n{problem.where}\n{problem.fix}"
