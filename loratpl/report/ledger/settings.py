"""The settings of recorded runs: read from their configs, and those that differ."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from loratpl.config.families import FAMILIES
from loratpl.project import RunPaths
from loratpl.records import RunRecord
from loratpl.run.comparison import MODEL_KEY, Meaning, meaning_of
from loratpl.run.harmless import reason_of

# What people change from run to run comes first; all others as their configs have them.
_FIRST = (
    MODEL_KEY, "learning_rate", "unet_lr", "text_encoder_lr", "network_dim", "network_alpha", "network_module",
    "network_args", "optimizer_type", "lr_scheduler", "max_train_epochs", "max_train_steps", "train_batch_size",
    "resolution", "seed",
)  # fmt: skip
_SCRIPT = re.compile(r"(?:^|[/\\])([a-z0-9_]*train_network\.py)$")


def script_of(values: Mapping[str, Any], record: RunRecord | None) -> str:
    """Returns the trainer's script that a config was for, "" where nothing tells."""
    family = FAMILIES.get(str(values.get("family")))
    if family is not None:
        return family.script
    scripts = [matched[1] for word in (record.argv if record else ()) if (matched := _SCRIPT.search(word))]
    return scripts[0] if scripts else ""


def read_values(paths: RunPaths) -> dict[str, Any] | None:
    """Returns a run's config, None where it is missing or damaged."""
    try:
        if not stat.S_ISREG(paths.config_path.stat().st_mode):
            return None
        values = json.loads(paths.config_path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def recorded_meaning(paths: RunPaths, record: RunRecord | None) -> Meaning | None:
    """Returns what a run's config means, the base model among its options; None where it cannot be read."""
    values = read_values(paths)
    if values is None:
        return None
    meaning = meaning_of(values, script_of(values, record))
    model = values.get(MODEL_KEY)
    return Meaning({**meaning.options, **({} if model is None else {MODEL_KEY: model})}, meaning.own, meaning.defaults)


def differing_settings(meanings: Sequence[Meaning]) -> tuple[str, ...]:
    """Returns the settings that are not the same in all configs, those that change nothing of the training last."""
    keys = dict.fromkeys((*_FIRST, *(key for meaning in meanings for key in meaning.keys)))
    first = meanings[0] if meanings else None
    if first is None:
        return ()
    found = []
    for key in keys:
        value = first.of(key)
        if any(other.of(key) != value for other in meanings):
            found.append(key)
    return tuple(sorted(found, key=lambda key: reason_of(key) is not None))
