"""The weights that stood in folders' names, written to the config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from loratpl.config.block import BLOCK_KEY
from loratpl.config.json_text import with_value
from loratpl.errors import ConfigError, Problem
from loratpl.journal import Rewrite

_WRITTEN_BY_HAND = (".yaml", ".yml", ".toml")


def rewrites(new_weights: Mapping[str, float], config_path: Path) -> tuple[Rewrite, ...]:
    """Returns what the config shall hold: these weights as well, and every other character as it is.

    Args:
        new_weights: By class tokens.
        config_path: A JSON file; where there is none yet, it will hold the weights alone.

    Raises:
        ConfigError: It is a YAML or TOML file, whose comments and layout are its owner's: they get the lines to add.
    """
    if not new_weights:
        return ()
    if config_path.suffix.lower() in _WRITTEN_BY_HAND:
        raise ConfigError(*(_by_hand(name, weight, config_path) for name, weight in new_weights.items()))
    try:
        before = config_path.read_bytes().decode("utf-8") if config_path.is_file() else None
    except UnicodeDecodeError:
        raise ConfigError(
            *(_by_hand(name, weight, config_path, "UTF-8") for name, weight in new_weights.items())
        ) from None
    after = "{}\n" if before is None else before
    for name, weight in new_weights.items():
        after = with_value(after, (BLOCK_KEY, "concepts", name, "weight"), _number(weight))
    if before is None:
        after = json.dumps(json.loads(after), indent=2, ensure_ascii=not _is_unicode(after)) + "\n"
    return (Rewrite(config_path, before, after),)


def _by_hand(name: str, weight: float, config_path: Path, missing: str = "JSON") -> Problem:
    key = json.dumps(name, ensure_ascii=not _is_unicode(name))
    line = _line(config_path.suffix.lower(), key, _number(weight))
    return Problem(
        "config.weight.by_hand",
        f"The folder of {name!r} has the weight {weight:g} in its name, which the trainer does not understand. It "
        f"belongs in {config_path.name}, which is not rewritten, since it is no {missing}. Nothing was renamed.",
        config_path.name,
        f"Add `{line}` at its top, or to what stands under `{BLOCK_KEY}` already; then run `kohyatpl balance` again.",
    )


def _line(suffix: str, key: str, weight: float) -> str:
    if suffix == ".toml":
        return f"{BLOCK_KEY}.concepts.{key}.weight = {weight}"
    if suffix in _WRITTEN_BY_HAND:
        return f"{BLOCK_KEY}: {{concepts: {{{key}: {{weight: {weight}}}}}}}"
    return f'"{BLOCK_KEY}": {{"concepts": {{{key}: {{"weight": {weight}}}}}}}'


def _number(weight: float) -> float:
    return int(weight) if weight.is_integer() else weight


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
