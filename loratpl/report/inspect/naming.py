"""What a module's name says: who names modules so, the part of the model, the layer, and the block that it is in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Starts of names, the part of the model they stand for (as sd-scripts calls it), and whose way it is to name so.
_KOHYA, _LYCORIS, _DIFFUSERS, _PEFT, _COMFY = "sd-scripts", "LyCORIS' own wrapper", "Diffusers", "PEFT", "ComfyUI"
_STARTS = (
    ("lora_unet_", "unet", _KOHYA), ("lora_te1_", "te1", _KOHYA), ("lora_te2_", "te2", _KOHYA),
    ("lora_te3_", "te3", _KOHYA), ("lora_te_", "te", _KOHYA), ("oft_unet_", "unet", _KOHYA),
    ("lora_transformer_", "unet", "OneTrainer"), ("lora_prior_unet_", "unet", "OneTrainer"),
    ("lycoris_", "unet", _LYCORIS),
    ("base_model.model.text_encoder.", "te1", _PEFT), ("base_model.model.", "unet", _PEFT),
    ("unet.", "unet", _DIFFUSERS), ("transformer.", "unet", _DIFFUSERS),
    ("text_encoder_2.", "te2", _DIFFUSERS), ("text_encoder_3.", "te3", _DIFFUSERS), ("text_encoder.", "te", _DIFFUSERS),
    ("diffusion_model.", "unet", _COMFY), ("model.diffusion_model.", "unet", _COMFY),
    ("text_encoders.", "te", _COMFY), ("clip_l.", "te1", _COMFY), ("clip_g.", "te2", _COMFY), ("t5xxl.", "te3", _COMFY),
)  # fmt: skip
_PARTS = {
    "te": "text encoder", "te1": "text encoder 1", "te2": "text encoder 2", "te3": "text encoder 3",
}  # fmt: skip
# The blocks of denoisers, by their names with underscores for dots. The number behind is the block's.
_BLOCKS = (
    (re.compile(r"(?:down_blocks|input_blocks)_(\d+)"), "down"),
    (re.compile(r"(?:up_blocks|output_blocks)_(\d+)"), "up"),
    (re.compile(r"mid(?:dle)?_block"), "mid"),
    (re.compile(r"llm_adapter_blocks_(\d+)"), "adapter"),
    (re.compile(r"noise_refiner_(\d+)"), "noise refiner"),
    (re.compile(r"context_refiner_(\d+)"), "context refiner"),
    (re.compile(r"txt_in_individual_token_refiner_blocks_(\d+)"), "token refiner"),
    (re.compile(r"single_(?:transformer_)?blocks_(\d+)"), "single"),
    (re.compile(r"double_blocks_(\d+)"), "double"),
    (re.compile(r"joint_blocks_(\d+)"), "joint"),
    (re.compile(r"(?:transformer_blocks|blocks|layers)_(\d+)"), "block"),
)
# The blocks of text encoders: CLIP's, Gemma's and Qwen's, T5's.
_TEXT_BLOCK = re.compile(r"(?:text_model_)?(?:encoder_)?(?:layers|block)_(\d+)")
# SDXL's own numbers count every layer of the U-Net's halves: three a level.
_PER_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a module sits.

    Attributes:
        part: As sd-scripts calls it: unet (every denoiser), te, te1, te2 or te3.
        layer: Its layer's name in that part, with underscores for dots.
        block: Kind of block, such as "down" or "double"; "" outside of blocks.
        number: Which of these; None where there is but one.
    """

    part: str
    layer: str
    block: str
    number: int | None

    @property
    def block_name(self) -> str:
        """The block in words."""
        if not self.block:
            return "outside of blocks"
        return self.block if self.number is None else f"{self.block} {self.number}"


def part_in_words(part: str, family: str | None) -> str:
    """Returns what a part of a family's models is called; None for a family that is not known."""
    if part == "unet":
        return "U-Net" if family in ("sd15", "sd2", "sdxl") else "transformer" if family else "denoiser"
    return _PARTS.get(part, part)


def place_of(module: str) -> Place:
    """Returns where a module sits, by its name.

    >>> place_of("lora_unet_input_blocks_4_1_proj_in").block_name
    'down 1'
    >>> place_of("transformer.single_transformer_blocks.7.attn.to_q").block_name
    'single 7'
    """
    part, layer, _ = _split(module)
    layer = layer.replace(".", "_")
    if part != "unet":
        match = _TEXT_BLOCK.match(layer)
        return Place(part, layer, "layer" if match else "", int(match[1]) if match else None)
    for pattern, block in _BLOCKS:
        match = pattern.match(layer)
        if match:
            number = int(match[1]) if match.groups() else None
            if number is not None and layer.startswith(("input_blocks", "output_blocks")):
                number = (max(number, 1) - 1 if block == "down" else number) // _PER_LEVEL
            return Place(part, layer, block, number)
    return Place(part, layer, "", None)


def naming_of(modules: Iterable[str], *, tensor_names: Iterable[str]) -> str:
    """Returns whose way of naming modules it is, "" where it is nobody's that is known here."""
    whose = {_split(module)[2] for module in modules} - {""}
    if len(whose) > 1:
        whose -= {_KOHYA} if "OneTrainer" in whose else set()
    if any(".processor." in name and "_lora" in name for name in tensor_names):
        return "XLabs" if any("double_blocks" in name for name in tensor_names) else "Diffusers before PEFT"
    if whose == {_DIFFUSERS} and any(".lora_A" in name for name in tensor_names):
        return "Diffusers with PEFT"
    return " and ".join(sorted(whose))


def _split(module: str) -> tuple[str, str, str]:
    for start, part, whose in _STARTS:
        if module.startswith(start):
            return part, module[len(start) :], whose
    if module.startswith("text_model"):
        return "te", module, ""
    return "unet", module, ""
