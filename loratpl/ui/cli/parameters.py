"""Arguments that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Project = Annotated[Path, typer.Argument(help="The project's folder.", show_default="the current folder")]
Config = Annotated[Path | None, typer.Option("--config", help="The config file.", show_default="config.json")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting for this time only.")]


def assignments(texts: Sequence[str] | None) -> list[tuple[str, Any]]:
    """Returns the keys and values of the `--set` options."""
    from loratpl.config.settings import parse_assignment

    return [parse_assignment(text) for text in texts or ()]
