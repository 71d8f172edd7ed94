"""The header of a safetensors file, read so that no file can make it costly: piece by piece, each piece bounded.

The format (https://github.com/huggingface/safetensors, "Format"): eight bytes with the header's length, that many bytes
of JSON (one flat object a tensor, and `__metadata__` of texts alone), then the tensors' bytes, without a gap.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from loratpl.report.inspect.opening import AGAIN, LENGTH_BYTES, Opened

# The format allows 100 MB. A LoRA with the tags of ten thousand pictures has 5 MB; more is not held in memory.
MAX_HEADER_BYTES = 12_000_000
# The largest models have a third of it.
MAX_TENSORS = 30_000
MAX_METADATA = 50_000
# Bytes of texts with characters outside of ASCII, each of which can take four times as much once it is read. What is
# long in a LoRA is JSON inside of JSON, and that is ASCII.
_MAX_WIDE_BYTES = 2_000_000
_MAX_ENTRY_BYTES = 1000
_MAX_NAME_BYTES = 4000
_MAX_DIMENSIONS = 64
_TOO_LONG = "A LoRA's header has some hundred kB; write the file again without what else stands in it, or get another."
_BACKSLASH = 0x5C
_SHOWN_NAME = 80
_SPACE = re.compile(rb"[ \t\r\n]*")
# An escape of a character outside of ASCII: an odd number of backslashes.
_WIDE_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u(?!00[0-7])")
# A flat object: no brace but its own, and no string with an escape in it.
_ENTRY = re.compile(rb'\{[^{}"]{0,1000}(?:"[^"\\{}]{0,100}"[^{}"]{0,1000}){0,8}\}')


class DamagedHeaderError(Exception):
    """The header is not what safetensors files have; the text goes on after the file's name.

    Attributes:
        fix: What to do about it.
    """

    def __init__(self, text: str, fix: str = AGAIN) -> None:
        super().__init__(text)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor as the header has it; `begin` and `end` count from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """What a header holds, in its order.

    Attributes:
        tensors: By name.
        metadata: All of it, as it stands there.
        duplicates: Names that stand there more than once.
        data_begin: The first byte of the tensors in the file.
    """

    tensors: Mapping[str, Entry]
    metadata: Mapping[str, str]
    duplicates: tuple[str, ...]
    data_begin: int


def read_header(opened: Opened) -> Header:
    """Returns the header of a file.

    Raises:
        DamagedHeaderError: It is too long, no JSON, or says other things than such headers do.
        OSError: It cannot be read.
    """
    if opened.header_bytes > MAX_HEADER_BYTES:
        size_mb = opened.header_bytes / 1e6
        raise DamagedHeaderError(
            f"has a header of {size_mb:,.0f} MB; more than {MAX_HEADER_BYTES / 1e6:.0f} MB are not read", _TOO_LONG
        )
    with opened.path.open("rb") as file:
        file.seek(LENGTH_BYTES)
        raw = file.read(opened.header_bytes)
    if len(raw) < opened.header_bytes:
        raise DamagedHeaderError("got shorter while it was read")
    return _Walk(raw).header(LENGTH_BYTES + opened.header_bytes)


class _Walk:
    """One way through a header, from its brace to its brace."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._wide_bytes = 0
        self._tensors: dict[str, Entry] = {}
        self._metadata: dict[str, str] = {}
        self._duplicates: list[str] = []

    def header(self, data_begin: int) -> Header:
        has_metadata = False
        for name in self._names("its header"):
            if name != "__metadata__":
                self._note(name, self._tensors, MAX_TENSORS, "tensors")
                self._tensors[name] = self._entry(name)
                continue
            if has_metadata:
                self._duplicates.append(name)
            has_metadata = True
            if self._raw.startswith(b"null", self._at):  # as the format's own library reads it: none
                self._at += len(b"null")
                continue
            for key in self._names("its metadata"):
                self._note(key, self._metadata, MAX_METADATA, "entries of metadata")
                self._metadata[key] = self._text(f"the value of {_quoted(key)} in its metadata", len(self._raw))
        self._skip()
        if self._at != len(self._raw):
            raise DamagedHeaderError(f"has something behind its header's end, at byte {LENGTH_BYTES + self._at:,}")
        tensors, metadata = MappingProxyType(self._tensors), MappingProxyType(self._metadata)
        return Header(tensors, metadata, tuple(self._duplicates), data_begin)

    def _note(self, name: str, known: Mapping[str, Any], limit: int, what: str) -> None:
        if name in known:
            self._duplicates.append(name)
        if len(known) >= limit or len(self._duplicates) >= limit:
            raise DamagedHeaderError(f"names more than {limit:,} {what}", _TOO_LONG)

    def _names(self, what: str) -> Iterator[str]:
        """Yields the names of an object; whoever gets one reads its value before asking for the next."""
        self._expect(b"{", what)
        self._skip()
        if self._peek() == b"}":
            self._at += 1
            return
        while True:
            yield self._name(what)
            self._skip()
            mark = self._peek()
            self._at += 1
            if mark == b"}":
                return
            if mark != b",":
                raise self._broken(what, self._at - 1)
            self._skip()

    def _name(self, what: str) -> str:
        name = self._text(f"a name in {what}", _MAX_NAME_BYTES)
        self._expect(b":", what)
        self._skip()
        return name

    def _text(self, what: str, max_bytes: int) -> str:
        begin = self._at
        if self._peek() != b'"':
            raise DamagedHeaderError(f"is damaged: {what} is no text, at byte {LENGTH_BYTES + begin:,}")
        end = self._end_of_text(begin)
        if end is None:
            raise self._broken(what, begin)
        if end - begin > max_bytes:
            raise DamagedHeaderError(f"is damaged: {what} has {end - begin:,} bytes")
        self._at = end
        if not self._raw[begin:end].isascii() or _WIDE_ESCAPE.search(self._raw, begin, end):
            self._wide_bytes += end - begin
            if self._wide_bytes > _MAX_WIDE_BYTES:
                raise DamagedHeaderError(f"has texts of more than {_MAX_WIDE_BYTES:,} bytes beyond ASCII", _TOO_LONG)
        try:
            text = str(json.loads(self._raw[begin:end].decode("utf-8")))
            return text if text.isascii() else text.encode("utf-8").decode("utf-8")  # half of a pair is no character
        except UnicodeError as error:
            raise DamagedHeaderError(f"is damaged: {what} is no UTF-8, at byte {LENGTH_BYTES + begin:,}") from error
        except ValueError as error:
            raise self._broken(what, begin) from error

    def _end_of_text(self, begin: int) -> int | None:
        """Returns where a text ends that begins with a quote: behind the first one without a backslash of its own."""
        position = begin + 1
        while (quote := self._raw.find(b'"', position)) >= 0:
            backslashes = quote
            while backslashes > position and self._raw[backslashes - 1] == _BACKSLASH:
                backslashes -= 1
            position = quote + 1
            if (quote - backslashes) % 2 == 0:
                return position
        return None

    def _entry(self, name: str) -> Entry:
        match = _ENTRY.match(self._raw, self._at, self._at + _MAX_ENTRY_BYTES)
        if match is None:
            raise _bad_entry(name)
        self._at = match.end()
        try:
            found = json.loads(match[0].decode("utf-8"), parse_constant=_refused, object_pairs_hook=_once)
        except ValueError as error:
            raise _bad_entry(name) from error
        dtype, shape, offsets = (found.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not (isinstance(dtype, str) and _are_counts(shape) and _are_counts(offsets) and len(offsets) == 2):
            raise _bad_entry(name)
        if len(shape) > _MAX_DIMENSIONS:
            raise _bad_entry(name)
        return Entry(sys.intern(dtype), tuple(shape), *offsets)

    def _expect(self, mark: bytes, what: str) -> None:
        self._skip()
        if self._peek() != mark:
            raise self._broken(what, self._at)
        self._at += 1

    def _peek(self) -> bytes:
        return self._raw[self._at : self._at + 1]

    def _skip(self) -> None:
        match = _SPACE.match(self._raw, self._at)
        self._at = match.end() if match else self._at

    @staticmethod
    def _broken(what: str, position: int) -> DamagedHeaderError:
        return DamagedHeaderError(f"is damaged: {what} is no JSON at byte {LENGTH_BYTES + position:,} of the file")


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def _bad_entry(name: str) -> DamagedHeaderError:
    return DamagedHeaderError(f"is damaged: what its header says of {_quoted(name)} is not what describes a tensor")


def _quoted(name: str) -> str:
    """Returns a name that can stand in a message, whatever is in it."""
    return ascii(name if len(name) <= _SHOWN_NAME else f"{name[:_SHOWN_NAME]}…")
