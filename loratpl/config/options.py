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
from collections.abc import Iterable
from typing import Any

from loratpl.config.arguments import ARGUMENT_OPTIONS, ValueRefusedError, split_words, to_arguments
from loratpl.config.families import FAMILIES
from loratpl.trainer.manifest import Manifest, Option

__all__ = ["ValueRefusedError", "convert", "explain_unknown", "nearest"]

_WHOLE = re.compile(r"[+-]?\d{1,4000}")

# What each type is called in a message.
TYPE_NAMES = {
    None: "true or false",
    "int": "a whole number",
    "float": "a number",
    "int_or_float": "a whole number of steps or a share below 1",
    "str": "a text",
    "path": "a path",
}


def convert(option: Option, value: Any) -> Any:
    """Returns the value in the type that the trainer's code expects; None when the config leaves it unset.

    Null and the empty text mean unset: that is how the kohya_ss GUI writes it.

    Raises:
        ValueRefusedError: It cannot be converted without loss, or is no choice of the option.
    """
    if value is None or value in ("", [], {}):
        return None
    if option.name in ARGUMENT_OPTIONS:
        return to_arguments(option.name, value) or None
    if option.takes_list:
        return [_convert_one(option, item) for item in _items(option, value)]
    return _convert_one(option, value)


def _items(option: Option, value: Any) -> list[Any]:
    if isinstance(value, str):
        return split_words(option.name, value)
    return list(value) if isinstance(value, list) else [value]


