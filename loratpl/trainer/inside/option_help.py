"""Writes the help texts that the trainer's own parsers have for their options to a JSON file.

Run by the trainer's interpreter, by path:
`python option_help.py --source SD_SCRIPTS_DIR --out help.json train_network.py sdxl_train_network.py …`
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

import parsers
import torchvision_ops


def help_of(script: str) -> dict[str, str]:
    """Returns the help text of each option of a script that has one; the script is imported, not run."""
    parser: argparse.ArgumentParser = importlib.import_module(Path(script).stem).setup_parser()
    # argparse has no public list of a parser's options; `_actions` is what its own subclasses use.
    actions = parser._actions  # noqa: SLF001
    return {action.dest: action.help for action in actions if action.help and action.dest != "help"}


def main() -> None:
    """Writes {script: {option: text}} to the file that the command line names."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--source", type=Path, required=True, help="the checkout of sd-scripts")
    arguments.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("scripts", nargs="+", metavar="SCRIPT", help="such as train_network.py")
    given = arguments.parse_args()
    out_path = given.out.resolve()

    torchvision_ops.install()
    parsers.enter(given.source.resolve())
    texts = {script: help_of(script) for script in given.scripts}
    out_path.write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
