"""Reads a JSON config and remembers on which line each key stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from loratpl.errors import ConfigError, Problem

KeyPath = tuple[str, ...]
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')


@dataclass(frozen=True, slots=True)
class RawConfig:
    """A config file as it was written.

    Attributes:
        path: The file.
        values: Its top-level object.
        lines: The line (from 1) of each key; keys of objects inside it are named by their path.
    """

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def where(self, *key: str) -> str:
        """Returns how a problem names a key: "config.json line 12: learning_rate"."""
        line = self.lines.get(key)
        place = self.path.name if line is None else f"{self.path.name} line {line}"
        return f"{place}: {'.'.join(key)}"


def read_config(path: Path) -> RawConfig:
    """Returns the config at `path`.

    Raises:
        ConfigError: It cannot be read, is no JSON object, holds a key twice or a number that is none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _refused(
            path, "config.unreadable", f"cannot be read: {error.strerror or error}", "Name an existing file."
        ) from error
    except UnicodeDecodeError as error:
        raise _refused(
            path, "config.encoding", f"is not UTF-8 (byte {error.start})", "Save it as UTF-8 in your editor."
        ) from error
    try:
        values = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise _syntax_error(path, text, error) from error
    except _RefusedValueError as error:
        raise _refused(path, "config.value", str(error), "Write each key once, with an ordinary number.") from error
    except ValueError as error:  # Python reads no whole number of more than 4300 digits
        reason = "holds a number with thousands of digits"
        raise _refused(path, "config.value", reason, "Write an ordinary number.") from error
    except RecursionError as error:
        raise _refused(
            path, "config.nesting", "is nested too deeply", "A config needs three levels at most."
        ) from error
    if not isinstance(values, dict):
        raise _refused(path, "config.shape", "is not a JSON object", 'Start it with "{" and end it with "}".')
    return RawConfig(path, values, dict(_key_lines(text)))


def has_known_keys(path: Path, known: frozenset[str]) -> bool:
    """Returns whether the file is a config: readable JSON with at least one of the known keys."""
    try:
        return not known.isdisjoint(read_config(path).values)
    except ConfigError:
        return False


class _RefusedValueError(ValueError):
    pass


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise _RefusedValueError(f"has the key `{key}` twice")
        values[key] = value
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedValueError(f"holds {name}, which is no number that can be trained with")


def _refused(path: Path, code: str, reason: str, fix: str) -> ConfigError:
    return ConfigError(Problem(code, f"{path.name} {reason}.", str(path), fix))


def _syntax_error(path: Path, text: str, error: json.JSONDecodeError) -> ConfigError:
    fix = "Mend that place; an editor that knows JSON marks it."
    line = text.split("\n")[error.lineno - 1]
    if "escape" in error.msg and "\\" in line:
        fix = r"In JSON a backslash is written twice: `C:\\models`; a slash works as well: `C:/models`."
    elif "property name" in error.msg or "Illegal trailing comma" in error.msg:
        fix = "Take the comma after the last entry away, and write every key in double quotes."
    return ConfigError(
        Problem(
            "config.syntax",
            f"{path.name} line {error.lineno}, column {error.colno}: {error.msg}.",
            f"{path.name} line {error.lineno}",
            fix,
        )
    )


def _key_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Yields the path and line of each key of a text that is known to be valid JSON."""
    parents: list[str | None] = []  # the key that each open bracket belongs to
    last_string, last_start, line, seen_to = "", 0, 1, 0
    pending: str | None = None
    for token in _TOKEN.finditer(text):
        symbol = token.group()
        if symbol == ":":
            line += text.count("\n", seen_to, last_start)
            seen_to = last_start
            pending = json.loads(last_string)
            yield (*(key for key in parents if key is not None), pending), line
        elif symbol in "{[":
            parents.append(pending)
            pending = None
        elif symbol in "}]":
            parents.pop()
            pending = None
        elif symbol == ",":
            pending = None
        else:
            last_string, last_start = symbol, token.start()