def _convert_one(option: Option, value: Any) -> Any:
    converted = _CONVERTERS[option.type](value)
    if converted is None:
        raise ValueRefusedError(
            f"`{option.name}` takes {TYPE_NAMES[option.type]}, not {_shown(value)}", _type_fix(option, value)
        )
    if option.choices and converted not in option.choices:
        choices = ", ".join(str(choice) for choice in option.choices)
        near = nearest(str(converted), [str(choice) for choice in option.choices])
        raise ValueRefusedError(
            f"`{option.name}` cannot be {_shown(value)}; the trainer knows {choices}",
            f"Write {' or '.join(map(_shown, near))}." if near else "Write one of these.",
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
    number = number_of(value)
    return int(number) if number is not None and number.is_integer() else None


def number_of(value: Any) -> float | None:
    """Returns the number that a value stands for, None where it is none or not finite; text boxes hold texts.

    >>> number_of("10"), number_of(64.0), number_of(""), number_of(True)
    (10.0, 64.0, None, None)
    """
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
    share = number_of(value)
    return share if share is not None and 0.0 <= share < 1.0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


_CONVERTERS = {None: _flag, "int": _int, "float": number_of, "int_or_float": _int_or_float, "str": _text, "path": _text}


def _type_fix(option: Option, value: Any) -> str:
    if option.is_flag and str(value).lower() in ("true", "false", "0", "1", "yes", "no"):
        return f"Write {'true' if str(value).lower() in ('true', '1', 'yes') else 'false'}, without quotes."
    if option.type == "str" and isinstance(value, (int, float, list)) and not isinstance(value, bool):
        parts = value if isinstance(value, list) else [value]
        return f'Write it in quotes: `"{",".join(str(part) for part in parts)}"`.'
    return f"Write {TYPE_NAMES[option.type]}."


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Returns the known words that are most like `word`, the likeliest first; none where nothing is like it.

    One letter too many, too few, wrong or swapped comes first: whoever mistypes a name mistypes one letter of it.

    >>> nearest("netwrok_dim", ["network_dim", "network_args"])
    ['network_dim']
    """
    by_lower = {name.lower(): name for name in known}
    lower = word.lower()
    if lower in by_lower:
        return [by_lower[lower]]
    slips = [name for name in by_lower if _is_one_slip(lower, name)]
    return [by_lower[name] for name in slips or difflib.get_close_matches(lower, by_lower, n=1, cutoff=0.6)]


def _is_one_slip(word: str, name: str) -> bool:
    """Returns whether one letter was left out, put in, replaced or swapped with its neighbour."""
    if abs(len(word) - len(name)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, name, strict=False)) if a != b), min(len(word), len(name)))
    rest, wanted = word[start:], name[start:]
    if len(rest) == len(wanted):
        return rest[1:] == wanted[1:] or (rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:])
    return rest == wanted[1:] or rest[1:] == wanted


# Keys that people still have in their files, and what became of them.
_GONE = {
    "no_token_padding": ("the trainer always pads captions now", "Take it out."),
    "stop_text_encoder_training": (
        "the trainer stops the text encoder no earlier any more",
        "Take it out; a lower `text_encoder_lr` trains it less, `network_train_unet_only` not at all.",
    ),
    "lowvram": ("the trainer calls it `lowram`", "Rename it to `lowram`."),
    "num_epochs": ("the trainer calls it `max_train_epochs`", "Rename it to `max_train_epochs`."),
    "batch_size": ("the trainer calls it `train_batch_size`", "Rename it to `train_batch_size`."),
    "lr": ("the trainer calls it `learning_rate`", "Rename it to `learning_rate`."),
    "rank": ("the trainer calls it `network_dim`", "Rename it to `network_dim`."),
    "network_rank": ("the trainer calls it `network_dim`", "Rename it to `network_dim`."),
    "num_repeats": (
        "the number at the start of a concept folder's name says how often it is repeated",
        "Take it out, and name the folders like `10_ohwx cat`; `kohyatpl balance` finds the numbers.",
    ),
    "class_tokens": ("the name of a concept folder says it", "Take it out, and name the folders like `10_ohwx cat`."),
    "v_pred": ("the trainer calls it `v_parameterization`", "Rename it to `v_parameterization`."),
    "conv_dim": ("it is an argument of the network", 'Write `"network_args": {"conv_dim": …}`.'),
    "conv_alpha": ("it is an argument of the network", 'Write `"network_args": {"conv_alpha": …}`.'),
    "weight_decay": ("it is an argument of the optimiser", 'Write `"optimizer_args": {"weight_decay": …}`.'),
}


def explain_unknown(
    name: str, script: str, manifest: Manifest, own_keys: Iterable[str], family: str = ""
) -> tuple[str, str]:
    """Returns why a key is not understood, and the fix: another family's option, a near name, or neither.

    Args:
        name: The key.
        script: Of the config's family.
        manifest: The options of all scripts.
        own_keys: What else may stand in a config.
        family: The config's; the first one of the script unless given.
    """
    family = family or _families_of([script])[0]
    near = nearest(name.replace("-", "_"), [*manifest.options_of[script], *own_keys])
    others = manifest.scripts_with(name)
    if others:
        rename = f", or rename it to `{near[0]}`" if near and _is_one_slip(name, near[0]) else ""
        return (
            f"`{name}` belongs to {_listed(_families_of(others))}; this config is {family}",
            f"Take it out, or set the `family` that it belongs to{rename}.",
        )
    if name in _GONE:
        reason, fix = _GONE[name]
        return f"unknown key `{name}`: {reason}", fix
    if near:
        guesses = " or ".join(f"`{one}`" for one in near)
        return f"unknown key `{name}`; did you mean {guesses}?", f"Rename it to `{near[0]}`."
    elsewhere = {one: other for other in manifest.options_of for one in manifest.options_of[other]}
    far = nearest(name.replace("-", "_"), elsewhere)
    if far and _is_one_slip(name, far[0]):
        families = _listed(_families_of(manifest.scripts_with(far[0])))
        return (
            f"unknown key `{name}`; `{far[0]}` belongs to {families}, and this config is {family}",
            "Take it out, or set the `family` that it belongs to.",
        )
    return (
        f"unknown key `{name}`: the trainer would ignore it without a word",
        "Take it out; the options are those of the trainer's script.",
    )


def _families_of(scripts: Iterable[str]) -> list[str]:
    return [family.name for script in scripts for family in FAMILIES.values() if family.script == script]


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
