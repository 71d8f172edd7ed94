r"""TOML that the trainer's reader understands.

The trainer reads its files with `toml` 0.10.2, which misreads correct TOML: a text that starts with a comma or a
quote inside a list, `\x` after an escaped backslash, most control characters. So every text is written in the form
which that reader gets right, and what was written is read back with the same reader before anyone relies on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class NotReadableError(ValueError):
    """A value that the trainer's TOML reader would misread; `key` says which."""

    def __init__(self, key: str, value: Any) -> None:
        super().__init__(f"the trainer's reader of TOML files misreads {value!r}")
        self.key = key
        self.value = value


def to_toml(values: Mapping[str, Any]) -> str:
    """Returns `values` as TOML: scalars, lists of scalars, and lists of tables of these.

    Raises:
        NotReadableError: The trainer would read something else.
    """
    text = "\n".join(_lines(values, prefix="")) + "\n"
    _prove(text, values)
    return text


def _lines(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    tables = {key: value for key, value in values.items() if _is_table_list(value)}
    for key, value in values.items():
        if key not in tables:
            yield f"{key} = {_value(value)}"
    for key, rows in tables.items():
        for row in rows:
            yield f"\n[[{prefix}{key}]]"
            yield from _lines(row, f"{prefix}{key}.")


def _is_table_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return repr(value)


def _text(value: str) -> str:
    """A literal string wherever it can be one: it has no escapes for the reader to stumble over."""
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _prove(text: str, values: Mapping[str, Any]) -> None:
    if _is_read_as(text, values):
        return
    for key, value in _leaves(values):
        if not _is_read_as(f"{key} = {_value(value)}\n", {key: value}):
            raise NotReadableError(key, value)
    raise NotReadableError("", dict(values))


def _is_read_as(text: str, values: Mapping[str, Any]) -> bool:
    import toml

    try:
        text.encode()  # a name that is no UTF-8 on disk cannot be written to a file
        # As the trainer opens the file: every kind of line end is one.
        return bool(toml.loads(text.replace("\r\n", "\n").replace("\r", "\n")) == values)
    except (toml.TomlDecodeError, IndexError, ValueError, KeyError, TypeError):
        return False


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        rows: Sequence[Mapping[str, Any]] = value if _is_table_list(value) else ()
        for row in rows:
            yield from _leaves(row)
        if not rows:
            yield key, value
