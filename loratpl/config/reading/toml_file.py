"""TOML with the line of each key, its tables understood as the trainer understands them."""

from __future__ import annotations

import re
from typing import Any

from loratpl.config.reading.raw import KeyPath, Parsed, duplicate_problem, line_problem
from loratpl.config.reading.toml_lines import KeyLine, key_lines, lines_of
from loratpl.errors import ConfigError, Problem

# Tables that are one value. The trainer would spill `[network_args]` among its options and go on without arguments.
_OBJECT_OPTIONS = ("network_args", "optimizer_args", "lr_scheduler_args")
_AT = re.compile(r"(?P<reason>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)
_MANY_DIGITS = re.compile(r"[0-9_]{4300,}")
_FIXES = (
    ("Unescaped '\\'", "Put a path in single quotes, 'C:\\models', or write it with slashes, \"C:/models\"."),
    ("hex value", "Put a path in single quotes, 'C:\\models', or write it with slashes, \"C:/models\"."),
    ("Invalid value", "A text stands in quotes; true and false are written so; what is unset is left out."),
    ("Expected '='", "Write `key = value`, one in a line."),
    ("Invalid statement", "Write `key = value`, one in a line."),
    ("after a statement", "Write `key = value`, one in a line; a text stands in quotes."),
    ('Expected "\'"', "Close each text with the quote that it begins with."),
    ("Unterminated", "Close each text with the quote that it begins with."),
    ("Illegal character", "Close each text with the quote that it begins with, in the same line."),
)


def parse_toml(text: str, name: str) -> Parsed:
    """Returns what a TOML text says, `[section] key = v` as `key = v`: the trainer ignores the names of tables.

    Args:
        text: Without a byte order mark, which would cost the trainer its first key.
        name: The file's name, for problems.

    Raises:
        ConfigError: It is no TOML, holds a key twice (in two sections as well), or is nested without end.
    """
    from loratpl.config.reading.toml_parser import TOMLDecodeError, loads  # only when there is a TOML to read

    found = key_lines(text, name)
    try:
        values = loads(text)
    except TOMLDecodeError as error:
        raise ConfigError(_syntax_problem(text, name, str(error), found)) from error
    except (ValueError, RecursionError) as error:  # a whole number that Python does not read
        at = _MANY_DIGITS.search(text)
        line = text.count("\n", 0, at.start() if at else 0) + 1
        reason, fix = "a number with thousands of digits", "Write an ordinary number."
        raise ConfigError(line_problem(name, line, "config.value", reason, fix)) from error
    return _flattened(values, lines_of(found), name)


def _flattened(values: dict[str, Any], lines: dict[KeyPath, int], name: str) -> Parsed:
    """Returns the keys of all sections side by side."""
    from loratpl.config.block import BLOCK_KEY  # pydantic models

    whole = (BLOCK_KEY, *_OBJECT_OPTIONS)
    sections = {key for key, value in values.items() if isinstance(value, dict) and key not in whole}
    flat: dict[str, Any] = {}
    homes: dict[str, KeyPath] = {}
    problems: list[Problem] = []
    for key, value in values.items():
        home = (key,) if key in sections else ()
        for inner, item in value.items() if home else ((key, value),):
            if inner in flat:
                both = sorted(lines.get((*place, inner), 1) for place in (homes[inner], home))
                problems.append(duplicate_problem(name, (inner,), both[0], both[1]))
            flat[inner], homes[inner] = item, home
    if problems:
        raise ConfigError(*problems)
    moved = {path[1:] if path[0] in sections else path: line for path, line in lines.items()}
    moved.pop((), None)
    return Parsed(flat, moved)


def _syntax_problem(text: str, name: str, message: str, found: list[KeyLine]) -> Problem:
    place = _AT.fullmatch(message)
    reason = place["reason"] if place else message
    line = int(place["line"]) if place and place["line"] else text.rstrip().count("\n") + 1
    if reason.startswith(("Cannot overwrite", "Cannot declare", "Duplicate", "Cannot mutate")):
        duplicate = _duplicate(found, line)
        if duplicate is not None:
            earlier, later = duplicate
            both = min(earlier.path, later.path, key=len)  # `a = 1` and `a.b = 2` set `a`
            return duplicate_problem(name, both, earlier.line, later.line)
    column = f", column {place['column']}" if place and place["column"] else ""
    fix = next((fix for sign, fix in _FIXES if sign in reason), "Mend that place; an editor that knows TOML marks it.")
    if text.lstrip().startswith("{"):
        fix = "This looks like JSON: rename the file so that it ends in .json."
    return Problem("config.syntax", f"{name} line {line}{column}: {reason}.", f"{name} line {line}", fix)


def _duplicate(found: list[KeyLine], line: int) -> tuple[KeyLine, KeyLine] | None:
    """Returns the two places of the last key that is set twice up to a line, None where no two can be told."""
    seen: dict[KeyPath, KeyLine] = {}
    pair = None
    for key in found:
        if key.line > line:
            break
        if key.path in seen:
            pair = seen[key.path], key
        seen[key.path] = key
    if pair is not None or not seen:
        return pair
    later = list(seen.values())[-1]
    for earlier in seen.values():
        shorter = min(len(earlier.path), len(later.path))
        if earlier is not later and earlier.path[:shorter] == later.path[:shorter]:
            return earlier, later
    return None
