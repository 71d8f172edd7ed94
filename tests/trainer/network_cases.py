"""Networks that are compared with the trainer's own: each argument that says which layers are trained, or how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Case = dict[str, Any]

_SD_DIMS, _SDXL_DIMS = (",".join(str(number % 5) for number in range(count)) for count in (25, 23))
_ALPHAS = {25: ",".join(str(number % 3) for number in range(25)), 23: ",".join(str(number % 3) for number in range(23))}
_FLUX: tuple[dict[str, str], ...] = (
    {"train_t5xxl": "True"},
    {"train_blocks": "all"},
    {"train_blocks": "double"},
    {"train_blocks": "single", "split_qkv": "True"},
    {"train_double_block_indices": "0-3,7"},
    {"train_single_block_indices": "none", "train_double_block_indices": "all"},
    {
        "img_attn_dim": "2", "txt_attn_dim": "3", "img_mlp_dim": "0", "txt_mlp_dim": "5", "img_mod_dim": "6",
        "txt_mod_dim": "7", "single_dim": "9", "single_mod_dim": "1",
    },
    {"in_dims": "[1,2,3,0,5]", "single_dim": "2"},
    {"conv_dim": "4"},
    {"network_reg_dims": "img_attn=3,single_blocks_1_=0,te1.*mlp=2", "train_single_block_indices": "0-4"},
)  # fmt: skip
_SD3: tuple[dict[str, str], ...] = (
    {"train_t5xxl": "True"},
    {"split_qkv": "True"},
    {"train_block_indices": "0,3-5"},
    {
        "context_attn_dim": "2", "context_mlp_dim": "3", "context_mod_dim": "0", "x_attn_dim": "5", "x_mlp_dim": "6",
        "x_mod_dim": "7",
    },
    {"emb_dims": "1,2,3,4,5,6"},
    {"emb_dims": "1,2,3,4,5,6", "conv_dim": "9", "train_block_indices": "none"},
)  # fmt: skip
_LUMINA: tuple[dict[str, str], ...] = (
    *({"train_blocks": name} for name in ("transformer", "refiners", "noise_refiner", "context_refiner")),
    {"attn_dim": "2", "mlp_dim": "3", "mod_dim": "0", "refiner_dim": "5"},
    {"embedder_dims": "[1,2,3]", "mlp_dim": "6"},
)
_HUNYUAN: tuple[dict[str, str], ...] = ({"split_qkv": "True"}, {"network_reg_dims": "double=3,single_blocks_1_=0"})
_ANIMA: tuple[dict[str, str], ...] = (
    {"train_llm_adapter": "TRUE"},
    {"exclude_patterns": "['.*q_proj']"},
    {"exclude_patterns": "['.*']", "include_patterns": "['.*v_proj','.*_embedder.*']"},
    {"network_reg_dims": ".*k_proj=3,.*mlp.*=0"},
)


def cases() -> Iterator[Case]:
    """Yields the cases, those of one family after the other."""
    yield _case("sd2", "lora")
    for family, dims in (("sd15", _SD_DIMS), ("sdxl", _SDXL_DIMS)):
        alphas = _ALPHAS[dims.count(",") + 1]
        yield _case(family, "lora")
        yield _case(family, "lora", text=False)
        yield _case(family, "lora", unet=False)
        yield _case(family, "lora", alpha=0.0)
        yield _case(family, "lora", {"conv_dim": "4", "conv_alpha": "0"})
        yield _case(family, "lora", {"block_dims": dims, "conv_dim": "3"})
        yield _case(family, "lora", {"block_dims": dims, "block_alphas": alphas})
        yield _case(family, "lora", {"block_dims": dims, "conv_block_dims": dims, "conv_block_alphas": alphas})
        yield _case(family, "lora", {"conv_block_dims": dims})
        yield _case(family, "lora_fa", {"conv_dim": "2"})
    yield _case("sd15", "lora_fa", {"block_dims": _SD_DIMS})
    for family, module, all_arguments in (
        ("sd3", "lora_sd3", _SD3),
        ("flux", "lora_flux", _FLUX),
        ("chroma", "lora_flux", _FLUX[:1]),
        ("lumina", "lora_lumina", _LUMINA),
        ("hunyuan-image", "lora_hunyuan_image", _HUNYUAN),
        ("anima", "lora_anima", _ANIMA),
    ):
        yield _case(family, module)
        yield _case(family, module, alpha=0.0, text=False)
        for arguments in all_arguments:
            yield _case(family, module, arguments)


def _case(
    family: str,
    module: str,
    arguments: dict[str, str] | None = None,
    *,
    alpha: float = 4.0,
    text: bool = True,
    unet: bool = True,
) -> Case:
    return {
        "family": family, "module": module, "dim": 8, "alpha": alpha, "arguments": arguments or {}, "text": text,
        "unet": unet,
    }  # fmt: skip
