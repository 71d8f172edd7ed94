"""The config that `new` lays out: the settings people change first, with our defaults as their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loratpl.config.defaults import defaults_of
from loratpl.config.families import FAMILIES
from loratpl.errors import Problem, UsageError

# In the order in which they are thought about; everything else is in `kohyatpl config show`.
_SHOWN = (
    "resolution", "train_batch_size", "max_train_epochs", "save_every_n_epochs",
    "learning_rate", "lr_scheduler", "optimizer_type", "network_dim", "network_alpha", "caption_extension", "seed",
)  # fmt: skip
# Relative to the config: `ProjectPaths.schema_path`.
SCHEMA_PLACE = ".kohyatpl/config.schema.json"
# What the settings of a template that says `v2` can be for: in 2023 a model was of one of the two.
_FAMILY_OF_V2 = {False: "sd15", True: "sd2"}


def starter_config(
    *,
    family: str,
    model: str,
    output_name: str,
    folders: Mapping[str, str] | None = None,
    preset: str | None = None,
) -> dict[str, Any]:
    """Returns the first config of a project.

    Args:
        family: Of the base model.
        model: The base model, "" when it is yet to be named; what the family needs beside it always is.
        output_name: The LoRA's name, without extension.
        folders: Options that name folders, where these are not our defaults.
        preset: What it says is left out of the config: written there, it would win over the preset.
    """
    said = _said_by(preset)
    values = {
        default.name: default.value
        for default in defaults_of(family)
        if said.isdisjoint((default.name, *default.unless))
    }
    return {
        "family": family,
        **({"preset": preset} if preset else {}),
        "pretrained_model_name_or_path": model,
        **{companion.option: "" for companion in FAMILIES[family].companions},
        "output_name": output_name,
        **(folders or {}),
        **{name: values[name] for name in _SHOWN if name in values},
    }


def with_schema(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config that names its schema first, as editors want it: written by `new` into the project."""
    return {"$schema": SCHEMA_PLACE, **config}


def _said_by(preset: str | None) -> frozenset[str]:
    if preset is None:
        return frozenset()
    from loratpl.config.presets import read_preset

    return frozenset(read_preset(preset).options)


def filled_in(settings: Mapping[str, Any], *, family: str, model: str, output_name: str) -> dict[str, Any]:
    """Returns a template's own config with what only its user knows; its keys and their order stay as they are.

    Raises:
        UsageError: Its settings are not for this family.
    """
    values = {**settings, "pretrained_model_name_or_path": model, "output_name": output_name}
    if "v2" not in settings:
        return {"family": family, **values}
    if family not in _FAMILY_OF_V2.values():
        raise UsageError(
            Problem(
                "usage.family",
                f"The template's settings are of 2023, for {' and '.join(_FAMILY_OF_V2.values())}, not for {family}.",
                "--family",
                "Leave `--template` out: the usual template is for every family.",
            )
        )
    return values | {"v2": family == _FAMILY_OF_V2[True]}
