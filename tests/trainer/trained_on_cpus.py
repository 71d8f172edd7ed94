"""Runs the script that it is given with an accelerate that treats frozen modules on CPUs as it does on GPUs.

`python -m accelerate.commands.launch … trained_on_cpus.py ENTRY [ARGUMENT ...]`. On GPUs the pinned accelerate wraps a
module for several processes only where it has something to train; on CPUs it wraps every module, and torch refuses to
wrap the frozen U-Net ("DistributedDataParallel is not needed"). So that two processes can train on any machine, a
frozen module is prepared as one for evaluation here, which is not wrapped. Nothing of this is in the product.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path
from typing import Any


def treat_frozen_modules_alike() -> None:
    """Replaces the method of accelerate that wraps modules."""
    from accelerate import Accelerator

    prepare_model = Accelerator.prepare_model

    def prepare(
        accelerator: Any, model: Any, device_placement: bool | None = None, evaluation_mode: bool = False
    ) -> Any:
        is_frozen = not any(parameter.requires_grad for parameter in model.parameters())
        return prepare_model(accelerator, model, device_placement, evaluation_mode or is_frozen)

    Accelerator.prepare_model = prepare


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    entry = Path(sys.argv[0])
    sys.path[0] = str(entry.parent)
    importlib.import_module("torchvision_ops").install()  # as the entry does, before accelerate is imported
    treat_frozen_modules_alike()
    runpy.run_path(str(entry), run_name="__main__")
