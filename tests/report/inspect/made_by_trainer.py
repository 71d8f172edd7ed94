"""Writes LoRAs with the trainer's own networks, PEFT and Diffusers; run by the trainer's interpreter.

`python -m tests.report.inspect.made_by_trainer --source CHECKOUT --out FOLDER`, in the root of the repository. They are
for the tiny model of Stable Diffusion 1, which is written to FOLDER/model in the layout of Diffusers. Every trainable
number is drawn, so that each LoRA changes something.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Any

INSIDE_DIR = Path(__file__).parents[3] / "loratpl" / "trainer" / "inside"
# Name of the file, the trainer's module, its arguments, the precision in the file.
NETWORKS: tuple[tuple[str, str, dict[str, str], str], ...] = (
    ("lora-f32", "lora", {}, "float32"),
    ("lora-fp16", "lora", {}, "float16"),
    ("lora-bf16", "lora", {}, "bfloat16"),
    ("locon", "lora", {"conv_dim": "2", "conv_alpha": "1"}, "float32"),
    ("dylora", "dylora", {"unit": "2"}, "float32"),
    ("oft", "oft", {"enable_all_linear": "True"}, "float32"),
)
DIM, ALPHA = 4, 2.0
METADATA = {"ss_network_dim": "4", "ss_base_model_version": "sd_v1", "ss_steps": "3"}


def drawn(network: Any) -> Any:
    """Returns a network with random numbers in place of its zeros."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return network


def by_trainer(text: Any, unet: Any, out_dir: Path) -> None:
    """Writes the LoRAs of the trainer's modules, and one without its metadata."""
    import torch

    for name, module_name, arguments, dtype in NETWORKS:
        module = importlib.import_module(f"networks.{module_name}")
        alpha = 1e-3 if module_name == "oft" else ALPHA
        network = module.create_network(1.0, DIM, alpha, None, text, unet, neuron_dropout=None, **arguments)
        network.apply_to(text, unet, apply_text_encoder=True, apply_unet=True)
        metadata = {**METADATA, "ss_network_module": f"networks.{module_name}"}
        drawn(network).save_weights(out_dir / f"{name}.safetensors", getattr(torch, dtype), metadata)
        if name == "lora-f32":
            network.save_weights(out_dir / "no-metadata.safetensors", torch.float32, {})
            network.save_weights(out_dir / "old.pt", torch.float32, None)


def by_others(model_dir: Path, out_dir: Path) -> None:
    """Writes a LoRA and a DoRA of PEFT, and a LoRA of Diffusers."""
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

    def unet() -> Any:
        return UNet2DConditionModel.from_pretrained(model_dir / "unet")

    for name, use_dora in (("peft", False), ("peft-dora", True)):
        config = LoraConfig(r=DIM, lora_alpha=8, target_modules=["to_q", "to_k"], use_dora=use_dora)
        drawn(get_peft_model(unet(), config)).save_pretrained(out_dir / name)
    model = unet()
    model.add_adapter(LoraConfig(r=DIM, lora_alpha=DIM, target_modules=["to_q", "to_k"]))
    layers = get_peft_model_state_dict(drawn(model))
    StableDiffusionPipeline.save_lora_weights(out_dir / "diffusers", unet_lora_layers=layers)


def main() -> None:
    """Writes the files into the folder that the command line names."""
    arguments = argparse.ArgumentParser(description=__doc__)
    for name in ("source", "out"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    given = arguments.parse_args()
    out_dir = given.out.resolve()
    model_dir = out_dir / "model"
    sys.path[:0] = [str(INSIDE_DIR)]
    importlib.import_module("torchvision_ops").install()
    tiny_model = importlib.import_module("tiny_model")
    tiny_model.write_model(model_dir, tiny_model.TINY, 0)
    sys.path[:0] = [str(given.source)]
    os.chdir(given.source)
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel

    by_others(model_dir, out_dir)
    text = CLIPTextModel.from_pretrained(model_dir / "text_encoder")
    by_trainer(text, UNet2DConditionModel.from_pretrained(model_dir / "unet"), out_dir)


if __name__ == "__main__":
    main()
