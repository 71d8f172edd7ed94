"""The model families: which script trains each, with which network module, and what it takes beside the base model.

Sources: sd-scripts 48d368fa, the training scripts and their loaders; the bucket steps as the trainer asserts them
(FLUX, Lumina and HunyuanImage call the check of the base class first, so 64 in spite of the 32 of their own).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Companion:
    """A model that a family is trained with beside the base model.

    Attributes:
        option: The trainer's option that names it.
        title: What it is, as a message says it.
        takes_folder: Whether it may be a folder as well as a file.
    """

    option: str
    title: str
    takes_folder: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """One family of base models.

    Attributes:
        name: As in a config's `family`.
        script: The trainer's script.
        network_module: What `network_module` is unless the config says otherwise.
        bucket_step_px: What `bucket_reso_steps` must be a multiple of.
        base_versions: What the trainer may write into a LoRA as `ss_base_model_version`.
        companions: What the trainer cannot do without.
        takes_folder: Whether the base model may be a Diffusers folder.
        takes_hub_id: Whether the base model may be an owner/name of the Hugging Face hub.
        implied: Options that the family decides: these values and no others.
        signs: Sets of options; a config that sets all of one set is of this family.
        also_called: Other names that people use, for a suggestion.
    """

    name: str
    script: str
    network_module: str
    bucket_step_px: int
    base_versions: tuple[str, ...]
    companions: tuple[Companion, ...] = ()
    takes_folder: bool = False
    takes_hub_id: bool = False
    implied: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"v2": False}))
    signs: tuple[frozenset[str], ...] = ()
    also_called: tuple[str, ...] = ()


_CLIP_L = Companion("clip_l", "CLIP-L text encoder")
_CLIP_G = Companion("clip_g", "CLIP-G text encoder")
_T5XXL = Companion("t5xxl", "T5-XXL text encoder")
_FLUX_AE = Companion("ae", "autoencoder of FLUX.1")


def _signs(*sets: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(words.split()) for words in sets)


def _implied(**options: Any) -> Mapping[str, Any]:
    return MappingProxyType({"v2": False, **options})


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "sd15", "train_network.py", "networks.lora", 64, ("sd_v1", "sd_v1_v"),
            takes_folder=True, takes_hub_id=True,
            also_called=("sd1", "sd14", "stable-diffusion-1.5", "stable-diffusion-v1-5"),
        ),
        Family(
            "sd2", "train_network.py", "networks.lora", 64, ("sd_v2", "sd_v2_v"),
            takes_folder=True, takes_hub_id=True, implied=_implied(v2=True), signs=_signs("v2"),
            also_called=("sd20", "sd21", "stable-diffusion-2", "stable-diffusion-2.1"),
        ),
        Family(
            "sdxl", "sdxl_train_network.py", "networks.lora", 32, ("sdxl_base_v1-0",),
            takes_folder=True, takes_hub_id=True,
            also_called=("xl", "sdxl1.0", "stable-diffusion-xl", "pony", "illustrious", "noobai"),
        ),
        Family(
            # The trainer would look for the encoders in the model's own file, but cannot load them from there.
            "sd3", "sd3_train_network.py", "networks.lora_sd3", 32, ("medium", "5-medium", "5-large"),
            (_CLIP_L, _CLIP_G, _T5XXL), signs=_signs("clip_g"),
            also_called=("sd35", "sd3-medium", "sd3.5-medium", "sd3.5-large", "stable-diffusion-3.5"),
        ),
        Family(
            "flux", "flux_train_network.py", "networks.lora_flux", 64, ("flux1",),
            (_CLIP_L, _T5XXL, _FLUX_AE), takes_folder=True, implied=_implied(model_type="flux"),
            signs=_signs("ae t5xxl", "ae clip_l"),
            also_called=("flux1", "flux-dev", "flux1-dev", "flux-schnell", "flux1-schnell"),
        ),
        Family(
            "chroma", "flux_train_network.py", "networks.lora_flux", 64, ("chroma",),
            (_T5XXL, _FLUX_AE), implied=_implied(model_type="chroma", apply_t5_attn_mask=True),
            also_called=("chroma1", "chroma1-hd", "flux-chroma"),
        ),
        Family(
            "lumina", "lumina_train_network.py", "networks.lora_lumina", 64, ("lumina2",),
            (Companion("gemma2", "Gemma 2 text encoder"), _FLUX_AE), signs=_signs("gemma2"),
            also_called=("lumina2", "lumina-image-2", "lumina-image-2.0", "neta-lumina"),
        ),
        Family(
            "hunyuan-image", "hunyuan_image_train_network.py", "networks.lora_hunyuan_image", 64,
            ("hunyuan-image-2.1",),
            (
                Companion("text_encoder", "Qwen2.5-VL text encoder"),
                Companion("byt5", "byT5 text encoder"),
                Companion("vae", "VAE of HunyuanImage"),
            ),
            signs=_signs("byt5", "text_encoder"),
            also_called=("hunyuan", "hunyuanimage", "hunyuan-image-2.1", "hunyuanimage-2.1"),
        ),
        Family(
            "anima", "anima_train_network.py", "networks.lora_anima", 16, ("anima",),
            (Companion("qwen3", "Qwen3 text encoder", takes_folder=True), Companion("vae", "VAE of Qwen-Image")),
            signs=_signs("qwen3"), also_called=("anima-preview",),
        ),
    )
}  # fmt: skip
DEFAULT_FAMILY = "sd15"
# Network modules that train one family's models alone; what others there are fits several.
FAMILY_OF_MODULE = MappingProxyType({
    "networks.lora_sd3": "sd3", "networks.lora_flux": "flux", "networks.oft_flux": "flux",
    "networks.lora_lumina": "lumina", "networks.lora_hunyuan_image": "hunyuan-image", "networks.lora_anima": "anima",
})  # fmt: skip
COMPANION_OPTIONS = frozenset(companion.option for family in FAMILIES.values() for companion in family.companions)


def nearest_family(text: str) -> str | None:
    """Returns the family that a name was meant to be, None for one that is near none.

    >>> nearest_family("SD 1.5"), nearest_family("sd35"), nearest_family("hunyuan_image"), nearest_family("kandinsky")
    ('sd15', 'sd3', 'hunyuan-image', None)
    """
    known = {_plain(name): family.name for family in FAMILIES.values() for name in (family.name, *family.also_called)}
    near = difflib.get_close_matches(_plain(text), known, n=1, cutoff=0.6)
    return known[near[0]] if near else None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
