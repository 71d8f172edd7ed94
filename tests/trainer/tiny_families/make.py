"""Makes a tiny random model of every family; run by the trainer's interpreter, with the shim on PYTHONPATH.

`python -m tests.trainer.tiny_families.make --source CHECKOUT --out-dir DIR --out made.json`, in the root of the
repository. What is written to made.json: for each family the options of its config.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from tests.trainer.tiny_families.models import MAKERS
from tests.trainer.tiny_families.pipelines import write_sdxl
from tests.trainer.tiny_families.tokenizers import write_tokenizers

# Beside a family's model, for those whose LoRA can be tried in Diffusers.
PIPELINE = "pipeline"
INSIDE_DIR = Path(__file__).parents[3] / "loratpl" / "trainer" / "inside"


def main() -> None:
    """Writes the tokenizers and the models, then the JSON file that says where they are."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--source", type=Path, required=True, help="the trainer's checkout")
    arguments.add_argument("--out-dir", type=Path, required=True, help="the folder to write into")
    arguments.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    given = arguments.parse_args()

    sys.path[:0] = [str(given.source), str(INSIDE_DIR)]
    tokenizers_dir = given.out_dir / "tokenizers"
    os.environ.update(HF_HUB_CACHE=str(tokenizers_dir), HF_HUB_OFFLINE="1")  # read when the hub's library is imported
    importlib.import_module("torchvision_ops").install()
    write_tokenizers(tokenizers_dir, given.source)
    made = {name: make(given.out_dir / name) for name, make in MAKERS.items()}
    for options in made.values():
        options["tokenizer_cache_dir"] = str(tokenizers_dir)
    # Anima's tokenizers lie with its text encoder and in the trainer's own checkout.
    made["anima"].pop("tokenizer_cache_dir")
    write_sdxl(given.out_dir / "sdxl" / PIPELINE)
    given.out.write_text(json.dumps(made, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
