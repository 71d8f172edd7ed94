"""`kohyatpl config import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loratpl.config.gui.draft import Mapped
    from loratpl.config.settings import Settings
    from loratpl.errors import Problem
    from loratpl.render.renderer import RenderedRun


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A config of the kohya_ss GUI, another config, a LoRA.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where the new config goes; never over a file.", show_default="shown, not written"),
    ] = None,
) -> CommandResult:
    """Make a config of the GUI's, or of what a LoRA tells of itself."""
    if out is not None:
        _refuse_existing(out)
    output = context.obj
    result = (_of_lora if file.suffix.lower() == ".safetensors" else _of_config)(file, out)
    if out is None and not output.as_json:
        return _without_table(result, quiet=output.quiet)
    return result


def _of_config(file: Path, out: Path | None) -> CommandResult:
    from loratpl.config.importing import import_config
    from loratpl.config.reading import read_config

    imported = import_config(read_config(file), out)
    if out is not None:
        _write_new(out, _json(imported.values))
        if imported.prompts_path is not None:
            _write_new(imported.prompts_path, imported.prompts.rstrip("\n") + "\n")
    settings = imported.settings
    problems = (*imported.problems, *_package_problems(settings))
    data = {
        **_rendered(file, settings),
        "config": dict(imported.values),
        "mapping": _rows(imported.mapping),
        "out": None if out is None else str(out),
        "sample_prompts": None if imported.prompts_path is None else str(imported.prompts_path),
    }
    lines = [*_table(imported.mapping), "", *_written(out, imported.prompts_path)]
    return CommandResult("config import", data, lines, problems)


