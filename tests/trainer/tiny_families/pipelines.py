"""Pipelines to try a tiny LoRA in, where Diffusers reads the trainer's files and writes out no width of its own."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

TOKENS = {"max_position_embeddings": 77, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}


def write_sdxl(folder: Path) -> None:
    """Writes a random Stable Diffusion XL pipeline with the layers and widths of the tiny model."""
    import diffusers
    import torch
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    tiny_model = importlib.import_module("tiny_model")
    util = importlib.import_module("library.sdxl_model_util")
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "unet": diffusers.UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(32, 64, 128),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 2),
            cross_attention_dim=64,
            attention_head_dim=(1, 1, 2),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=32 + 6 * 256,
        ),
        "vae": diffusers.AutoencoderKL(**importlib.import_module("library.model_util").create_vae_diffusers_config()),
        "text_encoder": CLIPTextModel(util.CLIPTextConfig(num_hidden_layers=12, hidden_act="quick_gelu", **TOKENS)),
        "text_encoder_2": CLIPTextModelWithProjection(
            util.CLIPTextConfig(num_hidden_layers=32, hidden_act="gelu", **TOKENS)
        ),
        "scheduler": tiny_model.scheduler(),
    }
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    for name in ("tokenizer", "tokenizer_2"):
        tiny_model.write_tokenizer(folder / name)
    index = {name: [type(part).__module__.partition(".")[0], type(part).__name__] for name, part in parts.items()}
    index |= {name: ["transformers", "CLIPTokenizer"] for name in ("tokenizer", "tokenizer_2")}
    content = {"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": True, **index}
    (folder / "model_index.json").write_text(json.dumps(content), encoding="utf-8")
