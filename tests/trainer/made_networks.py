"""Writes the tensors of the LoRAs that the trainer's own network modules make; run by the trainer's interpreter.

`python -m tests.trainer.made_networks --source CHECKOUT --cases cases.json --out made.json`, in the root of the
repository. A case: `{"family", "module", "dim", "alpha", "arguments", "text", "unet"}`, the last two whether text
encoders and the model itself are trained. What is written for each: `[name, element type, shape]` of every tensor. The
models are those of loratpl/trainer/inside/modules.py, which have no memory.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

INSIDE_DIR = Path(__file__).parents[2] / "loratpl" / "trainer" / "inside"
DTYPES = {"torch.float32": "F32", "torch.int64": "I64"}


def tensors_of(case: dict[str, Any], models: dict[str, Any]) -> list[tuple[str, str, list[int]]]:
    """Returns the tensors of a case's network."""
    import torch

    text = [models[part] for part in sorted(models) if part != "unet"]
    if case["family"] == "chroma":
        text = [None, *text]  # no CLIP
    module = importlib.import_module(f"networks.{case['module']}")
    for name, value in vars(module).items():
        if name.endswith("LoRANetwork") and hasattr(value, "UNET_TARGET_REPLACE_MODULE"):
            # The constructor adds to the class's own list, which a training does once.
            value.UNET_TARGET_REPLACE_MODULE = ["Transformer2DModel"]
    with torch.device("meta"):
        network = module.create_network(
            1.0, case["dim"], case["alpha"], None, text if len(text) > 1 or case["module"] != "lora" else text[0],
            models["unet"], neuron_dropout=None, **case["arguments"],
        )  # fmt: skip
    names = []
    for lora in (network.text_encoder_loras if case["text"] else []) + (network.unet_loras if case["unet"] else []):
        network.add_module(lora.lora_name, lora)
        del lora.org_module
        names.append(lora.lora_name)
    return [(name, DTYPES[str(t.dtype)], list(t.shape)) for name, t in network.state_dict().items()]


def main() -> None:
    """Writes the file that the command line names."""
    arguments = argparse.ArgumentParser(description=__doc__)
    for name in ("source", "cases", "out"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    given = arguments.parse_args()
    cases = json.loads(given.cases.read_bytes())
    out = given.out.resolve()

    sys.path[:0] = [str(INSIDE_DIR)]
    importlib.import_module("torchvision_ops").install()
    modules = importlib.import_module("modules")
    sys.path[:0] = [str(given.source)]
    import os

    os.chdir(given.source)
    built: dict[str, dict[str, Any]] = {}
    made = []
    for case in cases:
        family = case["family"]
        if family not in built:
            built[family] = dict(modules.FAMILIES[family][0]())
        made.append(tensors_of(case, built[family]))
    out.write_text(json.dumps(made), encoding="utf-8")


if __name__ == "__main__":
    main()
