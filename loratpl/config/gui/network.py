"""The networks of the GUI: which module each `LoRA_type` is, and which keys it sends as `network_args`.

The lists are what the GUI sends for each kind: some keys always, some only where they say something, which is where
they are not empty, 0, false, or what the field held when nobody touched it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loratpl.config.options import number_of

SD_FAMILIES = ("sd15", "sd2", "sdxl")
LORAPLUS = ("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio")


@dataclass(frozen=True, slots=True)
class Network:
    """One kind of network.

    Attributes:
        module: The trainer's module; "" is the family's own.
        families: Those that it can be trained for; empty for any.
        always: Keys that are sent whatever they say.
        said: Keys that are sent where they say something.
        fixed: Items that the kind itself stands for.
        renamed: Keys that are sent under another name.
        instead: What to use where the pinned trainer has no such module.
    """

    module: str
    families: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    instead: str = ""


_DROPOUTS = ("rank_dropout", "module_dropout")
_CONV = ("conv_dim", "conv_alpha")
_BLOCKS = (
    "down_lr_weight", "mid_lr_weight", "up_lr_weight", "block_lr_zero_threshold",
    "block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas",
)  # fmt: skip
_FLUX_DIMS = (
    "img_attn_dim", "img_mlp_dim", "img_mod_dim", "single_dim", "txt_attn_dim", "txt_mlp_dim", "txt_mod_dim",
    "single_mod_dim", "in_dims",
)  # fmt: skip
_LYCORIS = ("LyCORIS_preset", *_CONV)
_OFT = ("use_tucker", "rank_dropout_scale", "constrain", "rescaled", "train_norm")


def _lycoris(algo: str, *always: str, renamed: tuple[tuple[str, str], ...] = ()) -> Network:
    return Network("lycoris.kohya", always=always, fixed=(f"algo={algo}",), renamed=renamed)


def _native(module: str, lycoris: str, *said: str) -> Network:
    instead = f"Choose `{lycoris}` for `LoRA_type`; it needs the package lycoris-lora in the trainer's environment."
    return Network(f"networks.{module}", ("sdxl", "anima"), said=(*said, *_DROPOUTS), instead=instead)


_LOCON = (
    *_LYCORIS,
    "use_tucker",
    *_DROPOUTS,
    "bypass_mode",
    "dora_wd",
    "use_scalar",
    "rank_dropout_scale",
    "train_norm",
)
NETWORKS: Mapping[str, Network] = {
    "Standard": Network("", said=(*_BLOCKS, *_DROPOUTS)),
    "Kohya LoCon": Network("", (*SD_FAMILIES, "sd3"), always=_CONV, said=(*_BLOCKS, *_DROPOUTS)),
    "LoRA-FA": Network("networks.lora_fa", SD_FAMILIES, said=(*_BLOCKS, *_DROPOUTS)),
    "Kohya DyLoRA": Network("networks.dylora", SD_FAMILIES, always=(*_CONV, "unit"), said=(*_BLOCKS, *_DROPOUTS)),
    "Kohya LoHa": _native("loha", "LyCORIS/LoHa", *_CONV, "use_tucker"),
    "Kohya LoKr": _native("lokr", "LyCORIS/LoKr", *_CONV, "use_tucker", "factor"),
    "Flux1": Network(
        "networks.lora_flux",
        ("flux", "chroma"),
        always=("train_double_block_indices", "train_single_block_indices"),
        said=("ggpo_sigma", "ggpo_beta", *_FLUX_DIMS, "train_blocks", "split_qkv", "train_t5xxl", *_DROPOUTS),
    ),
    "Flux1 OFT": Network("networks.oft_flux", ("flux", "chroma"), said=("enable_all_linear",)),
    "HunyuanImage-2.1": Network("networks.lora_hunyuan_image", ("hunyuan-image",), said=_DROPOUTS),
    "Anima": Network("networks.lora_anima", ("anima",), said=_DROPOUTS),
    "Lumina": Network("networks.lora_lumina", ("lumina",), said=_DROPOUTS),
    "LyCORIS/LoCon": _lycoris("locon", *_LOCON),
    "LyCORIS/LoHa": _lycoris("loha", *_LOCON),
    "LyCORIS/LoKr": _lycoris("lokr", *_LOCON, "factor", "use_cp", "decompose_both"),
    "LyCORIS/Diag-OFT": _lycoris("diag-oft", *_LYCORIS, *_DROPOUTS, *_OFT, renamed=(("constrain", "constraint"),)),
    "LyCORIS/BOFT": _lycoris("boft", *_LYCORIS, *_DROPOUTS, "use_tucker", "rank_dropout_scale", "train_norm"),
    "LyCORIS/DyLoRA": _lycoris(
        "dylora", *_LYCORIS, "use_tucker", "unit", *_DROPOUTS, "train_norm", renamed=(("unit", "block_size"),)
    ),
    "LyCORIS/GLoRA": _lycoris("glora", *_LYCORIS, "use_tucker", *_DROPOUTS, "rank_dropout_scale", "train_norm"),
    "LyCORIS/iA3": _lycoris("ia3", *_LYCORIS, "train_on_input"),
    "LyCORIS/Native Fine-Tuning": _lycoris("full", "LyCORIS_preset", *_DROPOUTS, "rank_dropout_scale", "train_norm"),
}
# Other names of the same, of earlier versions.
OLDER_NAMES = {"LoCon": "LyCORIS/LoCon", "LyCORIS/LoCON": "LyCORIS/LoCon"}


# What fields hold that nobody touched, beyond 0, 1, -1 and false.
UNTOUCHED: Mapping[str, Any] = {
    "LyCORIS_preset": "full",
    "ggpo_sigma": 0.03,
    "ggpo_beta": 0.01,
    "train_blocks": "all",
    "train_double_block_indices": "all",
    "train_single_block_indices": "all",
    "train_on_input": True,
}
# What `Standard` is where the family has a module of its own kind.
_STANDARD_OF = {
    "flux": "Flux1",
    "chroma": "Flux1",
    "hunyuan-image": "HunyuanImage-2.1",
    "anima": "Anima",
    "lumina": "Lumina",
}


def network_of(kind: str, family: str) -> Network | None:
    """Returns the network that a `LoRA_type` stands for, None for a kind that no version of the GUI had."""
    network = NETWORKS.get(OLDER_NAMES.get(kind, kind))
    return NETWORKS[_STANDARD_OF[family]] if kind == "Standard" and family in _STANDARD_OF else network


def items_of(network: Network, values: Mapping[str, Any]) -> dict[str, str]:
    """Returns the items of `network_args` that keys of the GUI become, by key.

    >>> items_of(NETWORKS["Kohya LoCon"], {"conv_dim": 8, "factor": 4})
    {'conv_dim': 'conv_dim=8'}
    """
    renamed = {"LyCORIS_preset": "preset", **dict(network.renamed)}
    said = set(_said(network, values))
    return {
        key: f"{renamed.get(key, key)}={_text(value)}"
        for key, value in values.items()
        if value not in (None, "") and (key in network.always or key in said)
    }


def _said(network: Network, values: Mapping[str, Any]) -> Iterator[str]:
    has_conv = number_of(values.get("conv_dim")) not in (None, 0, 1)
    for key, value in values.items():
        if key in LORAPLUS:
            says_something = number_of(value) != 0
        elif key in _CONV:
            says_something = has_conv
        elif key.startswith("ggpo_"):
            says_something = values.get("train_lora_ggpo") is True
        else:
            says_something = number_of(value) != (-1 if key == "factor" else 0) and value not in (False, "all")
        if says_something and (key in network.said or key in LORAPLUS):
            yield key


def _text(value: Any) -> str:
    # Booleans as Python writes them: the networks compare with `True`. The GUI took double quotes away.
    return value.replace('"', "").strip() if isinstance(value, str) else str(value)
