"""Values that the file's format allows and a config cannot hold."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator
from typing import Any

from loratpl.config.paths import MODEL_OPTIONS, PATH_OPTIONS
from loratpl.config.reading.raw import KeyPath, RawConfig
from loratpl.errors import Problem

# The GUI keeps the prompts themselves, one a line, where the trainer wants the name of a file.
_PATH_KEYS = (PATH_OPTIONS | MODEL_OPTIONS) - {"sample_prompts"}
_PATH_ENDINGS = ("_dir", "_path", "_file")
_WEIGHTS_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth")
# Besides control characters, YAML makes `\N`, `\L`, `\P` and `\_` of "C:\Nets", "C:\LoRA", "C:\Pictures", "C:\_old".
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]|(?<=^[A-Za-z]:)\xa0")
_DRIVE = re.compile("[A-Za-z]:[\\\\/\x00-\x1f\x7f-\xa0\u2028\u2029]")
_ESCAPES = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e",
    "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P",
}  # fmt: skip
_NAMES = {"\t": "a tab", "\n": "a line break", "\r": "a line break"}


def value_problems(raw: RawConfig) -> Iterator[Problem]:
    """Yields each value that cannot be meant: numbers that are none, dates, paths with control characters."""
    for key, value in raw.values.items():
        yield from _judged(raw, (key,), value)


def _judged(raw: RawConfig, path: KeyPath, value: Any) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _judged(raw, (*path, key), inner)
    elif isinstance(value, list):
        for item in value:
            yield from _judged(raw, path, item)
    elif isinstance(value, float) and not math.isfinite(value):
        what = "NaN, which is no number" if math.isnan(value) else "infinite, or too large a number to be read"
        yield _problem(raw, path, "config.value", f"is {what}", "Write an ordinary number.")
    elif isinstance(value, (dt.date, dt.time)):
        fix = f'Where a text is meant put it in quotes: `"{value}"`.'
        yield _problem(raw, path, "config.value", f"is a date or time ({value}), which no option takes", fix)
    elif isinstance(value, str) and _CONTROL.search(value) and _is_path(path[-1], value):
        yield _escaped_path(raw, path, value)


def _is_path(key: str, text: str) -> bool:
    return (
        key in _PATH_KEYS
        or key.endswith(_PATH_ENDINGS)
        or _DRIVE.match(text) is not None
        or text.lower().endswith(_WEIGHTS_SUFFIXES)
    )


def _escaped_path(raw: RawConfig, path: KeyPath, text: str) -> Problem:
    if not _CONTROL.search(text.strip()) and not _DRIVE.fullmatch(text):
        fix = f"Write `{text.strip()}`, without it."
        return _problem(raw, path, "config.path.escape", f"begins or ends with {_named(text)}", fix)
    found = _named(text)
    meant = _CONTROL.sub(lambda odd: f"/{_ESCAPES[odd[0]]}" if odd[0] in _ESCAPES else "?", text).replace("\\", "/")
    reason = f"holds {found}; no path has a control character: a backslash and the next letter were read as one sign"
    return _problem(raw, path, "config.path.escape", reason, f"Write `{meant}`, with slashes.")


def _named(text: str) -> str:
    found = _CONTROL.search(text)
    character = found[0] if found else ""
    name = _NAMES.get(character, f"the control character U+{ord(character):04X}" if character else "a blank")
    return f'{name} ("\\{_ESCAPES[character]}")' if character in _ESCAPES else name


def _problem(raw: RawConfig, path: KeyPath, code: str, reason: str, fix: str) -> Problem:
    where = raw.where(*path)
    return Problem(code, f"{where.partition(': ')[0]}: `{'.'.join(path)}` {reason}.", where, fix)
