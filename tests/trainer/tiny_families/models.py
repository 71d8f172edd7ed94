"""A tiny random model of each family, in the files that its users have."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.trainer.tiny_families.tokenizers import write_qwen3
from tests.trainer.tiny_families.weights import built_by, library, prefixed, random_weights, written

MODEL = "pretrained_model_name_or_path"
# What most loaders take: the file, the type of its tensors, the device.
_LOADING = ("", None, "cpu")
Files = dict[str, str]


def sd15(folder: Path) -> Files:
    """The model of `trainer verify`: a Diffusers folder."""
    tiny_model = importlib.import_module("tiny_model")
    tiny_model.write_model(folder / "model", tiny_model.TINY, 0)
    return {MODEL: str(folder / "model")}


def sd2(folder: Path) -> Files:
    """A Diffusers folder with what sets Stable Diffusion 2 apart: its text encoder, its heads, its projections."""
    import torch
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    tiny_model = importlib.import_module("tiny_model")
    sizes = tiny_model.TINY
    tiny_model.write_model(folder / "model", sizes, 0)
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=tiny_model.VOCABULARY_SIZE, hidden_size=sizes.text_width, intermediate_size=64,
        projection_dim=sizes.text_width, num_hidden_layers=23, num_attention_heads=sizes.text_heads, hidden_act="gelu",
    )  # fmt: skip
    CLIPTextModel(text).save_pretrained(folder / "model" / "text_encoder")
    unet = UNet2DConditionModel(
        sample_size=64, block_out_channels=sizes.unet_channels, cross_attention_dim=sizes.text_width,
        attention_head_dim=[1, 2, 2, 2], use_linear_projection=True,
    )  # fmt: skip
    unet.save_pretrained(folder / "model" / "unet")
    return {MODEL: str(folder / "model")}


def sdxl(folder: Path) -> Files:
    """One file in the original layout, written by the trainer's own code for it."""
    import torch
    from diffusers import AutoencoderKL
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    util = library("sdxl_model_util")
    tokens = {"max_position_embeddings": 77, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    first = CLIPTextModel(util.CLIPTextConfig(num_hidden_layers=12, hidden_act="quick_gelu", **tokens))
    second = CLIPTextModelWithProjection(util.CLIPTextConfig(num_hidden_layers=32, hidden_act="gelu", **tokens))
    unet = library("sdxl_original_unet").SdxlUNet2DConditionModel()
    vae = AutoencoderKL(**library("model_util").create_vae_diffusers_config())
    path, scale = folder / "model.safetensors", torch.tensor(4.6)
    folder.mkdir(parents=True)
    util.save_stable_diffusion_checkpoint(str(path), first, second, unet, 0, 0, None, vae, scale, None)
    return {MODEL: str(path)}


def sd3(folder: Path) -> Files:
    """Transformer and VAE in one file, as they are published; sized by its tensors, with the norms of 3.5 large."""
    models, util = library("sd3_models"), library("sd3_utils")
    depth = 2  # the width is 64 times the depth
    sizes = models.SD3Params(
        patch_size=2, depth=depth, num_patches=32 * 32, pos_embed_max_size=32, adm_in_channels=64, qk_norm="rms",
        x_block_self_attn_layers=[], context_embedder_in_features=64, context_embedder_out_features=64 * depth,
        model_type="5-large",
    )  # fmt: skip
    tensors = prefixed("model.diffusion_model.", random_weights(models.create_sd3_mmdit(sizes)))
    tensors |= prefixed("first_stage_model.", random_weights(models.SDVAE()))
    return {
        MODEL: written(tensors, folder / "model.safetensors"),
        "clip_l": _made(folder, "clip_l", util.load_clip_l),
        "clip_g": _made(folder, "clip_g", util.load_clip_g),
        "t5xxl": _made(folder, "t5xxl", library("flux_utils").load_t5xxl),
    }


def flux(folder: Path) -> Files:
    """FLUX.1 dev: four files."""
    models, util = library("flux_models"), library("flux_utils")
    transformer = random_weights(models.Flux(models.configs["dev"].params))
    return {
        MODEL: written(transformer, folder / "model.safetensors"),
        "ae": _made(folder, "ae", util.load_ae),
        "clip_l": _made(folder, "clip_l", util.load_clip_l),
        "t5xxl": _made(folder, "t5xxl", util.load_t5xxl),
    }


def chroma(folder: Path) -> Files:
    """As FLUX.1, without CLIP."""
    models, util = library("chroma_models"), library("flux_utils")
    return {
        MODEL: written(random_weights(models.Chroma(models.chroma_params)), folder / "model.safetensors"),
        "ae": _made(folder, "ae", util.load_ae),
        "t5xxl": _made(folder, "t5xxl", util.load_t5xxl),
    }


def lumina(folder: Path) -> Files:
    """Lumina Image 2 with FLUX's autoencoder."""
    util = library("lumina_util")
    transformer = built_by(util.load_lumina_model, *_LOADING)
    return {
        MODEL: written(random_weights(transformer), folder / "model.safetensors"),
        "gemma2": _made(folder, "gemma2", util.load_gemma2),
        "ae": _made(folder, "ae", util.load_ae),
    }


def hunyuan_image(folder: Path) -> Files:
    """HunyuanImage 2.1; its text encoders lie in half precision and under the names of their publishers."""
    import torch

    models, text = library("hunyuan_image_models"), library("hunyuan_image_text_encoder")
    qwen = random_weights(built_by(text.load_qwen2_5_vl, *_LOADING), dtype=torch.bfloat16)
    byt5 = prefixed("encoder.", random_weights(built_by(text.load_byt5, *_LOADING), dtype=torch.float16))
    byt5["shared.weight"] = byt5.pop("encoder.embed_tokens.weight")
    return {
        MODEL: written(random_weights(models.create_model("torch", False, None)), folder / "model.safetensors"),
        "text_encoder": written({_published(name): t for name, t in qwen.items()}, folder / "qwen.safetensors"),
        "byt5": written(byt5, folder / "byt5.safetensors"),
        "vae": written(random_weights(library("hunyuan_image_vae").HunyuanVAE2D()), folder / "vae.safetensors"),
    }


def anima(folder: Path) -> Files:
    """Anima; its text encoder lies in a folder with its tokenizer."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    util = library("anima_utils")
    reads_with = "load_safetensors_with_lora_and_fp8"
    loading = ("cpu", "", "torch", False, "cpu", torch.float32)
    transformer = random_weights(built_by(util.load_anima_model, *loading, reads_with=reads_with))
    computed = ("seq", "dim_spatial_range", "dim_temporal_range", "inv_freq")  # not in the files of this model
    kept = {name: tensor for name, tensor in transformer.items() if name.rpartition(".")[2] not in computed}
    vae = built_by(library("qwen_image_autoencoder_kl").load_vae, "")
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=write_qwen3(folder / "qwen3"), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder / "qwen3")
    return {
        MODEL: written(prefixed("net.", kept), folder / "model.safetensors"),
        "qwen3": str(folder / "qwen3"),
        "vae": written(random_weights(vae), folder / "vae.safetensors"),
    }


MAKERS: dict[str, Callable[[Path], Files]] = {
    "sd15": sd15, "sd2": sd2, "sdxl": sdxl, "sd3": sd3, "flux": flux, "chroma": chroma, "lumina": lumina,
    "hunyuan-image": hunyuan_image, "anima": anima,
}  # fmt: skip


def _made(folder: Path, name: str, load: Callable[..., Any]) -> str:
    """Returns the file of random weights for the model that one of the trainer's loaders builds."""
    return written(random_weights(built_by(load, *_LOADING)), folder / f"{name}.safetensors")


def _published(name: str) -> str:
    """The name of a tensor of Qwen2.5-VL in its published file; the library has renamed them since."""
    if name.startswith("model.language_model."):
        return name.replace("model.language_model.", "model.", 1)
    return name.replace("model.visual.", "visual.", 1)
