"""Arguments that several commands share, each declared once."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Project = Annotated[Path, typer.Argument(help="The project's folder.", show_default="the current folder")]
Config = Annotated[Path | None, typer.Option("--config", help="The config file.", show_default="config.json")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting for this time only.")]

Source = Annotated[
    Path | None,
    typer.Option(
        "--source",
        envvar="KOHYATPL_SD_SCRIPTS",
        help="A git checkout of sd-scripts at the pinned commit.",
        show_default="fetched from its home",
    ),
]
Torch = Annotated[str, typer.Option("--torch", metavar="auto|cpu|cu...|default|SPEC", help="Which build of PyTorch.")]


def assignments(texts: Sequence[str] | None) -> list[tuple[str, Any]]:
    """Returns the keys and values of the `--set` options."""
    from loratpl.config.settings import parse_assignment

    return [parse_assignment(text) for text in texts or ()]


def quoted(path: Path) -> str:
    """Returns the path as a shell takes it, never for an option."""
    text = str(path)
    text = f"./{text}" if text.startswith("-") else text
    if os.name == "nt":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)
