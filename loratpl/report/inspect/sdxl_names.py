"""Diffusers' names of Stable Diffusion XL's layers as the model itself has them, which is how sd-scripts knows them."""

from __future__ import annotations

import re

_ATTENTION = re.compile(r"(down|up)_blocks_(\d)_attentions_(\d)_(.+)")
_RESNET = re.compile(r"(down|up)_blocks_(\d)_resnets_(\d)_(.+)")
_SAMPLER = re.compile(r"(down|up)_blocks_(\d)_(?:down|up)samplers_0_conv")
_MID = re.compile(r"mid_block_(attentions|resnets)_(\d)_(.+)")
_RESNET_LAYERS = {
    "conv1": "in_layers_2", "time_emb_proj": "emb_layers_1", "conv2": "out_layers_3",
    "conv_shortcut": "skip_connection",
}  # fmt: skip
_LEVEL = 3


def sdxl_layer(layer: str) -> str:
    """Returns a layer's own name; one that is so named already stays as it is.

    >>> sdxl_layer("down_blocks_1_attentions_0_proj_in"), sdxl_layer("up_blocks_0_resnets_2_conv1")
    ('input_blocks_4_1_proj_in', 'output_blocks_2_0_in_layers_2')
    >>> sdxl_layer("mid_block_attentions_0_proj_in"), sdxl_layer("output_blocks_2_2_conv")
    ('middle_block_1_proj_in', 'output_blocks_2_2_conv')
    """
    if match := _ATTENTION.fullmatch(layer):
        return f"{_block(match[1], match[2], match[3])}_1_{match[4]}"
    if match := _RESNET.fullmatch(layer):
        return f"{_block(match[1], match[2], match[3])}_0_{_RESNET_LAYERS.get(match[4], match[4])}"
    if match := _SAMPLER.fullmatch(layer):
        level = int(match[2])
        return (
            f"input_blocks_{_LEVEL * (level + 1)}_0_op"
            if match[1] == "down"
            else f"output_blocks_{_LEVEL * level + 2}_2_conv"
        )
    if match := _MID.fullmatch(layer):
        if match[1] == "attentions":
            return f"middle_block_1_{match[3]}"
        return f"middle_block_{2 * int(match[2])}_{_RESNET_LAYERS.get(match[3], match[3])}"
    return layer


def _block(half: str, level: str, index: str) -> str:
    number = _LEVEL * int(level) + int(index)
    return f"input_blocks_{number + 1}" if half == "down" else f"output_blocks_{number}"
