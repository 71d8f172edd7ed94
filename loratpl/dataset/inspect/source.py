"""The bytes of a file, read where they are asked for and never as a whole by accident."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Protocol

_HEAD_BYTES = 4096
PIECE_BYTES = 1 << 20
# A file can become a pipe between two looks at it: opening that must not wait for a writer.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Source(Protocol):
    """Bytes that can be asked for."""

    @property
    def size(self) -> int:
        """How many there are."""

    def at(self, offset: int, length: int) -> bytes:
        """Returns `length` bytes from `offset` on, fewer at the end."""


class MemorySource:
    """Bytes that were read already."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def at(self, offset: int, length: int) -> bytes:
        """Returns `length` bytes from `offset` on, fewer at the end."""
        return self.data[offset : offset + length]


class FileSource:
    """Bytes of an open file; its beginning is read once."""

    __slots__ = ("_descriptor", "_head", "size")

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size
        self._head = os.read(descriptor, _HEAD_BYTES)

    def at(self, offset: int, length: int) -> bytes:
        """Returns `length` bytes from `offset` on, fewer at the end.

        Raises:
            OSError: The disk refuses.
        """
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        return _read(self._descriptor, length)


def pieces(source: Source, offset: int, length: int) -> Iterator[bytes]:
    """Yields the bytes of a stretch, a bounded number at a time; ends early where the file does."""
    while length > 0:
        piece = source.at(offset, min(length, PIECE_BYTES))
        if not piece:
            return
        yield piece
        offset += len(piece)
        length -= len(piece)


def open_regular(path: str) -> tuple[int, os.stat_result] | None:
    """Returns the descriptor and the status of a file, None where it is no regular one; a pipe is never waited for.

    Raises:
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        status = os.fstat(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return descriptor, status


def read_whole(descriptor: int, size: int) -> bytes:
    """Returns the content of an open file, `size` bytes at most.

    Raises:
        OSError: The disk refuses.
    """
    return _read(descriptor, size)


def _read(descriptor: int, length: int) -> bytes:
    found = os.read(descriptor, length)
    if len(found) == length or not found:
        return found
    parts = [found]
    missing = length - len(found)
    while missing > 0 and (part := os.read(descriptor, missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
