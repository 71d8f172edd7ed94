"""`kohyatpl config options`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.cli.choices import known_family
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.config.search import FoundOption
    from loratpl.trainer.option_help import HelpTexts


def options(
    context: typer.Context,
    word: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD", help="What to look for in names, choices and help texts.", show_default="every option"
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="Look among the options of one family alone.", show_default="all families")
    ] = None,
) -> CommandResult:
    """Search the trainer's options: types, choices, defaults."""
    from loratpl.config.search import find_options
    from loratpl.errors import exit_code_of
    from loratpl.trainer.manifest import load_manifest
    from loratpl.ui.option_text import brief, in_full

    family, words = known_family(family), " ".join(word or ())
    texts = _help_texts(speaks=not (context.obj.quiet or context.obj.as_json))
    found = find_options(words, load_manifest(), texts or {}, family)
    lines = [line for one in found for line in in_full(one)] if words else brief(found)
    if texts is None and found:
        lines.append("The trainer's help texts come with the trainer: `kohyatpl trainer install`.")
    problems = () if found else (_nothing_found(words, family),)
    data = {"options": [_row(one) for one in found], "has_help_texts": texts is not None}
    return CommandResult("config options", data, lines, problems, exit_code_of(problems))


def _help_texts(*, speaks: bool) -> HelpTexts | None:
    """Returns the texts of the installed trainer, None where there is none that answers."""
    from loratpl.errors import TrainerError
    from loratpl.trainer.option_help import help_texts, kept_help_texts
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status
    from loratpl.ui.console import say

    trainer = status(load_pin())
    if not trainer.is_ready:
        return None
    if speaks and kept_help_texts(trainer.paths) is None:
        say("asking the trainer for its help texts; it is asked once")
    try:
        return help_texts(trainer.paths)
    except TrainerError:  # the search is as good without; `trainer status` says what is wrong
        return None


def _row(found: FoundOption) -> Mapping[str, Any]:
    option = found.option
    return {
        "name": option.name,
        "type": "flag" if option.is_flag else option.type,
        "takes_list": option.takes_list,
        "choices": list(option.choices),
        "families": list(found.families),
        "default": dict(found.ours),
        "trainer_default": option.default,
        "help": found.help or None,
    }


def _nothing_found(words: str, family: str | None) -> Any:
    from loratpl.config.options import nearest
    from loratpl.errors import Problem
    from loratpl.trainer.manifest import load_manifest

    names = {name for options in load_manifest().options_of.values() for name in options}
    near = nearest(words.replace("-", "_").replace(" ", "_"), names)
    where = f" of {family}" if family else ""
    return Problem(
        "usage.options",
        f"No option{where} has {words!r} in its name, choices or help text.",
        "WORD",
        f"Did you mean `{near[0]}`?" if near else "`kohyatpl config options` lists them all.",
    )
