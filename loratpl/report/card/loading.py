"""How a LoRA is loaded by the programs that render pictures."""

from __future__ import annotations

from loratpl.report.card.card import Card

# Those whose names of layers Diffusers translates from the trainer's.
_PIPELINES = {
    "sd15": "StableDiffusionPipeline",
    "sd2": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "flux": "FluxPipeline",
}
_FULL_MODELS = frozenset({"sd15", "sd2", "sdxl"})  # a single file holds all that a pipeline needs
_PLAIN_MODULES = frozenset({"networks.lora", "networks.lora_fa", "networks.lora_flux", "networks.dylora"})
# ComfyUI does not know the trainer's names for these; the trainer's docs name the script that translates them.
_CONVERTERS = {
    "hunyuan-image": "networks/convert_hunyuan_image_lora_to_comfy.py",
    "anima": "networks/convert_anima_lora_to_comfy.py",
}
_STRENGTH = 0.8
_BASE_TO_FILL_IN = "THE BASE MODEL: A FOLDER, OR OWNER/NAME"
_PROMPT_WITHOUT_TRIGGER = "a prompt in the words of the captions"


def can_diffusers_load(card: Card) -> bool:
    """Returns whether Diffusers loads the file as it is."""
    is_safetensors = not card.files or card.files[-1].name.endswith(".safetensors")
    return card.family in _PIPELINES and card.network_module in _PLAIN_MODULES and is_safetensors


def diffusers_code(card: Card) -> str:
    """Returns a program that renders a picture with the LoRA."""
    name = card.files[-1].name if card.files else f"{card.output_name}.safetensors"
    pipeline = _PIPELINES[card.family]
    if card.has_hub_base:
        base = f"from_pretrained({_quoted(card.base_model)}"
    elif card.is_base_a_file and card.family in _FULL_MODELS:
        base = f"from_single_file({_quoted(card.base_model)}"
    else:  # a folder of another machine, or a file of FLUX, which holds the transformer alone
        base = f"from_pretrained({_quoted(_BASE_TO_FILL_IN)}"
    prompt = card.triggers[0] if card.triggers else _PROMPT_WITHOUT_TRIGGER
    dtype = "bfloat16" if card.family == "flux" else "float16"
    return "\n".join(
        (
            "import torch",
            f"from diffusers import {pipeline}",
            "",
            f'pipeline = {pipeline}.{base}, torch_dtype=torch.{dtype}).to("cuda")',
            f'pipeline.load_lora_weights(".", weight_name={_quoted(name)}, adapter_name="lora")',
            f'pipeline.set_adapters("lora", {_STRENGTH})',
            f"image = pipeline({_quoted(prompt)}).images[0]",
        )
    )


def comfyui_sentence(card: Card) -> str:
    """Returns how ComfyUI takes the file."""
    converter = _CONVERTERS.get(card.family)
    if converter is not None:
        return (
            f"translate the file with sd-scripts' `{converter}`, put it into `models/loras` and add a *Load LoRA* node"
        )
    return "put the file into `models/loras` and add a *Load LoRA* node with it; `strength_model` is the strength"


def _quoted(text: str) -> str:
    """A text as Python reads it, in double quotes; one line whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