def _of_lora(file: Path, out: Path | None) -> CommandResult:
    from loratpl.config.lora_settings import settings_of_lora
    from loratpl.errors import ConfigError, Problem
    from loratpl.weights import WeightsFileError, read_weights_file

    try:
        found = settings_of_lora(read_weights_file(file))
    except (OSError, WeightsFileError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"{file} cannot be read as a LoRA: {reason}."
        raise ConfigError(Problem("config.lora.unreadable", message, str(file), "Name a whole LoRA.")) from error
    if out is not None:
        _write_new(out, _json(found.values))
    model = f" It was trained on {found.base_model}." if found.base_model else ""
    lost = ", ".join(found.lost)
    problems = (
        Problem(
            "config.lora.lost",
            f"{file.name} does not tell everything of its training: {lost}.",
            str(file),
            f"Set what differs from our defaults, the base model first.{model}",
            "warning",
        ),
    )
    data = {
        "family": found.values.get("family"),
        "script": None,
        "options": {name: value for name, value in found.values.items() if name != "family"},
        **_NOT_COMPUTED,
        "config": dict(found.values),
        "mapping": _rows(found.mapping),
        "lost": list(found.lost),
        "base_model": found.base_model or None,
        "folders": list(found.folders),
        "out": None if out is None else str(out),
    }
    folders = [f"Trained folders: {', '.join(found.folders)}"] if found.folders else []
    return CommandResult("config import", data, [*_table(found.mapping), "", *folders, *_written(out, None)], problems)


_WIDTH = 79  # columns of a table
# What depends on the pictures.
_NOT_COMPUTED: dict[str, Any] = {"dataset": None, "argv": None, "env": None}


def _rendered(file: Path, settings: Settings | None) -> dict[str, Any]:
    """Returns what `render` would make of the config, as far as it can be known where the file lies."""
    if settings is None:
        return {"family": None, "script": None, "options": {}, **_NOT_COMPUTED}
    run = _run_of(file)
    if run is not None:
        return run.as_json()
    options = {
        name: setting.value
        for name, setting in settings.options.items()
        if setting.value not in (None, False) and name not in ("train_data_dir", "reg_data_dir")
    }
    family = settings.family
    return {"family": family.name, "script": family.script, "options": options, **_NOT_COMPUTED}


def _run_of(file: Path) -> RenderedRun | None:
    """Returns the run that the config stands for, None where its pictures are not here or it has errors."""
    from loratpl.errors import KohyatplError
    from loratpl.project import RunPaths, open_project
    from loratpl.render.prepare import judge
    from loratpl.render.renderer import render
    from loratpl.trainer.paths import TrainerPaths
    from loratpl.trainer.pin import load_pin

    try:
        project = open_project(file.resolve().parent)
        judged = judge(project, file)
        if judged.plan is None:
            return None
        return render(judged.settings, judged.plan, TrainerPaths.of(load_pin()), RunPaths(project.render_dir.resolve()))
    except KohyatplError:
        return None


def _package_problems(settings: Settings | None) -> tuple[Problem, ...]:
    """LyCORIS networks come from a package that the trainer's environment has only where somebody installed it."""
    from loratpl.errors import KohyatplError, Problem
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status

    module = settings["network_module"] if settings is not None else None
    if settings is None or not isinstance(module, str) or not module.startswith("lycoris"):
        return ()
    try:
        marker = status(load_pin(), ask_interpreter=False).marker
    except KohyatplError:
        marker = None
    if marker is not None and any(name.lower().replace("_", "-") == "lycoris-lora" for name in marker.packages):
        return ()
    return (
        Problem(
            "config.gui.network",
            f"{settings.where('network_module')}: {module} is no part of the trainer.",
            settings.where("network_module"),
            "Install the package lycoris-lora into the trainer's environment, or choose `Standard`, `networks.lora`.",
            "warning",
        ),
    )


def _refuse_existing(out: Path) -> None:
    import os

    from loratpl.errors import Problem, UsageError

    if os.path.lexists(out):
        raise UsageError(
            Problem(
                "usage.out.exists",
                f"{out} is there already and is not written over.",
                "--out",
                "Name a new file with `--out`, or move that one away.",
            )
        )


def _write_new(path: Path, text: str) -> None:
    from loratpl.errors import Problem, ProjectError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _refuse_existing(path)
    except OSError as error:
        raise ProjectError(
            Problem(
                "project.write",
                f"{path} cannot be written: {error.strerror or error}.",
                str(path),
                "Name a file in a folder that is there and that you may write to.",
            )
        ) from error


def _json(values: Mapping[str, Any]) -> str:
    import json

    return json.dumps(dict(values), indent=2, ensure_ascii=False) + "\n"


def _rows(mapping: Sequence[Mapped]) -> list[dict[str, Any]]:
    return [{"key": row.key, "becomes": row.becomes, "value": row.value, "note": row.note} for row in mapping]


def _table(mapping: Sequence[Mapped]) -> list[str]:
    """Returns two lines at most for each key: what it became, and why where that is not plain."""
    import json
    import textwrap

    lines = []
    for row in mapping:
        value = "unset" if row.value is None else json.dumps(row.value, ensure_ascii=False)
        text = f"{row.key} → {row.becomes} = {value}" if row.becomes else f"{row.key} → left out"
        note = row.note.replace("`", "")
        if note and len(text) + len(note) + 2 <= _WIDTH:
            lines.append(f"{text}: {note}")
            continue
        lines.append(text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…")
        lines += textwrap.wrap(note, _WIDTH, initial_indent="    ", subsequent_indent="    ") if note else ()
    return lines


def _written(out: Path | None, prompts: Path | None) -> list[str]:
    written = [f"Written to {out}."] if out is not None else []
    return [*written, *([f"The prompts are in {prompts}."] if prompts is not None else [])]


def _without_table(result: CommandResult, *, quiet: bool) -> CommandResult:
    """Returns a result whose text is the new config alone, to be sent into a file; the table goes to stderr."""
    from dataclasses import replace

    from loratpl.ui.console import say

    if not quiet:
        for line in result.lines:
            say(line)
    return replace(result, lines=_json(result.data["config"]).splitlines())
