"""JSON with the line of each key."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

from loratpl.config.reading.json_faults import syntax_problems
from loratpl.config.reading.raw import MAX_DEPTH, KeyPath, Parsed, duplicate_problem, too_deep
from loratpl.errors import ConfigError, Problem

# A text that is never closed is one token: looked for again from each quote in it, it would cost its length squared.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]:,]')
# Python reads no whole number of more digits from a text.
MAX_DIGITS = 4300


def parse_json(text: str, name: str) -> Parsed:
    """Returns what a JSON text says.

    Comments and commas after the last entry are refused, with every line that has one: the kohya_ss GUI, editors and
    `jq` refuse such a file as well, and a config that only one program reads is no config to hand on. YAML has both.

    Args:
        text: Without a byte order mark.
        name: The file's name, for problems.

    Raises:
        ConfigError: It is no JSON, holds a key twice, or is nested without end.
    """
    _refuse_deep(text, name)
    try:
        value = json.loads(text, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise ConfigError(*syntax_problems(text, name, error)) from error
    lines: dict[KeyPath, int] = {}
    duplicates: list[Problem] = []
    for path, line, earlier in _key_lines(text):
        lines[path] = line
        if earlier is not None:
            duplicates.append(duplicate_problem(name, path, earlier, line))
    if duplicates:
        raise ConfigError(*duplicates)
    return Parsed(value, lines)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else math.inf  # what is infinite is refused with its key


def _refuse_deep(text: str, name: str) -> None:
    """Refuses deep nesting before a parser that calls itself for each level sees it."""
    depth = 0
    for token in _TOKEN.finditer(text):
        symbol = token.group()
        if symbol in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise too_deep(name, text.count("\n", 0, token.start()) + 1)
        elif symbol in "}]":
            depth -= 1


def _key_lines(text: str) -> Iterator[tuple[KeyPath, int, int | None]]:
    """Yields each key of valid JSON: its path, its line, and the line where its object had it before."""
    parents: list[tuple[str | None, dict[str, int]]] = []  # of each open bracket: the key it belongs to, its keys
    last_string, last_start, line, seen_to = "", 0, 1, 0
    pending: str | None = None
    for token in _TOKEN.finditer(text):
        symbol = token.group()
        if symbol == ":":
            line += text.count("\n", seen_to, last_start)
            seen_to = last_start
            pending = json.loads(last_string)
            siblings = parents[-1][1]
            yield (*(key for key, _ in parents if key is not None), pending), line, siblings.get(pending)
            siblings.setdefault(pending, line)
        elif symbol in "{[":
            parents.append((pending, {}))
            pending = None
        elif symbol in "}]":
            parents.pop()
            pending = None
        elif symbol == ",":
            pending = None
        else:
            last_string, last_start = symbol, token.start()
