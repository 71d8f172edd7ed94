"""A project with pictures that nothing is wrong with, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loratpl.check.dataset_files import dataset_file_problems
from loratpl.dataset.inspect import Tier, inspect_tree
from loratpl.errors import Problem
from loratpl.project import ProjectPaths
from tests.check.given_rules import settings_for
from tests.dataset.inspect.drawn import write

CAT, DOG, REG = "2_sks cat", "2_sks dog", "1_cat"


def clean_project(root_dir: Path) -> ProjectPaths:
    """Returns a project of two concepts and a class: four pictures with captions in each."""
    project = ProjectPaths(root_dir)
    for place, folder in enumerate((cat_dir(project), project.image_dir / DOG, project.reg_dir / REG)):
        for number in range(4):
            path = write(folder / f"{number}.{('png', 'jpg', 'webp', 'bmp')[number]}", 10 * place + number)
            path.with_suffix(".txt").write_text("a caption\n", encoding="utf-8")
    return project


def cat_dir(project: ProjectPaths) -> Path:
    """Returns the folder that tests spoil."""
    return project.image_dir / CAT


def problems_of(project: ProjectPaths, tier: Tier = "full", **options: Any) -> list[Problem]:
    """Returns what is said of the picture files, with settings of these options."""
    settings = settings_for(project.root_dir, caption_extension=".txt", **options)
    tree = inspect_tree(project.image_dir, project.reg_dir, tier=tier)
    return list(dataset_file_problems(project, settings, tree))
