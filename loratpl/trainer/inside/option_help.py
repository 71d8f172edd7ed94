"""Writes the help texts that the trainer's own parsers have for their options to a JSON file.

Run by the trainer's interpreter, by path:
`python option_help.py --source SD_SCRIPTS_DIR --out help.json train_network.py sdxl_train_network.py …`
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import parsers


def help_of(script: str) -> dict[str, str]:
    """Returns the help text of each option of a script that has one; the script is imported, not run."""
    parser: argparse.ArgumentParser = importlib.import_module(Path(script).stem).setup_parser()
    # argparse has no public list of a parser's options; `_actions` is what its own subclasses use.
    actions = parser._actions  # noqa: SLF001
    return {action.dest: action.help for action in actions if action.help and action.dest != "help"}


if __name__ == "__main__":
    parsers.write_of_scripts(help_of, __doc__)
