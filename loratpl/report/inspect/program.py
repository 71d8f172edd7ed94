"""Which program made an adapter, and what it calls its network: told by metadata that only that program writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from loratpl.report.inspect.adapters import INCOMPLETE, Module
from loratpl.report.inspect.metadata import parsed_json

# Architectures that musubi-tuner names, which shares its way of naming with sd-scripts.
_MUSUBI = (
    "hunyuan-video",
    "wan2",
    "framepack",
    "qwen-image",
    "flux.1-dev/lora",
    "flux-kontext",
    "z-image",
    "kandinsky",
)
# sd-scripts' modules whose files have a LoRA's tensors: only the metadata tells them apart, as it does LyCORIS' DyLoRA.
_KINDS_OF_LORA = {"networks.dylora": "DyLoRA", "networks.lora_fa": "LoRA-FA"}
_WITH_CONVOLUTIONS = "LoCon (LoRA with wide convolutions)"


def program_of(metadata: Mapping[str, str]) -> str:
    """Returns the program that wrote the file, "" where nothing tells it."""
    software = parsed_json(metadata.get("software"))
    if isinstance(software, dict) and isinstance(software.get("name"), str):
        return str(software["name"])
    module = metadata.get("ss_network_module", "")
    signs = (
        ("OneTrainer", any(key.startswith("ot_") for key in metadata)),
        ("musubi-tuner", metadata.get("modelspec.architecture", "").lower().startswith(_MUSUBI)),
        ("sd-scripts with LyCORIS", module.startswith("lycoris.")),
        ("sd-scripts", bool(module) or "ss_sd_scripts_commit_hash" in metadata),
        ("Diffusers", "lora_adapter_metadata" in metadata),
    )
    return next((program for program, is_there in signs if is_there), "")


def network_of(modules: Sequence[Module], metadata: Mapping[str, str]) -> str:
    """Returns what kind of network the modules are, in words."""
    counts = Counter(_kind(module, metadata) for module in modules)
    has_convolutions = any(module.method == "LoRA" and module.is_convolution for module in modules)
    if has_convolutions and (plain := counts.pop("LoRA", 0)):
        counts[_WITH_CONVOLUTIONS] = plain
    if len(counts) == 1:
        return next(iter(counts))
    return " and ".join(f"{kind} ({count})" for kind, count in counts.most_common())


def _kind(module: Module, metadata: Mapping[str, str]) -> str:
    names = {"full": "full difference", "norm": "normalisation layer", INCOMPLETE: "incomplete module"}
    kind = names.get(module.method, module.method)
    if module.method == "LoRA":
        arguments = parsed_json(metadata.get("ss_network_args"))
        is_dylora = isinstance(arguments, dict) and arguments.get("algo") == "dylora"
        kind = "DyLoRA" if is_dylora else _KINDS_OF_LORA.get(metadata.get("ss_network_module", ""), kind)
    if module.is_dora:
        return "DoRA" if kind == "LoRA" else f"DoRA ({kind})"
    return kind
