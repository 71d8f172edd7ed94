"""The alphas that Diffusers and PEFT keep beside the tensors: in the metadata, or in `adapter_config.json`."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loratpl.report.inspect.adapters import Module
from loratpl.report.inspect.metadata import parsed_json

CONFIG_NAME = "adapter_config.json"
_MAX_CONFIG_BYTES = 1_000_000
_PARTS = {
    "unet": ("unet", "transformer"),
    "te": ("text_encoder",),
    "te1": ("text_encoder",),
    "te2": ("text_encoder_2",),
}
_SHOWN = (
    "peft_type", "r", "lora_alpha", "lora_dropout", "use_dora", "use_rslora", "bias", "base_model_name_or_path",
    "peft_version",
)  # fmt: skip


def peft_config(path: Path) -> Mapping[str, Any]:
    """Returns PEFT's config beside a weights file, nothing where there is none that can be read."""
    config_path = path.with_name(CONFIG_NAME)
    try:
        if not stat.S_ISREG(config_path.stat().st_mode):
            return {}
        with config_path.open("rb") as file:
            data = file.read(_MAX_CONFIG_BYTES + 1)
        found = json.loads(data) if len(data) <= _MAX_CONFIG_BYTES else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and "peft_type" in found else {}


def shown_config(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Returns what of PEFT's config says how the adapter is to be used."""
    return tuple((key, str(config[key])) for key in _SHOWN if config.get(key) is not None)


def with_alphas(
    modules: Sequence[Module], metadata: Mapping[str, str], config: Mapping[str, Any]
) -> tuple[Module, ...]:
    """Returns the modules with the alphas that stand elsewhere, where their tensors have none."""
    said = parsed_json(metadata.get("lora_adapter_metadata"))
    said = said if isinstance(said, dict) else {}

    def alpha_of(part: str) -> float | None:
        for value in (*(said.get(f"{name}.lora_alpha") for name in _PARTS.get(part, ())), config.get("lora_alpha")):
            if isinstance(value, (int, float)) and math.isfinite(value):
                return float(value)
        return None

    return tuple(
        replace(module, alpha=alpha_of(module.place.part)) if _needs_alpha(module) else module for module in modules
    )


def _needs_alpha(module: Module) -> bool:
    return module.method == "LoRA" and module.alpha is None and not module.has_broken_alpha
