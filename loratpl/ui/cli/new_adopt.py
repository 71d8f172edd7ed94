"""`kohyatpl new --adopt`: a tree that is there becomes a project, and nothing in it is moved."""

from __future__ import annotations

import contextlib
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.ui.cli.new_report import NOTHING_TAKEN, counted, missing_models
from loratpl.ui.cli.parameters import quoted
from loratpl.ui.result import CommandResult


def adopt_tree(path: Path, *, family: str, model: str, preset: str | None) -> CommandResult:
    """Returns what became of a tree: a config that points to its folders was written into it."""
    from loratpl.config.schema import write_schema
    from loratpl.config.starter import starter_config, with_schema
    from loratpl.dataset.intake.adopt import caption_problems, recognise
    from loratpl.project import adopt_project, find_configs, open_project
    from loratpl.render.prepare import looks_like_config
    from loratpl.ui.cli.recovery import settle

    project = open_project(path)
    recovered = settle(project)
    configs = find_configs(project, looks_like_config)
    if configs:
        names = ", ".join(config.name for config in configs)
        raise ProjectError(
            Problem(
                "project.exists",
                f"{project.root_dir} has a config already: {names}. It is a project as it is.",
                str(configs[0]),
                f"Look at it with `kohyatpl check {quoted(path)}`.",
            )
        )
    tree = recognise(project.root_dir)
    starter = starter_config(
        family=family, model=model, output_name=project.root_dir.name, folders=tree.options, preset=preset
    )
    config = with_schema(starter | {"caption_extension": tree.caption_extension})
    adopt_project(project.root_dir, config=config, folders=(tree.log, tree.output))
    with contextlib.suppress(OSError):  # without it editors complete nothing, and that is all
        write_schema(project.schema_path)
    data = {
        "project": str(project.root_dir),
        "config": str(project.config_path),
        "concepts": list(tree.concepts),
        **NOTHING_TAKEN,
    }
    train = "the folder itself" if tree.train == "." else f"{tree.train}/"
    lines = (
        f"{project.root_dir} is a project now; nothing in it was moved.",
        f"  concepts: {counted(len(tree.concepts), 'folder')} in {train}",
        f"  regularisation images: {f'{tree.reg}/' if tree.reg else 'none'}",
        f"  logs go into {tree.log}/, LoRAs into {tree.output}/",
        f"  settings are in {project.config_path.name}",
        f"  then: kohyatpl check {quoted(path)}",
    )
    return CommandResult(
        "new",
        data,
        lines,
        (*recovered, *caption_problems(tree), *missing_models(project.config_path.name, family, model)),
    )
