"""The second generation of the GUI's keys, the network: its kind, and what becomes an item of `network_args`."""

from __future__ import annotations

from loratpl.config.gui.key import GuiKey, same
from loratpl.config.gui.values import as_written, unset_at_zero

_REASON = "an item of `network_args`, where the network of `LoRA_type` knows it"


def _arguments(*names: str, reason: str = _REASON) -> tuple[GuiKey, ...]:
    return tuple(GuiKey(name, "network_args", as_written, reason, argument=name) for name in names)


ROWS = (
    GuiKey(
        "LoRA_type",
        "network_module",
        as_written,
        "the module that it stands for, and `algo=…` in `network_args` for the kinds of LyCORIS; `Standard` is the "
        "family's own module",
    ),
    *same("network_dropout", "scale_weight_norms", reason="the same option; 0 is unset", meaning=unset_at_zero),
    *same("dim_from_weights"),
    *_arguments(
        "conv_dim",
        "conv_alpha",
        reason=f"{_REASON}; 1, which nobody chose, is left out for `Kohya LoHa` and `Kohya LoKr`",
    ),
    *_arguments(
        "down_lr_weight",
        "mid_lr_weight",
        "up_lr_weight",
        "block_lr_zero_threshold",
        "block_dims",
        "block_alphas",
        "conv_block_dims",
        "conv_block_alphas",
        "rank_dropout",
        "module_dropout",
        "use_tucker",
        "use_scalar",
        "use_cp",
        "factor",
        "decompose_both",
        "rank_dropout_scale",
        "bypass_mode",
        "dora_wd",
        "train_norm",
        "rescaled",
        "train_on_input",
        "enable_all_linear",
        "img_attn_dim",
        "img_mlp_dim",
        "img_mod_dim",
        "single_dim",
        "single_mod_dim",
        "txt_attn_dim",
        "txt_mlp_dim",
        "txt_mod_dim",
        "in_dims",
        "train_double_block_indices",
        "train_single_block_indices",
        "split_qkv",
        "train_t5xxl",
        "loraplus_lr_ratio",
        "loraplus_unet_lr_ratio",
        "loraplus_text_encoder_lr_ratio",
    ),
    *_arguments("train_blocks", reason=f"{_REASON}; `all` is unset (the GUI lost it unless `split_mode` was ticked)"),
    *_arguments("ggpo_sigma", "ggpo_beta", reason=f"{_REASON}, and `train_lora_ggpo` is true"),
    GuiKey("train_lora_ggpo", "network_args", as_written, "true sends `ggpo_sigma` and `ggpo_beta`", argument="-"),
    GuiKey("LyCORIS_preset", "network_args", as_written, "`preset=…` in `network_args`", argument="preset"),
    GuiKey("constrain", "network_args", as_written, "`constraint=…` in `network_args`", argument="constraint"),
    GuiKey(
        "unit",
        "network_args",
        as_written,
        "`unit=…` in `network_args`; `block_size=…` for `LyCORIS/DyLoRA`",
        argument="unit",
    ),
)
