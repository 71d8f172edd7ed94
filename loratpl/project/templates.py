"""The project templates: folders of templates/projects that `new` lays out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.project.paths import CONFIG_NAME
from loratpl.resources import TEMPLATES_DIR

DEFAULT_TEMPLATE = "project"
_PROJECTS_DIR = TEMPLATES_DIR / "projects"


@dataclass(frozen=True, slots=True)
class ProjectTemplate:
    """What a new project starts with.

    Attributes:
        name: As in `new --template`.
        folder: Its files.
        config_name: What the project's config is called: as the one JSON file at its root, where it has one.
        settings: What that file holds; None where the config is made of our own defaults.
    """

    name: str
    folder: Path
    config_name: str
    settings: Mapping[str, Any] | None

    def files(self) -> Iterator[Path]:
        """Yields all its files but the config, as paths relative to it, sorted."""
        for path in sorted(self.folder.rglob("*")):
            relative = path.relative_to(self.folder)
            if path.is_file() and relative != Path(self.config_name):
                yield relative


def template_names() -> tuple[str, ...]:
    """Returns what `new --template` can lay out."""
    return tuple(sorted(folder.name for folder in _PROJECTS_DIR.iterdir() if folder.is_dir()))


def read_template(name: str) -> ProjectTemplate:
    """Returns the template of that name, which is one of `template_names`."""
    folder = _PROJECTS_DIR / name
    configs = list(folder.glob("*.json"))
    if not configs:
        return ProjectTemplate(name, folder, CONFIG_NAME, None)
    (config,) = configs
    return ProjectTemplate(name, folder, config.name, json.loads(config.read_text(encoding="utf-8")))
