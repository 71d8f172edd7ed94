"""Settings of the command line, laid over those of the config file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from loratpl.config.block import BLOCK_KEY
from loratpl.config.setting import COMMAND_LINE, Setting


def laid_over(written: Mapping[str, Setting], overrides: Sequence[tuple[str, Any]]) -> dict[str, Setting]:
    """Returns settings with those of the command line in place of the file's.

    A key with dots names one of our own: `kohyatpl.run.save_state_every`; the rest of the block stays as it is.
    A concept whose name has a dot in it cannot be named so.
    """
    found = dict(written)
    for key, value in overrides:
        where = f"--set {key}"
        first, *rest = key.split(".")
        if first == BLOCK_KEY and rest:
            # A variable is a text, also where it looks like a number.
            is_text = rest[0] == "env" and len(rest) > 1 and not isinstance(value, str)
            block = found[BLOCK_KEY].value if BLOCK_KEY in found else None
            block = _with(block, rest, json.dumps(value) if is_text else value)
            found[BLOCK_KEY] = Setting(block, COMMAND_LINE, where)
        else:
            found[key] = Setting(value, COMMAND_LINE, where)
    return found


def _with(values: Any, keys: Sequence[str], value: Any) -> Any:
    """Returns nested mappings with one value in another's place.

    >>> _with({"run": {"a": 1, "b": 2}, "env": {}}, ["run", "b"], 3)
    {'run': {'a': 1, 'b': 3}, 'env': {}}
    """
    if not keys:
        return value
    inner = dict(values) if isinstance(values, Mapping) else {}
    return {**inner, keys[0]: _with(inner.get(keys[0]), keys[1:], value)}
