"""Reads captions with the trainer's own dataset class, and says what it took for each picture: any number of folders.

Run by the trainer's interpreter, by path: `python real_captions.py --source SD_SCRIPTS_DIR --inside DIR`.
Each line of stdin is the parameters of a folder, those of `DreamBoothSubsetParams`; each answer is one line of JSON on
stdout: the caption of each picture by its path, or what the trainer ended on.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from typing import Any


def main() -> None:
    """Answers until stdin ends."""
    read_back = importlib.import_module("read_back")
    answers, _ = read_back.answering(__doc__)
    config_util, train_util = (importlib.import_module(f"library.{name}") for name in ("config_util", "train_util"))
    read_back.say(answers, {"ready": True})
    for line in sys.stdin:
        try:
            answer = captions(config_util, train_util, json.loads(line))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the trainer ends on is the answer
            answer = {"ended": type(error).__name__}
        read_back.say(answers, answer)


def captions(config_util: Any, train_util: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Returns the caption of each picture of a folder."""
    subset = train_util.DreamBoothSubset(**asdict(config_util.DreamBoothSubsetParams(**parameters)))
    of_dataset = config_util.DreamBoothDatasetParams(resolution=(64, 64))
    dataset = train_util.DreamBoothDataset(subsets=[subset], is_training_dataset=True, **asdict(of_dataset))
    return {"captions": {path: info.caption for path, info in dataset.image_data.items()}}


if __name__ == "__main__":
    main()
