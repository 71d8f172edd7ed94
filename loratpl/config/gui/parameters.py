"""The GUI's `additional_parameters`: words of the trainer's command line, taken apart as its parser would."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loratpl.trainer.manifest import Manifest, Option


@dataclass(frozen=True, slots=True)
class Refused:
    """Words that are no option, and why."""

    reason: str
    fix: str


def options_in(text: Any, script: str, manifest: Manifest) -> Iterator[tuple[str, Any] | Refused]:
    """Yields option and value for each option of a command line's tail; whatever else is in it is refused.

    >>> from loratpl.trainer.manifest import load_manifest
    >>> list(options_in("--max_grad_norm=0 --lowram", "train_network.py", load_manifest()))
    [('max_grad_norm', '0'), ('lowram', True)]
    """
    if not isinstance(text, str):
        yield Refused("it is no text", 'Write it as on a command line: `"--log_prefix=cats"`.')
        return
    try:
        words = _words(text)
    except ValueError as error:
        yield Refused(f"it cannot be taken apart: {error}", "Close every quote.")
        return
    known = {name: option for options in manifest.options_of.values() for name, option in options.items()}
    known |= manifest.options_of.get(script, {})
    while words:
        word = words.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not word.startswith("--") or not name:
            yield Refused(f"`{word}` belongs to no option", "Take it out, or put the option's name before it.")
            continue
        option = known.get(name)
        values = [value] if equals else list(_taken(words, option))
        yield _read(name, option, values)


def _words(text: str) -> list[str]:
    splitter = shlex.shlex(text, posix=True, punctuation_chars=False)
    splitter.whitespace_split, splitter.escape, splitter.commenters = True, "", ""  # a backslash is part of a path
    return list(splitter)


def _taken(words: list[str], option: Option | None) -> Iterator[str]:
    """Takes the words of an option's values off the front; those of an unknown option go with it."""
    most = 0 if option is not None and option.is_flag else 1
    many = option is None or option.takes_list
    while words and not words[0].startswith("--") and (many or most):
        most -= 1
        yield words.pop(0)


def _read(name: str, option: Option | None, values: list[str]) -> tuple[str, Any] | Refused:
    if option is None:
        return name, values[0] if len(values) == 1 else values or True  # an unknown key is explained where all are
    if option.is_flag:
        return Refused(f"`--{name}` takes no value", f"Write `--{name}` alone.") if values else (name, True)
    if option.takes_list:
        return name, values
    if len(values) != 1:
        return Refused(f"`--{name}` takes one value, not {len(values)}", f"Write `--{name}=VALUE`.")
    return name, values[0]
