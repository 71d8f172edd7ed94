"""Makes a random model with the block structure of Stable Diffusion 1, small enough to train on a CPU in seconds.

Run by the trainer's interpreter, by path: `python tiny_model.py --out-dir DIR --out made.json [--seed 0]`
Writes DIR/model (a Diffusers folder) and DIR/tokenizers (for the trainer's `--tokenizer_cache_dir`). Every
layer of the real model is there, so a LoRA of it has the real names; only the widths are small. The trainer's
SD1 script has the real widths written into `library.original_unet`, so it trains this model only where
BLOCK_OUT_CHANNELS, TIMESTEP_INPUT_DIM and TIME_EMBED_DIM are set to match. `--full-size` keeps the real widths.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torchvision_ops
from tiny_unet import BLOCK_OUT_CHANNELS

# Where the trainer looks for the SD1 tokenizer inside its `--tokenizer_cache_dir`.
CACHED_TOKENIZER_NAME = "openai_clip-vit-large-patch14"

# The trainer pads and cuts long captions at these two ids, which are the last ones of CLIP's vocabulary.
START_TOKEN, START_ID = "<|startoftext|>", 49406
END_TOKEN, END_ID = "<|endoftext|>", 49407
VOCABULARY_SIZE = 49408
MAX_TOKENS = 77


@dataclass(frozen=True)
class Sizes:
    """The widths of a model; the numbers of layers are always those of Stable Diffusion 1.

    Attributes:
        unet_channels: of the four levels of the U-Net; multiples of 32, its number of norm groups.
        vae_channels: of the four levels of the VAE.
        text_width: of the text encoder and of the U-Net's cross-attention.
        text_heads: attention heads of the text encoder; divides text_width.
        precision: the name of the torch type to save weights in.
    """

    unet_channels: tuple[int, int, int, int]
    vae_channels: tuple[int, int, int, int]
    text_width: int
    text_heads: int
    precision: str


TINY = Sizes(BLOCK_OUT_CHANNELS, BLOCK_OUT_CHANNELS, text_width=32, text_heads=4, precision="float32")
# float16 halves the 4 GB; the trainer loads it in its own precision anyway.
FULL = Sizes((320, 640, 1280, 1280), (128, 256, 512, 512), text_width=768, text_heads=12, precision="float16")

NO_COMPONENT = [None, None]
MODEL_INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": NO_COMPONENT,
    "image_encoder": NO_COMPONENT,
    "requires_safety_checker": False,
    "safety_checker": NO_COMPONENT,
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def vocabulary() -> dict[str, int]:
    """Returns CLIP's ids of the single bytes, of the bytes that end a word, and of the two special tokens.

    Any text can be written with these: what the real vocabulary has beyond them are merges, of which the tiny
    tokenizer has none. The ids are those of the real one.
    """
    from transformers.models.clip.tokenization_clip import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    tokens = letters + [f"{letter}</w>" for letter in letters]
    return {token: number for number, token in enumerate(tokens)} | {START_TOKEN: START_ID, END_TOKEN: END_ID}


def write_json(path: Path, content: object) -> None:
    """Writes a value as JSON, and the folders above the file where they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_tokenizer(folder: Path) -> None:
    """Writes a byte-level CLIP tokenizer as the files that `CLIPTokenizer.from_pretrained` reads."""
    specials = {
        "bos_token": START_TOKEN,
        "eos_token": END_TOKEN,
        "unk_token": END_TOKEN,
        "pad_token": END_TOKEN,
    }
    write_json(folder / "vocab.json", vocabulary())
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    write_json(folder / "special_tokens_map.json", specials)
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": MAX_TOKENS,
            "do_lower_case": True,
            **specials,
        },
    )


def text_encoder(sizes: Sizes) -> Any:
    """Returns a random CLIP text encoder with the 12 layers of SD1's."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=sizes.text_width,
        intermediate_size=4 * sizes.text_width,
        projection_dim=sizes.text_width,
        num_hidden_layers=12,
        num_attention_heads=sizes.text_heads,
        max_position_embeddings=MAX_TOKENS,
        hidden_act="quick_gelu",
        bos_token_id=START_ID,
        eos_token_id=END_ID,
        pad_token_id=END_ID,
    )
    return CLIPTextModel(config)


def unet(sizes: Sizes) -> Any:
    """Returns a random U-Net; all that is not a width is SD1's, and the default of Diffusers."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=sizes.unet_channels,
        cross_attention_dim=sizes.text_width,
        # The number of heads, in spite of its name: https://github.com/huggingface/diffusers/issues/2011
        attention_head_dim=8,
    )


def vae(sizes: Sizes) -> Any:
    """Returns a random VAE that makes latents of an eighth of the picture's width and height, as SD1's does."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=sizes.vae_channels,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    )


def scheduler() -> Any:
    """Returns the noise schedule of SD1; the trainer makes its own, this one is for rendering."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


MAKERS: dict[str, Callable[[Sizes], Any]] = {"text_encoder": text_encoder, "unet": unet, "vae": vae}


def write_model(model_dir: Path, sizes: Sizes, seed: int) -> None:
    """Writes a pipeline in the layout of Diffusers; the same seed and sizes give the same weights, byte by byte."""
    import diffusers
    import torch

    for name, make in MAKERS.items():
        # Seeded for each part, so that no part depends on how many random numbers another one drew.
        torch.manual_seed(seed)
        part = make(sizes).to(getattr(torch, sizes.precision))
        part.save_pretrained(model_dir / name, safe_serialization=True)
    scheduler().save_pretrained(model_dir / "scheduler")
    write_tokenizer(model_dir / "tokenizer")
    write_json(model_dir / "model_index.json", {**MODEL_INDEX, "_diffusers_version": diffusers.__version__})


def main() -> None:
    """Writes the model, the tokenizer, and a JSON file that says where they are."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out-dir", type=Path, required=True, help="the folder to write into")
    arguments.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("--seed", type=int, default=0, help="of the random weights")
    arguments.add_argument("--full-size", action="store_true", help="the real widths of SD1, 2 GB")
    given = arguments.parse_args()

    os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported; nothing here needs a network
    torchvision_ops.install()
    sizes = FULL if given.full_size else TINY
    out_dir = given.out_dir.resolve()
    write_model(out_dir / "model", sizes, given.seed)
    write_tokenizer(out_dir / "tokenizers" / CACHED_TOKENIZER_NAME)
    made = {
        "model_dir": str(out_dir / "model"),
        "tokenizer_cache_dir": str(out_dir / "tokenizers"),
        "unet_block_out_channels": list(sizes.unet_channels),
    }
    write_json(given.out, made)


if __name__ == "__main__":
    main()
