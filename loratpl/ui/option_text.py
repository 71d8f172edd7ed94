"""The trainer's options as text that fits a terminal of 80 columns."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loratpl.ui.columns import shortened, width_of

if TYPE_CHECKING:
    from loratpl.config.search import FoundOption

_MAX_WIDTH = 100
_TYPES = {"int": "whole number", "float": "number", "int_or_float": "steps or share", "str": "text", "path": "path"}


def brief(found: Sequence[FoundOption]) -> list[str]:
    """Returns one line for each option: its name and what it takes."""
    names = max((len(one.option.name) for one in found), default=0)
    room = _width() - names - 2
    return [f"{one.option.name:<{names}}  {shortened(_takes(one), room)}" for one in found]


def in_full(found: FoundOption) -> Iterator[str]:
    """Yields the lines of an option: its name, what it takes, its families and defaults, the trainer's text."""
    yield found.option.name
    yield from _wrapped("takes", _takes(found))
    yield from _wrapped("families", ", ".join(found.families))
    if found.ours:
        yield from _wrapped("default", _by_family(found.ours))
    yield from _wrapped("trainer's", "none" if found.option.default is None else _shown(found.option.default))
    for paragraph in _in_english(found.help).splitlines():
        yield from (f"  {line}" for line in _lines(paragraph, _width() - 2))
    yield ""


def _takes(found: FoundOption) -> str:
    option = found.option
    if option.is_flag:
        return "true or false"
    kind = _TYPES[option.type or "str"]
    if option.choices:
        kind = " | ".join(map(str, option.choices))
    return f"list of: {kind}" if option.takes_list else kind


def _by_family(values: Mapping[str, Any]) -> str:
    families: dict[str, list[str]] = {}
    for family, value in values.items():
        families.setdefault(_shown(value), []).append(family)
    if len(families) == 1:
        return next(iter(families))
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in families.items())


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _wrapped(title: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _width() - 13, break_long_words=False) or [""]
    yield f"  {title:<9}  {lines[0]}"
    yield from (f"{'':13}{line}" for line in lines[1:])


def _in_english(text: str) -> str:
    """Returns a text without its Japanese half: most of them say everything twice, with " / " between."""
    parts = [part for part in re.split(r"\s+/\s*|\s*/\s+", text) if not _is_wide(part)]
    return " / ".join(parts).strip() or text


def _is_wide(text: str) -> bool:
    return width_of(text) > len(text)


def _lines(text: str, width: int) -> list[str]:
    """Returns the text in lines; one without blanks, as Japanese has none, is cut by its columns."""
    if not _is_wide(text):
        return textwrap.wrap(text, width)
    lines, line = [], ""
    for character in text:
        if width_of(line + character) > width:
            lines.append(line.strip())
            line = ""
        line += character
    return [*lines, line]


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _MAX_WIDTH)
