"""The shape of the tiny U-Net, and how the SD1 script is told of it.

`library.original_unet` takes the widths of the U-Net's blocks from constants of its own instead of the model's
config, so a smaller model needs these three set. Nothing else of the trainer is changed.
"""

from __future__ import annotations

import importlib

BLOCK_OUT_CHANNELS = (32, 64, 64, 64)
MODULE = "library.original_unet"


def shrink_sd1_unet() -> None:
    """Sets the three constants; raises AttributeError when the module no longer has them."""
    module = importlib.import_module(MODULE)
    values = {
        "BLOCK_OUT_CHANNELS": BLOCK_OUT_CHANNELS,
        "TIMESTEP_INPUT_DIM": BLOCK_OUT_CHANNELS[0],
        "TIME_EMBED_DIM": BLOCK_OUT_CHANNELS[0] * 4,
    }
    for name, value in values.items():
        getattr(module, name)  # a constant that is gone must not be invented
        setattr(module, name, value)
