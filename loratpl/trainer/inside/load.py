"""Proves that a LoRA loads onto a base model in Diffusers: what of it finds a layer, and how much it changes a render.

Run by the trainer's interpreter, by path: `python load.py --model MODEL --lora FILE… --out loaded.json`
MODEL is a pipeline in the layout of Diffusers, or one file of Stable Diffusion 1, 2 or XL whose configs are in the
hub's cache. What goes wrong with the model or with the LoRA is an answer and no failure: `{"failed": "base", …}`.

On the CPU, in float32, without network, in two steps at 64x64 pixels: not to look at, but to see a difference.
Diffusers 0.32 reads the trainer's files for Stable Diffusion 1, 2 and XL and for FLUX.1. It refuses those for Stable
Diffusion 3, and has no pipeline for Lumina 2, Chroma, HunyuanImage 2.1 and Anima.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torchvision_ops

SIDE_PX = 64
STEPS = 2
MAX_NAMES = 50
MAX_NOTES = 5
# What follows a layer's name in the names that Diffusers converts a LoRA's into.
ENDS = re.compile(
    r"(?:\.lora(?:_linear_layer)?\.(?:down|up)\.weight|_lora\.(?:down|up)\.weight|\.lora_[AB](?:\.\w+)?\.(?:weight|bias)"
    r"|\.lora_magnitude_vector(?:\.\w+)*|\.dora_scale|\.alpha)$"
)
# Layers of text encoders that Diffusers still has the names of its first LoRAs for.
OLD_LAYERS = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}


class Notes(logging.Handler):
    """Keeps what Diffusers and PEFT warn of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one warning."""
        self.texts.append(record.getMessage()[:500])


def pipeline_of(model: Path) -> Any:
    """Returns the pipeline of a folder, of whichever class its model_index.json names, or that of a single file."""
    is_folder = model.is_dir()
    has_two_encoders = not is_folder and is_xl(model)  # before the libraries, which take seconds
    import torch
    from diffusers import DiffusionPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline

    if is_folder:
        pipeline = DiffusionPipeline.from_pretrained(model, torch_dtype=torch.float32, local_files_only=True)
    else:
        pipeline_class = StableDiffusionXLPipeline if has_two_encoders else StableDiffusionPipeline
        pipeline = pipeline_class.from_single_file(model, torch_dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def is_xl(model: Path) -> bool:
    """Returns whether a single file has the second text encoder of Stable Diffusion XL.

    Raises:
        SafetensorError: it is no safetensors file; others are not opened, for that can run code.
    """
    from safetensors import safe_open

    with safe_open(model, framework="np") as file:
        return any(name.startswith("conditioner.embedders.1.") for name in file.keys())  # noqa: SIM118 - no mapping


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


def wanted_layers(pipeline: Any, lora: Path) -> set[str]:
    """Returns the layers that a LoRA is for, as Diffusers reads its names: `unet.mid_block.…`."""
    more = {"unet_config": pipeline.unet.config} if hasattr(pipeline, "unet") else {}
    converted = type(pipeline).lora_state_dict(lora.parent, weight_name=lora.name, local_files_only=True, **more)
    state = converted[0] if isinstance(converted, tuple) else converted
    return {layer_of(name) for name in state}


def layer_of(name: str) -> str:
    """Returns the layer of a tensor.

    >>> layer_of("text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.up.weight")
    'text_encoder.text_model.encoder.layers.0.self_attn.q_proj'
    >>> layer_of("unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight")
    'unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0'
    """
    layer = ENDS.sub("", name).replace(".processor.", ".")
    rest, _, last = layer.rpartition(".")
    if layer.startswith("text_encoder") and rest.endswith("self_attn"):
        return f"{rest}.{OLD_LAYERS.get(last, last)}"
    return f"{layer}.0" if last == "to_out" else layer


def layers_with_lora(pipeline: Any) -> set[str]:
    """Returns the layers of the pipeline that have a LoRA beside them."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {
        f"{part}.{name}"
        for part, model in pipeline.components.items()
        if isinstance(model, torch.nn.Module)
        for name, layer in model.named_modules()
        if isinstance(layer, BaseTunerLayer)
    }


def failure(stage: str, error: Exception) -> dict[str, object]:
    """Returns the answer for what could not be loaded."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return {"failed": stage, "why": f"{type(error).__name__}: {' '.join(lines[:2])[:500]}"}


def without_lora(pipeline: Any) -> bool:
    """Takes the LoRA off again; returns whether none of its layers is left, so that the pipeline can take another."""
    try:
        pipeline.unload_lora_weights()
    except Exception:  # noqa: BLE001 - the model is read again then
        return False
    return not layers_with_lora(pipeline)


def loaded(pipeline: Any, without: Any, lora: Path, prompt: str, seed: int) -> dict[str, object]:
    """Returns what of a LoRA found a layer, and how far the latents with it differ from those without."""
    try:
        wanted = wanted_layers(pipeline, lora)
        # Folder and name apart: without a network, Diffusers does not guess which file of a path is meant.
        pipeline.load_lora_weights(lora.parent, weight_name=lora.name, local_files_only=True)
        found = layers_with_lora(pipeline)
        difference = (render(pipeline, prompt, seed) - without).abs()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return failure("lora", error)
    unmatched = sorted(wanted - found)
    return {
        "failed": "",
        "why": "",
        "layers": len(found),
        "wanted": len(wanted),
        "unmatched": unmatched[:MAX_NAMES],
        "unmatched_count": len(unmatched),
        "max_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        "mean_latent": float(without.abs().mean()),
    }


def all_loaded(model: Path, loras: Sequence[Path], prompt: str, seed: int) -> dict[str, object]:
    """Returns what came of each LoRA, one after the other on the same model."""
    notes = Notes()
    for name in ("diffusers", "peft"):
        logging.getLogger(name).addHandler(notes)
    pipeline: Any = None
    answers = []
    for lora in loras:
        if pipeline is None or not without_lora(pipeline):
            try:
                pipeline = pipeline_of(model)
                without = render(pipeline, prompt, seed)
            except Exception as error:  # noqa: BLE001
                return {**failure("base", error), "loras": []}
        notes.texts.clear()
        answer = loaded(pipeline, without, lora, prompt, seed)
        answers.append({**answer, "notes": notes.texts[:MAX_NOTES]})
    return {"failed": "", "why": "", "loras": answers}


def main() -> None:
    """Writes the answer to the file that the command line names."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--model", type=Path, required=True, help="a Diffusers folder, or a file of Stable Diffusion"
    )
    arguments.add_argument("--lora", type=Path, required=True, nargs="+", help="safetensors files")
    arguments.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments.add_argument("--prompt", default="a photo", help="what to render")
    arguments.add_argument("--seed", type=int, default=0, help="of the noise to start from")
    given = arguments.parse_args()

    os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
    torchvision_ops.install()
    loras = [path.resolve() for path in given.lora]
    answer = all_loaded(given.model.resolve(), loras, given.prompt, given.seed)
    given.out.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
