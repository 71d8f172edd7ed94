"""A project of a preset, as `new` lays it out, with stand-ins for the files of models that its family needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loratpl.config.families import FAMILIES
from loratpl.config.presets import read_preset
from loratpl.config.starter import starter_config
from loratpl.project import ProjectPaths, create_project
from tests.stand_in import write_picture, write_safetensors


def make_preset_project(root_dir: Path, preset: str, **changes: Any) -> ProjectPaths:
    """Returns a project with one concept of two pictures, its config from the starter of this preset."""
    family = FAMILIES[read_preset(preset).family]
    models = root_dir.parent / "models"
    models.mkdir(parents=True, exist_ok=True)
    options = {"pretrained_model_name_or_path": "model", **{one.option: one.option for one in family.companions}}
    paths = {option: models / f"{name}.safetensors" for option, name in options.items()}
    for path in paths.values():
        write_safetensors(path, {"a": [1.0]})
    config = starter_config(family=family.name, model="", output_name="cats", preset=preset)
    config |= {option: str(path) for option, path in paths.items()} | changes
    project = create_project(root_dir, config=config, concepts=("ohwx cat",))
    for number in (1, 2):
        write_picture(project.image_dir / "1_ohwx cat" / f"{number}.png", number, (512, 512))
    return project
