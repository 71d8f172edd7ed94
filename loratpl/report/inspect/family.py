"""Which base model an adapter is for: told by the names and sizes of the layers that it changes.

The layers of the nine families that sd-scripts trains are in vendor/sd-scripts/modules.json, made from the pinned
trainer itself. Others are told by names that only they have.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loratpl.report.inspect.adapters import Module
from loratpl.report.inspect.sdxl_names import sdxl_layer
from loratpl.resources import SD_SCRIPTS_DIR

Shape = tuple[int, ...]
# Layers of one family, by part and by name with underscores for dots.
Table = Mapping[tuple[str, str], Shape]

TABLE_PATH = SD_SCRIPTS_DIR / "modules.json"
FAMILIES = {
    "sd15": "Stable Diffusion 1.x", "sd2": "Stable Diffusion 2.x", "sdxl": "Stable Diffusion XL",
    "sd3": "Stable Diffusion 3", "flux": "FLUX.1", "chroma": "Chroma", "lumina": "Lumina Image 2",
    "hunyuan-image": "HunyuanImage 2.1", "anima": "Anima",
}  # fmt: skip
_RANGE = re.compile(r"\{(\d+)-(\d+)\}")
# What sd-scripts and others write into `ss_base_model_version` and `modelspec.architecture`; the first start counts.
_SAID = (
    ("sdxl", "sdxl"), ("stable-diffusion-xl", "sdxl"), ("sd_v2", "sd2"), ("stable-diffusion-v2", "sd2"),
    ("sd_v1", "sd15"), ("sd_1.5", "sd15"), ("sd1", "sd15"), ("stable-diffusion-v1", "sd15"),
    ("stable-diffusion-3", "sd3"), ("stable-diffusion-v3", "sd3"), ("sd3", "sd3"), ("5-large", "sd3"),
    ("medium", "sd3"), ("chroma", "chroma"), ("flux2", ""), ("flux.2", ""), ("flux", "flux"), ("lumina", "lumina"),
    ("hunyuan-image", "hunyuan-image"), ("anima", "anima"),
)  # fmt: skip
# Layers that only one model has, of those that sd-scripts does not train or that Diffusers names in its own way.
_MARKS: tuple[tuple[str, str, str], ...] = (
    ("", "FLUX.2", r"single_transformer_blocks_\d+_attn_to_qkv_mlp_proj|double_stream_modulation"),
    ("", "Qwen-Image", r"transformer_blocks_\d+_(?:img|txt)_(?:mlp|mod)_"),
    ("flux", "", r"single_transformer_blocks_\d+_(?:attn|proj_mlp|proj_out|norm)"),
    ("sd3", "", r"transformer_blocks_\d+_(?:ff_context|attn2_|attn_add_k_proj|attn_to_add_out)"),
    ("", "Wan", r"blocks_\d+_(?:self_attn_[qkvo]$|cross_attn_[qkvo]$|ffn_[02])"),
    ("", "HunyuanVideo", r"(?:txt_in_individual_token_refiner|double_blocks_\d+_img_attn_qkv$)"),
    ("", "Z-Image", r"layers_\d+_attention_to_[qkv]"),
    ("", "Stable Cascade", r"down_blocks_\d+_\d+_(?:channelwise|kv_mapper)"),
)
# Diffusers' Stable Diffusion 3 and Qwen-Image have the same names of attention; their widths differ.
_QWEN_WIDTH = 3072


@dataclass(frozen=True, slots=True)
class Guess:
    """What base model the layers fit.

    Attributes:
        families: As a config's `family` has them; several where the layers are those of all of them.
        title: In words; "" where it cannot be told.
        matched: Modules whose layer the family has, with the same size wherever the tensors tell it.
        differing: Modules whose layer the family has in another size.
        said: The family that the metadata names; None where it names none that is known.
    """

    families: tuple[str, ...]
    title: str
    matched: int
    differing: int
    said: str | None


def guess_family(modules: Sequence[Module], metadata: Mapping[str, str]) -> Guess:
    """Returns the families whose layers are those of the modules."""
    said = family_said(metadata)
    if said and _score(modules, said)[0] == len(modules):  # no other can fit better
        return Guess((said,), FAMILIES[said], len(modules), 0, said)
    scores = {family: _score(modules, family) for family in FAMILIES}
    best = max(scores.values())
    if best[0] + best[1] == 0 or 2 * (best[0] + best[1]) < len(modules):
        return _by_marks(modules, said)
    families = tuple(family for family, score in scores.items() if score == best)
    if said in families:
        families = (said,)
    return Guess(families, " or ".join(FAMILIES[family] for family in families), best[0], best[1], said)


def family_said(metadata: Mapping[str, str]) -> str | None:
    """Returns the family that the metadata names; "" for a model that sd-scripts does not train."""
    for key in ("ss_base_model_version", "modelspec.architecture"):
        text = metadata.get(key, "").lower()
        for start, family in _SAID:
            if text.startswith(start):
                return family
    return None


@functools.cache
def layers_of(family: str) -> Table:
    """Returns the layers of a family that sd-scripts can train."""
    return {
        (part, name.replace(".", "_")): tuple(shape)
        for part, rows in _rows()[family].items()
        for pattern, _, shape in rows
        for name in _names(pattern)
    }


@functools.cache
def _rows() -> Mapping[str, Mapping[str, Sequence[tuple[str, str, Sequence[int]]]]]:
    families: dict[str, Any] = json.loads(TABLE_PATH.read_bytes())["families"]
    return families


def layer_in(module: Module, family: str, table: Table) -> tuple[str, str] | None:
    """Returns the layer of a family that a module changes, None where it has none of that name."""
    layer = sdxl_layer(module.place.layer) if family == "sdxl" else module.place.layer
    part = module.place.part
    for candidate in _parts(part):
        if (candidate, layer) in table:
            return candidate, layer
    return None


def _parts(part: str) -> tuple[str, ...]:
    # Diffusers calls the first text encoder just that; sd-scripts counts where there are several.
    return {"te": ("te", "te1"), "te1": ("te1", "te")}.get(part, (part,))


def _score(modules: Sequence[Module], family: str) -> tuple[int, int]:
    """Returns how many modules fit a family's layers, and how many have a layer's name in another size."""
    table = layers_of(family)
    fitting = differing = 0
    for module in modules:
        found = layer_in(module, family, table)
        if found is not None:
            fits = module.shape is None or _without_ones(module.shape) == _without_ones(table[found])
            fitting, differing = fitting + fits, differing + (not fits)
    return fitting, differing


def _without_ones(shape: Shape) -> Shape:
    """A convolution of one point is a linear layer: some models have the one where others have the other."""
    return shape[:2] if all(side == 1 for side in shape[2:]) else shape


def _by_marks(modules: Sequence[Module], said: str | None) -> Guess:
    for family, title, pattern in _MARKS:
        matching = [module for module in modules if re.match(pattern, module.place.layer)]
        if not matching:
            continue
        if family == "sd3" and any(module.shape and module.shape[1] == _QWEN_WIDTH for module in matching):
            return Guess((), "Qwen-Image", len(matching), 0, said)
        # Chroma's blocks have FLUX.1's names where Diffusers has named both.
        named = "chroma" if family == "flux" and said == "chroma" else family
        return Guess((named,) if named else (), title or FAMILIES[named], len(matching), 0, said)
    return Guess((said,) if said else (), FAMILIES[said] if said else "", 0, 0, said)


def _names(pattern: str) -> Iterator[str]:
    texts = _RANGE.split(pattern)  # text, first, last, text, …
    ranges = [range(int(first), int(last) + 1) for first, last in zip(texts[1::3], texts[2::3], strict=True)]
    for numbers in itertools.product(*ranges):
        yield texts[0] + "".join(f"{number}{text}" for number, text in zip(numbers, texts[3::3], strict=True))
