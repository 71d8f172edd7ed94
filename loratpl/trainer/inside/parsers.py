"""Writes the options of the trainer's scripts, as their own parsers declare them, to a JSON file.

Run by the trainer's interpreter, by path:
`python parsers.py --source SD_SCRIPTS_DIR --out options.json train_network.py sdxl_train_network.py …`
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torchvision_ops

# The converters that the pinned parsers use, by the name of the callable. Another one means that the pin
# has moved, and that whoever reads values by these names must learn it first.
TYPE_BY_CONVERTER = {
    "str": "str",
    "int": "int",
    "float": "float",
    "int_or_float": "int_or_float",
    "Path": "path",
}

FLAG_ACTION = "_StoreTrueAction"
VALUE_ACTION = "_StoreAction"
HELP_ACTION = "_HelpAction"


def type_of(action: argparse.Action) -> str | None:
    """Returns the name of the type of an option's value; None for a flag, and where the text is kept as it is.

    Raises:
        ValueError: the option has an action or a converter that is not known here.
    """
    kind = type(action).__name__
    if kind == FLAG_ACTION:
        return None
    if kind != VALUE_ACTION:
        raise ValueError(f"Option {action.dest} has the action {kind}, which parsers.py does not know.")
    if action.type is None:
        return None
    name = str(getattr(action.type, "__name__", action.type))
    if name not in TYPE_BY_CONVERTER:
        raise ValueError(f"Option {action.dest} has the converter {name}, which parsers.py does not know.")
    return TYPE_BY_CONVERTER[name]


def described(action: argparse.Action) -> dict[str, object]:
    """Returns what the parser says about one option, without its help text."""
    option: dict[str, object] = {
        "name": action.dest,
        "type": type_of(action),
        "nargs": action.nargs,
        "choices": None if action.choices is None else list(action.choices),
        "default": action.default,
        "flag": type(action).__name__ == FLAG_ACTION,
    }
    aliases = [text for text in action.option_strings if text != f"--{action.dest}"]
    if aliases:
        option["aliases"] = aliases
    return option


def options_of(script: str) -> list[dict[str, object]]:
    """Returns the options of a script in the order of its parser; the script is imported, not run."""
    module = importlib.import_module(Path(script).stem)
    parser: argparse.ArgumentParser = module.setup_parser()
    # argparse has no public list of a parser's options; `_actions` is what its own subclasses use.
    actions = parser._actions  # noqa: SLF001
    return [described(action) for action in actions if type(action).__name__ != HELP_ACTION]


def enter(source_dir: Path) -> None:
    """Makes this process look as if a script of the checkout had been started in the checkout."""
    os.chdir(source_dir)
    # In place of our own folder: a module of the trainer may have the name of one of our files.
    sys.path[0] = str(source_dir)


def write_of_scripts(describe: Callable[[str], object], purpose: str | None) -> None:
    """Writes {script: what `describe` says of it} to the file that the command line names, the scripts imported."""
    arguments = argparse.ArgumentParser(description=purpose)
    arguments.add_argument("--source", type=Path, required=True, help="the checkout of sd-scripts")
    arguments.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("scripts", nargs="+", metavar="SCRIPT", help="such as train_network.py")
    given = arguments.parse_args()
    out_path = given.out.resolve()

    torchvision_ops.install()
    enter(given.source.resolve())
    of_script = {script: describe(script) for script in given.scripts}
    out_path.write_text(json.dumps(of_script, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_of_scripts(options_of, __doc__)
