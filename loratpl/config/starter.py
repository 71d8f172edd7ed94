"""The config that `new` lays out: the settings people change first, with our defaults as their values."""

from __future__ import annotations

from typing import Any

from loratpl.config.defaults import DEFAULTS

# In the order in which they are thought about; everything else is in `kohyatpl config show`.
_SHOWN = (
    "resolution", "train_batch_size", "max_train_epochs", "save_every_n_epochs",
    "learning_rate", "lr_scheduler", "optimizer_type", "network_dim", "network_alpha", "caption_extension", "seed",
)  # fmt: skip


def starter_config(*, family: str, model: str, output_name: str) -> dict[str, Any]:
    """Returns the first config of a project.

    Args:
        family: Of the base model.
        model: The base model, "" when it is yet to be named.
        output_name: The LoRA's name, without extension.
    """
    values = {default.name: default.value for default in DEFAULTS}
    return {
        "family": family,
        "pretrained_model_name_or_path": model,
        "output_name": output_name,
        **{name: values[name] for name in _SHOWN},
    }
