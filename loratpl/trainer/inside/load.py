"""Proves that a LoRA does something elsewhere: loads it into Diffusers and compares a render with and without it.

Run by the trainer's interpreter, by path: `python load.py --model DIFFUSERS_DIR --lora FILE --out loaded.json`
On the CPU, in float32, without network, in two steps at 64x64 pixels: not to look at, but to see a difference.
Diffusers 0.32 reads the trainer's files for Stable Diffusion 1, 2 and XL and for FLUX.1. It refuses those for Stable
Diffusion 3, and has no pipeline for Lumina 2, Chroma, HunyuanImage 2.1 and Anima.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torchvision_ops

SIDE_PX = 64
STEPS = 2


def pipeline_of(model_dir: Path) -> Any:
    """Returns the pipeline of a Diffusers folder, of whichever class its model_index.json names."""
    import torch
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(model_dir, torch_dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def render(pipeline: Any, prompt: str, seed: int) -> Any:
    """Returns the latents of a picture. Not its pixels: those are clipped, which can hide a difference.

    Raises:
        ValueError: the latents hold NaN or infinities.
    """
    import torch

    latents = pipeline(
        prompt,
        height=SIDE_PX,
        width=SIDE_PX,
        num_inference_steps=STEPS,
        generator=torch.Generator().manual_seed(seed),
        output_type="latent",
    ).images
    if not bool(torch.isfinite(latents).all()):
        raise ValueError("The render has NaN or infinities in it.")
    return latents


def lora_layers_of(pipeline: Any) -> int:
    """Returns how many layers of the pipeline's models now have a LoRA beside them."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    models = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    return sum(isinstance(layer, BaseTunerLayer) for model in models for layer in model.modules())


def compared(model_dir: Path, lora_path: Path, prompt: str, seed: int) -> dict[str, object]:
    """Returns the differences between the latents with and without the LoRA, and how many layers it has."""
    pipeline = pipeline_of(model_dir)
    without = render(pipeline, prompt, seed)
    # Folder and name apart: without a network, Diffusers does not guess which file of a path is meant.
    pipeline.load_lora_weights(lora_path.parent, weight_name=lora_path.name, local_files_only=True)
    difference = (render(pipeline, prompt, seed) - without).abs()
    return {
        "max_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        "lora_layers": lora_layers_of(pipeline),
    }


def main() -> None:
    """Writes the comparison to the file that the command line names."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--model", type=Path, required=True, help="a pipeline in the layout of Diffusers")
    arguments.add_argument("--lora", type=Path, required=True, help="a safetensors file of the trainer")
    arguments.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("--prompt", default="a photo", help="what to render")
    arguments.add_argument("--seed", type=int, default=0, help="of the noise to start from")
    given = arguments.parse_args()

    os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
    torchvision_ops.install()
    result = compared(given.model.resolve(), given.lora.resolve(), given.prompt, given.seed)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
