"""`network_args`, `optimizer_args` and `lr_scheduler_args`: written as people write them, made what the trainer takes.

The trainer takes a list of texts `name=value`. It splits those of a network at the first `=` and keeps the value as
text; those of an optimiser and a scheduler it splits at every `=` and reads the value as a Python literal. Whatever it
cannot read ends the run after the base model was loaded, and a name that no one understands is dropped in silence
(facts: sd-scripts 48d368fa, `train_network.py` and `get_optimizer`, `get_scheduler_fix` in `library/train_util.py`).
"""

from __future__ import annotations

import ast
import json
import math
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

NETWORK_ARGS, OPTIMIZER_ARGS, SCHEDULER_ARGS = "network_args", "optimizer_args", "lr_scheduler_args"
ARGUMENT_OPTIONS = (NETWORK_ARGS, OPTIMIZER_ARGS, SCHEDULER_ARGS)
# Other languages' words for Python's.
_PYTHON_WORDS = {"true": "True", "false": "False", "null": "None", "none": "None"}
_NOT_LITERAL = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


class ValueRefusedError(Exception):
    """A value that cannot be what the option takes; carries the sentence and the fix."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


def to_arguments(option: str, value: Any) -> list[str]:
    """Returns the list of `name=value` that the trainer takes.

    Args:
        option: One of `ARGUMENT_OPTIONS`.
        value: A list of texts, one text with blanks between its entries, or an object.

    Raises:
        ValueRefusedError: An entry is none, or two of them give one name different values.
    """
    if isinstance(value, Mapping):
        pairs = [_from_object(option, name, part) for name, part in value.items()]
    else:
        entries = _joined(split_words(option, value)) if isinstance(value, str) else value
        entries = entries if isinstance(entries, list) else [entries]
        pairs = [_from_text(option, entry) for entry in entries]
    found: dict[str, str] = {}
    for name, text in pairs:
        if text is None:
            continue
        if found.setdefault(name, text) != text:
            reason = f"`{option}` gives `{name}` two values, {_shown(found[name])} and {_shown(text)}"
            raise ValueRefusedError(reason, f"Keep one entry for `{name}`.")
    return [f"{name}={text}" for name, text in found.items()]


def parse_arguments(entries: Iterable[str] | None) -> dict[str, str]:
    """Returns the values of what `to_arguments` gave, by name.

    >>> parse_arguments(["conv_dim=4", "network_reg_dims=.*attn.*=8"])
    {'conv_dim': '4', 'network_reg_dims': '.*attn.*=8'}
    """
    return {name: text for name, _, text in (entry.partition("=") for entry in entries or ())}


def split_words(option: str, text: str) -> list[str]:
    r"""Returns the words of a text as a shell would take it apart, but that a backslash is part of a path.

    Raises:
        ValueRefusedError: A quotation mark is left open.
    """
    words = shlex.shlex(text, posix=True, punctuation_chars=False)
    words.whitespace_split, words.escape, words.commenters = True, "", ""
    try:
        return list(words)
    except ValueError as error:
        reason = f"{_shown(text)} cannot be taken apart: {error}"
        raise ValueRefusedError(reason, f'Write a list: `"{option}": ["…", "…"]`.') from error


def _joined(words: list[str]) -> list[str]:
    """Puts `weight_decay = 0.1` together again, which has been taken apart at its blanks."""
    joined: list[str] = []
    for word in words:
        if joined and (word.startswith("=") or (joined[-1].endswith("=") and "=" not in word)):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _from_text(option: str, entry: Any) -> tuple[str, str | None]:
    if not isinstance(entry, str):
        quoted = f'Write it in quotes: `"{entry}"`.' if isinstance(entry, (int, float)) else 'Write `"name=value"`.'
        raise ValueRefusedError(f"`{option}` takes a text, not {_shown(entry)}", quoted)
    name, equals, text = (part.strip() for part in entry.partition("="))
    if not equals or not name:
        words = entry.split()
        fix = f"Write `{words[0]}={words[1]}`." if len(words) == 2 and not equals else "Write `name=value`."
        raise ValueRefusedError(f"`{option}`: {_shown(entry)} is no `name=value`; the trainer ends on it", fix)
    if option == NETWORK_ARGS:
        is_word = text.lower() in ("true", "false")
        return _checked_name(option, name), text.capitalize() if is_word else text
    text = _PYTHON_WORDS.get(text.lower(), text)
    return _checked_name(option, name), _checked_literal(option, name, text)


def _from_object(option: str, name: str, value: Any) -> tuple[str, str | None]:
    name = _checked_name(option, name.strip())
    if option == NETWORK_ARGS:
        return name, _network_text(option, name, value)
    text = _checked_literal(option, name, repr(_as_python(option, name, value)))
    return name, text


def _checked_name(option: str, name: str) -> str:
    if not name or "=" in name or any(character.isspace() for character in name):
        raise ValueRefusedError(f"`{option}`: {_shown(name)} is no name of an argument", "Write `name=value`.")
    return name


def _checked_literal(option: str, name: str, text: str) -> str:
    if "=" in text:
        reason = f"`{option}`: the value of `{name}` holds a second `=`, {_shown(text)}; the trainer ends on it"
        raise ValueRefusedError(reason, f"Take the `=` out of the value of `{name}`.")
    try:
        ast.literal_eval(text)
    except _NOT_LITERAL:
        reason = f"`{option}`: `{name}` is {_shown(text)}, which is no number, True, False, None or text in quotes"
        quoted = f"{name}='{text}'".replace("''", "'")
        fix = f'Write a number, or a text in quotes of its own: `"{option}": ["{quoted}"]`.'
        raise ValueRefusedError(reason, fix) from None
    return text


def _as_python(option: str, name: str, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_as_python(option, name, item) for item in value)
    if isinstance(value, Mapping):
        return {key: _as_python(option, name, item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueRefusedError(
            f"`{option}`: `{name}` is {value}, no number to train with", "Write an ordinary number."
        )
    return value


def _network_text(option: str, name: str, value: Any) -> str | None:
    """The module casts the text itself: int("4.0") would end the run, float("4") does not."""
    if value is None:
        return None
    if isinstance(value, Mapping):  # network_reg_lrs: {"pattern": rate}
        return ",".join(f"{key}={_network_text(option, name, part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        if any(isinstance(part, str) for part in value):
            return repr(list(value))  # the patterns of lora_anima are a Python list
        return ",".join(str(_network_text(option, name, part)) for part in value)
    if isinstance(value, (float, int)):
        number = _as_python(option, name, value)
        return str(int(number)) if isinstance(number, float) and number.is_integer() else repr(number)
    return _from_text(option, f"{name}={value}")[1]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
