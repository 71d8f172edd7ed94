"""The line of each key in a TOML text: no TOML library tells them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from loratpl.config.reading.raw import MAX_DEPTH, KeyPath, too_deep

# A text that is never closed is one token: looked for again from each quote in it, it would cost its length squared.
_TOKEN = re.compile(
    r"""
      (?P<skip>[ \t\r]+|\#[^\n]*)
    | (?P<string>(?s:\"{3}(?:[^\\]|\\.)*?(?:\"{3,5}|\\?\Z)|'{3}.*?(?:'{3,5}|\Z))|"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?)
    | (?P<newline>\n)
    | (?P<mark>[\[\]{}=,.])
    | (?P<word>[^\s\[\]{}=,."'\#]+)
    """,
    re.VERBOSE,
)
_LONG_ESCAPE = re.compile(r"\\U([0-9a-fA-F]{8})")


class KeyLine(NamedTuple):
    """One place where a key is written, or the name of a table."""

    path: KeyPath
    line: int


def key_lines(text: str, name: str) -> list[KeyLine]:
    """Returns where each key and each table of a TOML text is written, in the file's order.

    It reads what is no TOML as well, as far as that can be understood: problems of the parser are placed with it.

    Raises:
        ConfigError: It is nested without end.
    """
    scan = _Scan(name)
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup or ""
        if kind != "skip":
            scan.take(kind, token.group())
            scan.line += token.group().count("\n")
    return scan.found


@dataclass(slots=True)
class _Scan:
    """Where a scan stands: in the name of a table, in a key, or in a value."""

    name: str
    line: int = 1
    found: list[KeyLine] = field(default_factory=list)
    _table: KeyPath = ()  # of the last [header]
    _open: list[tuple[str, KeyPath]] = field(
        default_factory=list
    )  # the brackets of the value, with what they belong to
    _key: list[str] = field(default_factory=list)
    _key_line: int = 1
    _path: KeyPath = ()  # of the key whose value is read
    _place: str = "key"

    def take(self, kind: str, text: str) -> None:
        """Takes the next token."""
        if self._place == "value":
            self._in_value(text if kind in ("mark", "newline") else "")
        elif kind in ("word", "string"):
            if not self._key:
                self._key_line = self.line
            self._key.append(_unquoted(text) if kind == "string" else text)
        elif self._place == "header":
            self._in_header(text)
        else:
            self._in_key(text)

    def _in_key(self, mark: str) -> None:
        if mark == "=":
            self._path = self._noted((*(self._open[-1][1] if self._open else self._table), *self._key))
            self._place = "value"
        elif mark == "[" and not self._open and not self._key:
            self._place = "header"
        elif mark == "}":
            self._close()
        elif mark == "\n" and not self._open:
            self._key.clear()

    def _in_header(self, mark: str) -> None:
        if mark == "]" and self._key:
            self._table = self._noted(tuple(self._key))
        elif mark == "\n":
            self._key.clear()
            self._place = "key"

    def _in_value(self, mark: str) -> None:
        if mark in ("{", "["):
            in_list = bool(self._open) and self._open[-1][0] == "["
            self._open.append((mark, self._open[-1][1] if in_list else self._path))
            if len(self._open) > MAX_DEPTH:
                raise too_deep(self.name, self.line)
            self._place = "key" if mark == "{" else "value"
        elif mark in ("}", "]"):
            self._close()
        elif mark == ("," if self._is_in_table() else "\n" if not self._open else None):
            self._place = "key"

    def _is_in_table(self) -> bool:
        return bool(self._open) and self._open[-1][0] == "{"

    def _close(self) -> None:
        if self._open:
            self._open.pop()
        self._key.clear()
        self._place = "value"

    def _noted(self, path: KeyPath) -> KeyPath:
        self._key.clear()
        if len(path) > MAX_DEPTH:
            raise too_deep(self.name, self._key_line)
        self.found.append(KeyLine(path, self._key_line))
        return path


def lines_of(found: Iterable[KeyLine]) -> dict[KeyPath, int]:
    """Returns the line of each key; of a table that no line names alone, the first that names anything in it.

    Keys of several tables in one list have one path: the last one's line stands for it, as in JSON and YAML.
    """
    lines: dict[KeyPath, int] = {}
    for path, line in found:
        for length in range(1, len(path)):
            lines.setdefault(path[:length], line)
        lines[path] = line
    return lines


def _unquoted(text: str) -> str:
    """Returns the key that stands in quotes; as it is written where it is no valid one."""
    if text.startswith("'"):
        return text[1:-1]
    try:
        key: str = json.loads(_LONG_ESCAPE.sub(lambda escape: _json_escape(escape[1]), text))
    except ValueError:
        return text[1:-1]
    return key


def _json_escape(digits: str) -> str:
    code = int(digits, 16)
    return json.dumps(chr(code))[1:-1] if code <= 0x10FFFF else digits
