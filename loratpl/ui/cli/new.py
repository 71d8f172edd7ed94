"""`kohyatpl new`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from loratpl.errors import Problem, UsageError
from loratpl.ui.result import CommandResult


def new(
    path: Annotated[Path, typer.Argument(help="Where the project shall be.")],
    template: Annotated[str, typer.Option(help="What is laid out.")] = "project",
    family: Annotated[str, typer.Option(help="The family of the base model.")] = "sd15",
    concept: Annotated[
        list[str] | None, typer.Option(metavar="'TRIGGER CLASS'", help="A concept to learn; repeat it for more.")
    ] = None,
    reg: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="A class of regularisation images; repeat it for more.")
    ] = None,
    model: Annotated[str, typer.Option(help="The base model: a file, a Diffusers folder, or owner/name.")] = "",
) -> CommandResult:
    """Lay out a project: folders for pictures, logs and LoRAs, and a config."""
    from loratpl.config.families import FAMILIES
    from loratpl.config.starter import starter_config
    from loratpl.project import create_project, template_names

    if family not in FAMILIES:
        raise _unknown("family", family, tuple(FAMILIES))
    if template not in template_names():
        raise _unknown("template", template, template_names())
    model_path = Path(model).expanduser()
    absolute_model = str(model_path.resolve()) if model and model_path.exists() else model
    config = starter_config(family=family, model=absolute_model, output_name=path.resolve().name)
    project = create_project(path, config=config, concepts=concept or (), reg_classes=reg or (), template=template)
    concept_names = sorted(folder.name for folder in project.image_dir.iterdir())
    missing = Problem(
        "config.model.missing",
        "The config names no base model yet.",
        "pretrained_model_name_or_path",
        f'Set `"pretrained_model_name_or_path"` in {project.config_path.name}.',
        "warning",
    )
    pictures = (
        f"{project.image_dir.name}/{concept_names[0]}" if concept_names else f"{project.image_dir.name}/10_ohwx cat"
    )
    return CommandResult(
        "new",
        {"project": str(project.root_dir), "config": str(project.config_path), "concepts": concept_names},
        (
            f"{project.root_dir} is laid out.",
            f"  pictures and captions go into {pictures}/",
            f"  settings are in {project.config_path.name}",
            f"  then: kohyatpl run {_quoted(path)}",
        ),
        () if model else (missing,),
    )


def _unknown(what: str, value: str, known: tuple[str, ...]) -> UsageError:
    fix = f"Choose one of: {', '.join(known)}."
    return UsageError(Problem(f"usage.{what}", f"There is no {what} {value!r}.", f"--{what}", fix))


def _quoted(path: Path) -> str:
    """The path as a shell takes it, never for an option."""
    text = str(path)
    text = f"./{text}" if text.startswith("-") else text
    if os.name == "nt":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)
