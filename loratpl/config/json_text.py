"""Sets one value in the text of a JSON file and leaves every other character as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_BLANKS = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class _Member:
    """A key of an object, with the places of its first character and of its value."""

    key: str
    start: int
    value_start: int
    value_end: int


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """Returns the text with `value` at a path of keys; objects that are missing on the way are added.

    The order of keys, indentation, line endings, and a byte order mark stay; what is new is indented like its
    neighbours.

    Args:
        text: Valid JSON whose top level is an object.
        path: At least one key.
        value: JSON-ready.

    >>> with_value('{"a": 1}', ("kohyatpl", "x"), 2)
    '{"a": 1, "kohyatpl": {"x": 2}}'
    """
    return _with_value(text, _after_blanks(text, text.startswith("\ufeff")), path, value)


def _with_value(text: str, start: int, path: Sequence[str], value: Any) -> str:
    """Returns the text with the value set in the object that starts there."""
    members = list(_members(text, start))
    for member in members:
        if member.key == path[0]:
            if len(path) > 1 and text[member.value_start] == "{":
                return _with_value(text, member.value_start, path[1:], value)
            new = _written(_nested(path[1:], value), *_style(text, members))
            return text[: member.value_start] + new + text[member.value_end :]
    indent, unit, newline = _style(text, members)
    entry = f"{_written(path[0], '', '', newline)}: {_written(_nested(path[1:], value), indent, unit, newline)}"
    if not members:
        end = text.index("}", start)
        return f"{text[: start + 1]}{entry}{text[end:]}"
    at = members[-1].value_end
    return f"{text[:at]},{f'{newline}{indent}' if unit else ' '}{entry}{text[at:]}"


def _members(text: str, start: int) -> Iterator[_Member]:
    at = _after_blanks(text, start + 1)
    while text[at] != "}":
        key, end = _DECODER.raw_decode(text, at)
        value_start = _after_blanks(text, _after_blanks(text, end) + 1)
        _, value_end = _DECODER.raw_decode(text, value_start)
        yield _Member(key, at, value_start, value_end)
        at = _after_blanks(text, value_end)
        if text[at] == ",":
            at = _after_blanks(text, at + 1)


def _style(text: str, members: Sequence[_Member]) -> tuple[str, str, str]:
    """Returns the indentation of an object's members, one level of it ("" where all is one line), and line ending."""
    newline = "\r\n" if "\r\n" in text else "\n"
    if not members:
        return "", "", newline
    indent = _line_start(text, members[0].start)
    if indent is None:
        return "", "", newline
    first = re.search(r"\{[ \t]*\r?\n([ \t]+)", text)
    return indent, first[1] if first else "  ", newline


def _line_start(text: str, at: int) -> str | None:
    """Returns the blanks before a place, None where anything else stands before it in its line."""
    before = text[text.rfind("\n", 0, at) + 1 : at]
    return before if not before.strip() and "\n" in text[:at] else None


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _written(value: Any, indent: str, unit: str, newline: str) -> str:
    # A name that is no Unicode can only be written as an escape.
    text = json.dumps(value, ensure_ascii=False, indent=unit or None)
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        text = json.dumps(value, indent=unit or None)
    return text.replace("\n", f"{newline}{indent}")


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return at if blanks is None else blanks.end()
