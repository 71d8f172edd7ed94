"""Turns what a config says of a trainer's option into the value the trainer must get, or into a problem.

The trainer checks nothing in its config file: a misspelt key trains on defaults, the text "false" is true, a number
in quotes ends the run after the model was loaded (facts: sd-scripts 48d368fa, `read_config_from_file`). So a value
is converted only where nothing can be lost; anything else is refused with its fix.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import shlex
from collections.abc import Iterable
from typing import Any

from loratpl.trainer.manifest import Manifest, Option

_WHOLE = re.compile(r"[+-]?\d{1,4000}")

# What each type is called in a message.
_TYPE_NAMES = {
    None: "true or false",
    "int": "a whole number",
    "float": "a number",
    "int_or_float": "a whole number of steps or a share below 1",
    "str": "a text",
    "path": "a path",
}


class ValueRefusedError(Exception):
    """A value that cannot be what the option takes; carries the sentence and the fix."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


def convert(option: Option, value: Any) -> Any:
    """Returns the value in the type that the trainer's code expects; None when the config leaves it unset.

    Null and the empty text mean unset: that is how the kohya_ss GUI writes it.

    Raises:
        ValueRefusedError: It cannot be converted without loss, or is no choice of the option.
    """
    if value is None or value in ("", []):
        return None
    if option.takes_list:
        return [_convert_one(option, item) for item in _items(option, value)]
    return _convert_one(option, value)


def _items(option: Option, value: Any) -> list[Any]:
    if isinstance(value, str):
        words = shlex.shlex(value, posix=True, punctuation_chars=False)
        words.whitespace_split, words.escape, words.commenters = True, "", ""  # a backslash is part of a path
        try:
            return list(words)
        except ValueError as error:
            raise ValueRefusedError(
                f"{_shown(value)} cannot be taken apart: {error}", f'Write a list: `"{option.name}": ["…", "…"]`.'
            ) from error
    return list(value) if isinstance(value, list) else [value]


def _convert_one(option: Option, value: Any) -> Any:
    converted = _CONVERTERS[option.type](value)
    if converted is None:
        raise ValueRefusedError(
            f"`{option.name}` takes {_TYPE_NAMES[option.type]}, not {_shown(value)}", _type_fix(option, value)
        )
    if option.choices and converted not in option.choices:
        choices = ", ".join(str(choice) for choice in option.choices)
        near = _nearest(str(converted), [str(choice) for choice in option.choices])
        raise ValueRefusedError(
            f"`{option.name}` cannot be {_shown(value)}; the trainer knows {choices}",
            f"Write {_shown(near)}." if near else "Write one of these.",
        )
    return converted


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    number = _float(value)
    return int(number) if number is not None and number.is_integer() else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _int_or_float(value: Any) -> int | float | None:
    """The trainer takes a whole number for steps, any other for a share of all steps: a share lies below one."""
    whole = _int(value)
    if whole is not None:
        return whole
    share = _float(value)
    return share if share is not None and 0.0 <= share < 1.0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


_CONVERTERS = {None: _flag, "int": _int, "float": _float, "int_or_float": _int_or_float, "str": _text, "path": _text}


def _type_fix(option: Option, value: Any) -> str:
    if option.is_flag and str(value).lower() in ("true", "false", "0", "1", "yes", "no"):
        return f"Write {'true' if str(value).lower() in ('true', '1', 'yes') else 'false'}, without quotes."
    if option.type == "str" and isinstance(value, (int, float, list)) and not isinstance(value, bool):
        parts = value if isinstance(value, list) else [value]
        return f'Write it in quotes: `"{",".join(str(part) for part in parts)}"`.'
    return f"Write {_TYPE_NAMES[option.type]}."


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _nearest(word: str, known: Iterable[str]) -> str | None:
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def explain_unknown(name: str, script: str, manifest: Manifest, own_keys: Iterable[str]) -> tuple[str, str]:
    """Returns why a key is not understood, and the fix: another script's option, a near name, or neither."""
    others = manifest.scripts_with(name)
    if others:
        return (
            f"`{name}` is an option of {', '.join(others)}; this config is trained by {script}",
            "Take it out, or set the `family` that it belongs to.",
        )
    near = _nearest(name.replace("-", "_"), [*manifest.options_of[script], *own_keys])
    if near:
        return f"unknown key `{name}`; did you mean `{near}`?", f"Rename it to `{near}`."
    return (
        f"unknown key `{name}`: the trainer would ignore it without a word",
        "Take it out; the options are those of the trainer's script.",
    )
