"""Which layers of Stable Diffusion 1, 2 and XL the network modules train, and at which rank.

Source: sd-scripts 48d368fa, `networks/lora.py` and `networks/lora_fa.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from loratpl.plan.disk.lora_asked import Asked, Pair, items, number, pair
from loratpl.plan.disk.lora_layers import UNET, Layer, SizeUnknownError

_SD_BLOCKS, _SDXL_BLOCKS = 25, 23
_RESNETS = frozenset({"ResnetBlock2D", "Downsample2D", "Upsample2D"})
_SD_PLACE = re.compile(r"(up|down)_blocks_(\d+)_(resnets|upsamplers|downsamplers|attentions)_(\d+)_")
_SDXL_PLACE = re.compile(r"lora_unet_(input_blocks|middle_block|output_blocks)_(\d+)_")
_SDXL_FIRST = {"input_blocks": 1, "middle_block": 10, "output_blocks": 13}


def of_stable_diffusion(asked: Asked, layers: Sequence[Layer]) -> Iterator[Pair]:
    """networks.lora and networks.lora_fa: a rank for all, one for wide convolutions, or both for each block."""
    if any(name in asked.arguments for name in ("down_lr_weight", "mid_lr_weight", "up_lr_weight")):
        raise SizeUnknownError("learning rates by block may leave blocks out")
    is_sdxl = asked.family == "sdxl"
    if is_sdxl and asked.module == "networks.lora_fa" and "block_dims" in asked.arguments:
        raise SizeUnknownError("networks.lora_fa has block_dims for Stable Diffusion 1 and 2 alone")
    count = _SDXL_BLOCKS if is_sdxl else _SD_BLOCKS
    dims, conv_dim = asked.ranks("block_dims", count), asked.rank("conv_dim")
    conv_dims = asked.ranks("conv_block_dims", count) if dims is not None else None
    if dims is not None and conv_dims is None and conv_dim is not None:
        conv_dims = [conv_dim] * count
    alphas = _alphas(asked, "block_alphas", count, asked.alpha)
    conv_alphas = _alphas(
        asked, "conv_block_alphas", count, number(asked.arguments.get("conv_alpha", "1"), "conv_alpha")
    )
    has_wide = conv_dim is not None or conv_dims is not None
    for layer in layers:
        if layer.block in _RESNETS and not has_wide:
            continue
        is_wide, place = layer.is_wide_convolution, 0
        if layer.part == UNET and dims is not None:
            place = _place(layer.lora_name, is_sdxl=is_sdxl)
            rank = (conv_dims[place] if conv_dims is not None else None) if is_wide else dims[place]
        else:
            rank = conv_dim if is_wide else asked.dim
        if rank:
            alpha = conv_alphas[place] if is_wide else alphas[place] if layer.part == UNET else asked.alpha
            yield pair(asked, layer, rank, alpha=alpha)


def _alphas(asked: Asked, name: str, count: int, otherwise: float) -> list[float]:
    text = asked.arguments.get(name) if "block_dims" in asked.arguments else None
    return [otherwise] * count if text is None else [number(item, name) for item in items(text, name, count)]


def _place(name: str, *, is_sdxl: bool) -> int:
    """Returns which of the ranks by block a layer takes."""
    if is_sdxl:
        match = _SDXL_PLACE.match(name)
        return _SDXL_FIRST[match[1]] + int(match[2]) if match else -1
    match = _SD_PLACE.search(name)
    if match is None:
        return _SD_BLOCKS // 2 if "mid_block_" in name else -1
    within = 2 if match[3] in ("upsamplers", "downsamplers") else int(match[4])
    return (1 if match[1] == "down" else _SD_BLOCKS // 2 + 1) + 3 * int(match[2]) + within
