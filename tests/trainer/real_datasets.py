"""Makes datasets with the trainer's own classes, up to the first batch, and says what came of them: any number.

Run by the trainer's interpreter, by path: `python real_datasets.py --source SD_SCRIPTS_DIR --inside DIR`.
Each line of stdin is a case, `{"script": "train_network.py", "argv": [...]}`; each answer is a line of JSON on stdout.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

TRAINER_CLASSES = {
    "train_network.py": "NetworkTrainer",
    "sdxl_train_network.py": "SdxlNetworkTrainer",
    "sd3_train_network.py": "Sd3NetworkTrainer",
    "flux_train_network.py": "FluxNetworkTrainer",
    "lumina_train_network.py": "LuminaNetworkTrainer",
    "hunyuan_image_train_network.py": "HunyuanImageNetworkTrainer",
    "anima_train_network.py": "AnimaNetworkTrainer",
}


class Scripts:
    """The training scripts, each with its parser and its class; every script is imported once."""

    def __init__(self) -> None:
        self._parsers: dict[str, argparse.ArgumentParser] = {}

    def parser(self, script: str) -> argparse.ArgumentParser:
        """Returns what the script reads its command line with."""
        if script not in self._parsers:
            self._parsers[script] = importlib.import_module(Path(script).stem).setup_parser()
        return self._parsers[script]

    def trainer(self, script: str) -> Any:
        """Returns a new trainer of the script's kind."""
        return getattr(importlib.import_module(Path(script).stem), TRAINER_CLASSES[script])()


def main() -> None:
    """Answers until stdin ends."""
    read_back = importlib.import_module("read_back")
    answers, _ = read_back.answering(__doc__)
    warnings.simplefilter("ignore")
    for module in ("train_util", "config_util", "strategy_base"):
        importlib.import_module(f"library.{module}")
    logging.disable(logging.CRITICAL)  # thousands of lines about folders that nobody reads
    scripts = Scripts()
    for line in sys.stdin:
        case = json.loads(line)
        try:
            read_back.say(answers, datasets_of(scripts, case["script"], case["argv"]))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the trainer ends on is the answer
            read_back.say(answers, {"error": type(error).__name__, "text": str(error)})


def datasets_of(scripts: Scripts, script: str, argv: list[str]) -> dict[str, Any]:
    """Returns what `train` of `train_network.py` has made by the time it prepares the accelerator."""
    config_util, train_util, strategy_base = (
        importlib.import_module(f"library.{name}") for name in ("config_util", "train_util", "strategy_base")
    )
    parser = scripts.parser(script)
    sys.argv = [script, *argv]  # it is read a second time together with the config file
    args = parser.parse_args()
    train_util.verify_command_line_training_args(args)
    args = train_util.read_config_from_file(args, parser)

    trainer = scripts.trainer(script)
    train_util.verify_training_args(args)
    train_util.prepare_dataset_args(args, True)
    importlib.import_module("accelerate.utils").set_seed(args.seed)
    strategy_base.LatentsCachingStrategy._strategy = None  # of the case before
    strategy_base.LatentsCachingStrategy.set_strategy(trainer.get_latents_caching_strategy(args))
    generator = config_util.BlueprintGenerator(config_util.ConfigSanitizer(True, True, args.masked_loss, True))
    if args.dataset_config is not None:
        user_config = config_util.load_user_config(args.dataset_config)
    else:
        subsets = config_util.generate_dreambooth_subsets_config_by_subdirs(args.train_data_dir, args.reg_data_dir)
        user_config = {"datasets": [{"subsets": subsets}]}
    blueprint = generator.generate(user_config, args)
    train, validation = config_util.generate_dataset_group_by_blueprint(blueprint.dataset_group)
    if len(train) == 0:
        return {"error": "No data found", "text": ""}  # the script says so and ends with 0
    if args.cache_latents:
        assert train.is_latent_cacheable()
        assert validation is None or validation.is_latent_cacheable()
    trainer.assert_extra_args(args, train, validation)
    return {
        "train": [_told(dataset) for dataset in train.datasets],
        "validation": [_told(dataset) for dataset in validation.datasets] if validation is not None else [],
        "batches": len(train),
        "validation_batches": len(validation) if validation is not None else 0,
    }


def _told(dataset: Any) -> dict[str, Any]:
    return {
        "images": dataset.num_train_images,
        "reg_images": dataset.num_reg_images,
        "batches": len(dataset),
        "pictures": {
            info.absolute_path: [info.num_repeats, *info.bucket_reso, *info.resized_size]
            for info in dataset.image_data.values()
        },
        "buckets": {
            f"{reso[0]}x{reso[1]}": len(bucket)
            for reso, bucket in zip(dataset.bucket_manager.resos, dataset.bucket_manager.buckets, strict=True)
            if bucket
        },
    }


if __name__ == "__main__":
    main()
