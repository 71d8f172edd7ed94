"""Runs the entry any number of times, in processes that share what takes longest to import.

Run by the trainer's interpreter, by path: `python forked_entry.py --source SD_SCRIPTS_DIR --inside DIR`. Each line of
stdin is a training, `{"argv": [...], "env": {...}, "stderr": FILE}`, `argv` being the entry and what follows it. Each
runs in a fork of this process, and ends as an interpreter ends; two lines of JSON on stdout tell of it,
`{"pid": 123}` when it starts and `{"exit_code": 0}` when it has ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answers until stdin ends; in a fork, becomes the training."""
    read_back = importlib.import_module("read_back")
    used_later = importlib.import_module("many_trainings").USED_LATER
    answers, _ = read_back.answering(__doc__)
    for module in ("train_network", *used_later):
        importlib.import_module(module)
    gc.freeze()
    for line in sys.stdin:
        training = json.loads(line)
        child = os.fork()
        if child == 0:
            answers.close()
            become(training)
            return
        read_back.say(answers, {"pid": child})
        _, status = os.waitpid(child, 0)
        read_back.say(answers, {"exit_code": os.waitstatus_to_exitcode(status)})


def become(training: dict[str, Any]) -> None:
    """Runs the entry as the main script of this process, whatever it raises."""
    nothing = os.open(os.devnull, os.O_RDWR)
    stderr = os.open(training["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor, target in ((0, nothing), (1, nothing), (2, stderr)):
        os.dup2(target, descriptor)
    os.environ.update(training["env"])
    sys.argv = training["argv"]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
