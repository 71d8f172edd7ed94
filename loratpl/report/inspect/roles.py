"""What a tensor is to its module, by the end of its name: the names of every trainer that people's LoRAs come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Ends of names and what they are: sd-scripts', LyCORIS', Diffusers' and PEFT's.
_ENDS: Mapping[str, str] = {
    "lora_down.weight": "down", "lora_up.weight": "up", "lora_mid.weight": "mid",
    "lora_down.bias": "bias", "lora_up.bias": "bias", "lora_A.bias": "bias", "lora_B.bias": "bias",
    "lora_A.weight": "down", "lora_B.weight": "up", "lora_A.default.weight": "down", "lora_B.default.weight": "up",
    "lora_A": "down", "lora_B": "up", "lora_embedding_A": "down", "lora_embedding_B": "up",
    "lora.down.weight": "down", "lora.up.weight": "up",
    "lora_linear_layer.down.weight": "down", "lora_linear_layer.up.weight": "up",
    "hada_w1_a": "hada_w1_a", "hada_w1_b": "hada_w1_b", "hada_w2_a": "hada_w2_a", "hada_w2_b": "hada_w2_b",
    "hada_t1": "hada_t", "hada_t2": "hada_t",
    "lokr_w1": "lokr_w1", "lokr_w2": "lokr_w2", "lokr_w1_a": "lokr_w1_a", "lokr_w1_b": "lokr_w1_b",
    "lokr_w2_a": "lokr_w2_a", "lokr_w2_b": "lokr_w2_b", "lokr_t1": "lokr_t", "lokr_t2": "lokr_t",
    "oft_blocks": "oft", "oft_diag": "oft", "oft_R.weight": "oft", "oft_R.default.weight": "oft", "oft_r": "oft",
    "a1.weight": "glora", "a2.weight": "glora", "b1.weight": "glora", "b2.weight": "glora", "bm1.weight": "glora",
    "bm2.weight": "glora",
    "on_input": "ia3_side", "ia3_l": "ia3", "ia3_l.default": "ia3",
    "diff": "diff", "diff_b": "diff_b", "w_norm": "norm", "b_norm": "norm",
    "dora_scale": "magnitude", "lora_magnitude_vector": "magnitude", "lora_magnitude_vector.weight": "magnitude",
    "lora_magnitude_vector.default.weight": "magnitude",
    "alpha": "alpha", "scalar": "scalar", "rescale": "rescale",
}  # fmt: skip
_LONGEST = 3
# Diffusers' processors of attention before it used PEFT, and those of FLUX.1 LoRAs made by XLabs.
_PROCESSOR = re.compile(r"(?P<path>.+?)(?:\.processor)?\.(?P<layer>\w+_lora\d?)\.(?P<side>down|up)\.weight")
_EMBEDDING = re.compile(r"emb_params|clip_[gl]|t5|bundle_emb\..*|string_to_param\..*")


@dataclass(frozen=True, slots=True)
class Grouped:
    """The tensors of a file, by what they belong to.

    Attributes:
        modules: Tensor names by role, by the name of the module that has them.
        embeddings: Tensors of textual inversion, which may be bundled with a LoRA.
        others: Tensors that belong to no adapter.
    """

    modules: Mapping[str, Mapping[str, tuple[str, ...]]]
    embeddings: tuple[str, ...]
    others: tuple[str, ...]


def grouped(names: Iterable[str]) -> Grouped:
    """Returns the tensors of a file by module and role."""
    modules: dict[str, dict[str, tuple[str, ...]]] = {}
    embeddings, rest = [], []
    for name in names:
        found = role_of(name)
        if found is not None:
            roles = modules.setdefault(found[0], {})
            roles[found[1]] = (*roles.get(found[1], ()), name)
        elif _EMBEDDING.fullmatch(name):
            embeddings.append(name)
        else:
            rest.append(name)
    others = []
    for name in rest:  # (IA)³ calls its vector just "weight"; the flag beside it tells
        module = name.removesuffix(".weight")
        if "ia3_side" in modules.get(module, {}):
            modules[module]["ia3"] = (name,)
        else:
            others.append(name)
    # A setting alone makes no module: some models have scalars of these names.
    settings_alone = [module for module, roles in modules.items() if roles.keys() <= {"alpha", "scalar", "rescale"}]
    for module in settings_alone:
        others += [name for names_ in modules.pop(module).values() for name in names_]
    return Grouped(modules, tuple(embeddings), tuple(others))


def role_of(name: str) -> tuple[str, str] | None:
    """Returns the module that a tensor belongs to and what it is there, None where the name is no adapter's.

    >>> role_of("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight")
    ('lora_unet_mid_block_attentions_0_proj_in', 'down')
    >>> role_of("unet.mid_block.attentions.0.attn1.processor.to_q_lora.up.weight")
    ('unet.mid_block.attentions.0.attn1.to_q', 'up')
    >>> role_of("model.diffusion_model.out.2.weight")
    """
    rest, cuts = name, []
    for _ in range(_LONGEST):
        rest, dot, last = rest.rpartition(".")
        if not dot:
            break
        cuts.append((rest, last))
    for count in range(len(cuts), 0, -1):
        role = _ENDS.get(".".join(last for _, last in reversed(cuts[:count])))
        if role is not None:
            return cuts[count - 1][0], role
    if name.endswith(("down.weight", "up.weight")) and (match := _PROCESSOR.fullmatch(name)):
        layer = match["layer"].removesuffix("_lora")
        return f"{match['path']}.{layer}", match["side"]
    return None
