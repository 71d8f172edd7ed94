"""Makes the buckets of a real dataset of the trainer's, whose pictures have given sizes, and says what it cost.

Run by the trainer's interpreter, by path: `python real_buckets.py SD_SCRIPTS_DIR INSIDE_DIR REQUEST ANSWER`. The
request is JSON: `sizes`, `options` of the dataset and `rounds`; so is the answer: the least CPU seconds of a round, the
batches, and the bucket and the resized size of each picture.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Writes the answer to the request."""
    source, inside, request_path, answer_path = sys.argv[1:]
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    sys.path.insert(0, inside)
    importlib.import_module("torchvision_ops").install()
    os.chdir(source)
    sys.path.insert(0, source)
    train_util = importlib.import_module("library.train_util")
    logging.disable(logging.CRITICAL)
    costs, dataset = [], None
    for _ in range(request["rounds"]):
        dataset = with_pictures(train_util, request["sizes"], request["options"])
        started = time.process_time()
        dataset.make_buckets()
        costs.append(time.process_time() - started)
    assert dataset is not None
    placed = [[*info.bucket_reso, *info.resized_size] for info in dataset.image_data.values()]
    answer = {"cpu_s": min(costs), "batches": len(dataset), "placed": placed}
    Path(answer_path).write_text(json.dumps(answer), encoding="utf-8")


def with_pictures(train_util: Any, sizes: list[list[int]], options: dict[str, Any]) -> Any:
    """Returns a dataset as it is when the sizes of its pictures are known."""
    dataset = train_util.DreamBoothDataset(
        [],
        is_training_dataset=True,
        network_multiplier=1.0,
        prior_loss_weight=1.0,
        debug_dataset=False,
        validation_split=0.0,
        validation_seed=None,
        resize_interpolation=None,
        **options,
    )
    for number, size in enumerate(sizes):
        info = train_util.ImageInfo(str(number), 1, "", False, str(number))
        info.image_size = tuple(size)
        dataset.register_image(info, None)
    return dataset


if __name__ == "__main__":
    main()
