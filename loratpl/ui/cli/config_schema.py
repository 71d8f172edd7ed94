"""`kohyatpl config schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loratpl.ui.cli.choices import known_family
from loratpl.ui.result import CommandResult


def schema(
    family: Annotated[
        str | None, typer.Option(help="For the configs of one family alone.", show_default="all families")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it to this file.", show_default="shown, not written")
    ] = None,
) -> CommandResult:
    """Show the JSON schema of a config, for editors."""
    from loratpl.config.schema import config_schema, schema_text
    from loratpl.errors import Problem, ProjectError

    made = config_schema(known_family(family))
    text = schema_text(made)
    if out is None:
        return CommandResult("config schema", {"schema": made, "out": None}, text.splitlines())
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{out} cannot be written: {error.strerror or error}."
        raise ProjectError(Problem("project.write", message, str(out), "Name another file with `--out`.")) from error
    lines = (f"Written to {out}.", 'A config names it as `"$schema": "…"`, relative to itself.')
    return CommandResult("config schema", {"schema": made, "out": str(out)}, lines)
