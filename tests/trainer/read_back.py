"""Reads rendered files with the trainer's own code, and says what came of them: one script, any number of files.

Run by the trainer's interpreter, by path: `python read_back.py --source SD_SCRIPTS_DIR --inside DIR train_network.py`.
Each line of stdin names two files as `{"train": …, "dataset": …}`; the answer is one line of JSON on stdout.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO


def main() -> None:
    """Answers until stdin ends."""
    answers, given = answering(__doc__, "script")
    parser: argparse.ArgumentParser = importlib.import_module(Path(given.script).stem).setup_parser()
    say(answers, {"ready": True})
    for line in sys.stdin:
        try:
            say(answers, read(parser, given.script, json.loads(line)))
        except (Exception, SystemExit):  # noqa: BLE001 - whatever the trainer ends on is the answer
            say(answers, {"error": traceback.format_exc()})


def enter(source_dir: Path) -> None:
    """Makes this process look as if a script of the checkout had been started in the checkout."""
    importlib.import_module("torchvision_ops").install()
    os.chdir(source_dir)
    sys.path.insert(0, str(source_dir))


def answering(description: str | None, *words: str) -> tuple[TextIO, argparse.Namespace]:
    """Returns where answers go and what was given, once the checkout is entered; `words` are named beside options."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--source", type=Path, required=True)
    arguments.add_argument("--inside", required=True)
    for word in words:
        arguments.add_argument(word)
    given = arguments.parse_args()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the trainer's log is not an answer
    sys.path.insert(0, given.inside)
    enter(given.source.resolve())
    return answers, given


def say(answers: TextIO, answer: dict[str, Any]) -> None:
    """Writes one answer."""
    answers.write(json.dumps(answer, default=str) + "\n")
    answers.flush()


def read(parser: argparse.ArgumentParser, script: str, files: dict[str, str]) -> dict[str, Any]:
    """Returns the options and the dataset as the script has them before it loads a model."""
    config_util, train_util = (importlib.import_module(f"library.{name}") for name in ("config_util", "train_util"))
    # The trainer reads its command line a second time while it reads the file.
    sys.argv = [script, "--config_file", files["train"], "--dataset_config", files["dataset"]]
    args = parser.parse_args()
    train_util.verify_command_line_training_args(args)
    args = train_util.read_config_from_file(args, parser)
    options = dict(vars(args))
    train_util.prepare_dataset_args(args, True)
    known = {action.dest for action in parser._actions}
    sanitizer = config_util.ConfigSanitizer(True, True, args.masked_loss, True)
    user_config = config_util.load_user_config(args.dataset_config)
    blueprint = config_util.BlueprintGenerator(sanitizer).generate(user_config, args)
    (dataset,) = blueprint.dataset_group.datasets
    return {
        "options": options,
        "unknown": sorted(options.keys() - known),
        "dataset": asdict(dataset.params),
        "subsets": [asdict(subset.params) for subset in dataset.subsets],
    }


if __name__ == "__main__":
    main()
