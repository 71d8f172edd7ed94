"""Runs rendered trainings, any number, in processes that share what takes longest to import.

Run by the trainer's interpreter, by path: `python many_trainings.py --source SD_SCRIPTS_DIR --inside DIR`. Each line of
stdin is a training, `{"argv": [...], "env": {...}, "log": FILE}`, `argv` being what follows the interpreter in the
command that was rendered. It runs in a fork of this process, its output in the log file; the answer to each line is one
line of JSON on stdout, `{"exit_code": 0}`.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

# What a training of SD 1.5 imports on its way, beside its script.
USED_LATER = (
    "networks.lora", "torch.utils.tensorboard", "accelerate.tracking", "accelerate.checkpointing",
    "transformers.models.clip.modeling_clip", "diffusers.models", "diffusers.schedulers",
)  # fmt: skip


def main() -> None:
    """Answers until stdin ends."""
    read_back = importlib.import_module("read_back")
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--source", type=Path, required=True)
    arguments.add_argument("--inside", required=True)
    given = arguments.parse_args()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.insert(0, given.inside)
    read_back.enter(given.source.resolve())
    for module in ("train_network", *USED_LATER):
        importlib.import_module(module)
    gc.freeze()  # the trainer collects garbage often; what is imported is none, and looking through it takes a third
    for line in sys.stdin:
        training = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(train(training))
        _, status = os.waitpid(child, 0)
        read_back.say(answers, {"exit_code": os.waitstatus_to_exitcode(status)})


def train(training: dict[str, Any]) -> int:
    """Returns the exit code of a training; nothing of this process shall outlive it."""
    log = os.open(training["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.environ.update(training["env"])
    sys.argv = training["argv"]
    code = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - the log says what it was
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
