"""Which settings of a run a card names: those that decide on the result, and are not as the trainer has them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import PurePath, PureWindowsPath
from typing import Any

from loratpl.config.paths import MODEL_OPTIONS, PATH_OPTIONS
from loratpl.report.story.story import SettingRow
from loratpl.run.harmless import reason_of

# In the order in which people ask for them; whatever else decides comes after these.
_FIRST = (
    "network_module", "network_dim", "network_alpha", "network_args", "learning_rate", "unet_lr", "text_encoder_lr",
    "optimizer_type", "optimizer_args", "lr_scheduler", "lr_warmup_steps", "max_train_epochs", "max_train_steps",
    "train_batch_size", "gradient_accumulation_steps", "resolution", "mixed_precision", "seed",
)  # fmt: skip
# Files and folders that `PATH_OPTIONS` does not name, or what another part of the card says.
_ELSEWHERE = PATH_OPTIONS | MODEL_OPTIONS | {"family", "preset"}
# How fast it goes, what is kept for that, and what files are called.
_SPEED = re.compile(
    r"cache_latents|cache_text_encoder_outputs|.*_data_loader_.*|.*cache_batch_size|no_half_vae|lowram|caption_extension"
)
_MAX_CHARS = 200


def settings_that_matter(rows: Iterable[SettingRow]) -> tuple[tuple[str, str], ...]:
    """Returns options and their values as a card has them; no value says where something lies."""
    found = {row.key: shown for row in rows if _matters(row) and (shown := _shown(row.value))}
    first = {key: found.pop(key) for key in _FIRST if key in found}
    return tuple({**first, **found}.items())


def _matters(row: SettingRow) -> bool:
    if row.key in _ELSEWHERE or row.key.startswith("kohyatpl.") or _SPEED.match(row.key) or reason_of(row.key):
        return False
    if row.value is None or row.value is False or row.value == []:
        return False
    return row.key in _FIRST or row.value != row.default


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return without_places(text)[:_MAX_CHARS]


def without_places(text: str) -> str:
    r"""Returns a text with the name alone where it has a whole path.

    >>> without_places("table=/home/ann/t.json"), without_places("C:\\a\\b.pt"), without_places("betas=0.9/0.99")
    ('table=t.json', 'b.pt', 'betas=0.9/0.99')
    """
    name, equals, value = text.rpartition("=")
    if PureWindowsPath(value).is_absolute():
        value = PureWindowsPath(value).name
    elif PurePath(value).is_absolute() or value.startswith(("~", "/")):
        value = PurePath(value).name
    return f"{name}{equals}{value}"
