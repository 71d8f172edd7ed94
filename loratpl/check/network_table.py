"""The trainer's network modules: whose models each is for, and the arguments that each understands.

Data, read off the modules' `create_network` (sd-scripts 48d368fa); what is not here they drop without a word.
"""

from __future__ import annotations

from dataclasses import dataclass

from loratpl.check.rule import UNET_FAMILIES


@dataclass(frozen=True, slots=True)
class NetworkModule:
    """One module.

    Attributes:
        families: Whose models it finds layers in.
        arguments: Name of each → how its text must look, a key of network.py's `KINDS`.
        scales_norms: Whether it can do `scale_weight_norms`.
    """

    families: frozenset[str]
    arguments: dict[str, str]
    scales_norms: bool = True


_LORA_PLUS = dict.fromkeys(("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio"), "number")
_CONV = {"conv_dim": "rank", "conv_alpha": "number"}
_DROPOUTS = {"rank_dropout": "share", "module_dropout": "share"}
_PATTERNS = {"network_reg_dims": "ranks by pattern", "network_reg_lrs": "rates by pattern"}
_GGPO = {"ggpo_beta": "number", "ggpo_sigma": "number"}
_BLOCKS = {
    **dict.fromkeys(("block_dims", "conv_block_dims"), "ranks by block"),
    **dict.fromkeys(("block_alphas", "conv_block_alphas"), "numbers by block"),
    **dict.fromkeys(("down_lr_weight", "mid_lr_weight", "up_lr_weight"), "weights"),
    "block_lr_zero_threshold": "number",
}
_FLUX_RANKS = (
    "img_attn_dim", "txt_attn_dim", "img_mlp_dim", "txt_mlp_dim", "img_mod_dim", "txt_mod_dim", "single_dim",
    "single_mod_dim",
)  # fmt: skip
_SD3_RANKS = ("context_attn_dim", "context_mlp_dim", "context_mod_dim", "x_attn_dim", "x_mlp_dim", "x_mod_dim")
_LUMINA_RANKS = ("attn_dim", "mlp_dim", "mod_dim", "refiner_dim")
_FLUX_FAMILIES = frozenset({"flux", "chroma"})

MODULES = {
    "networks.lora": NetworkModule(UNET_FAMILIES, {**_CONV, **_BLOCKS, **_DROPOUTS, **_LORA_PLUS}),
    "networks.lora_fa": NetworkModule(UNET_FAMILIES, {**_CONV, **_BLOCKS, **_DROPOUTS}),
    "networks.dylora": NetworkModule(UNET_FAMILIES, {**_CONV, "unit": "rank", **_LORA_PLUS}, scales_norms=False),
    "networks.oft": NetworkModule(
        UNET_FAMILIES, {"enable_all_linear": "on", "enable_conv": "on"}, scales_norms=False
    ),
    "networks.oft_flux": NetworkModule(_FLUX_FAMILIES, {"enable_all_linear": "on"}, scales_norms=False),
    "networks.lora_flux": NetworkModule(
        _FLUX_FAMILIES,
        {
            **_CONV, **_DROPOUTS, **_LORA_PLUS, **_GGPO, **_PATTERNS, **dict.fromkeys(_FLUX_RANKS, "rank"),
            "in_dims": "5 ranks", "train_double_block_indices": "blocks below 19",
            "train_single_block_indices": "blocks below 38", "train_blocks": "all|single|double", "split_qkv": "flag",
            "train_t5xxl": "flag", "verbose": "flag",
        },
    ),
    "networks.lora_sd3": NetworkModule(
        frozenset({"sd3"}),
        {
            **_CONV, **_DROPOUTS, **_LORA_PLUS, **dict.fromkeys(_SD3_RANKS, "rank"), "emb_dims": "6 ranks",
            "train_block_indices": "blocks below 38", "split_qkv": "flag", "train_t5xxl": "flag", "verbose": "flag",
        },
    ),
    "networks.lora_lumina": NetworkModule(
        frozenset({"lumina"}),
        {
            **_CONV, **_DROPOUTS, **_LORA_PLUS, **dict.fromkeys(_LUMINA_RANKS, "rank"), "embedder_dims": "3 ranks",
            "train_blocks": "all|transformer|refiners|noise_refiner|context_refiner", "split_qkv": "flag",
            "verbose": "flag",
        },
    ),
    "networks.lora_hunyuan_image": NetworkModule(
        frozenset({"hunyuan-image"}),
        {**_CONV, **_DROPOUTS, **_LORA_PLUS, **_GGPO, **_PATTERNS, "split_qkv": "flag", "verbose": "flag"},
    ),
    "networks.lora_anima": NetworkModule(
        frozenset({"anima"}),
        {
            **_DROPOUTS, **_LORA_PLUS, **_PATTERNS, "train_llm_adapter": "flag", "exclude_patterns": "patterns",
            "include_patterns": "patterns", "verbose": "flag",
        },
    ),
}  # fmt: skip
