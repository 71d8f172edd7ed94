"""The files that come with the package are found, from a checkout here; the wheel has a test of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loratpl import resources


@pytest.mark.parametrize(
    "path",
    [
        resources.TEMPLATES_DIR / "projects" / "project",
        resources.SD_SCRIPTS_DIR / "pin.json",
        resources.SD_SCRIPTS_DIR / "options.json",
        resources.SD_SCRIPTS_DIR / "environment.txt",
        resources.INSIDE_DIR / "entry.py",
        resources.INSIDE_DIR / "parsers.py",
        resources.INSIDE_DIR / "judge.py",
    ],
    ids=lambda path: path.name,
)
def test_what_comes_with_the_package_is_found(path: Path) -> None:
    assert path.is_absolute()
    assert path.exists()


def test_the_vendored_files_are_of_one_commit_of_the_trainer() -> None:
    pin, options = (
        json.loads((resources.SD_SCRIPTS_DIR / name).read_text(encoding="utf-8"))
        for name in ("pin.json", "options.json")
    )
    assert pin["commit"] == options["commit"]


def test_no_source_of_the_trainer_is_vendored() -> None:
    assert [path.name for path in resources.SD_SCRIPTS_DIR.rglob("*.py")] == []
