"""Pictures of formats that nobody trains with by intention: Pillow says what they are, as it does for the trainer."""

from __future__ import annotations

import io
from typing import IO

from loratpl.dataset.inspect.header import BrokenHeaderError, Header
from loratpl.dataset.inspect.source import Source

_BITS_OF_MODE = {"I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}


class _SourceFile(io.RawIOBase):
    """A source as the file that Pillow wants."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._offset = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._offset = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._offset}.get(whence, self._source.size))
        return self._offset

    def tell(self) -> int:
        return self._offset

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._source.size - self._offset if size is None or size < 0 else size
        found = self._source.at(self._offset, max(0, wanted))
        self._offset += len(found)
        return found


def as_file(source: Source) -> IO[bytes]:
    """Returns a source as a file that can be read."""
    return _SourceFile(source)  # type: ignore[return-value]


def read_other(source: Source) -> Header:
    """Returns what Pillow reads from a header.

    Raises:
        BrokenHeaderError: It cannot open it.
    """
    from PIL import Image

    try:
        with Image.open(as_file(source)) as picture:
            mode = picture.mode
            return Header(
                *picture.size,
                "L" if mode in _BITS_OF_MODE else mode,
                _BITS_OF_MODE.get(mode, 8),
                has_alpha=picture.has_transparency_data,
                frames=2 if getattr(picture, "is_animated", False) else 1,
            )
    except Exception as error:
        raise BrokenHeaderError(f"it cannot be opened ({error})") from error
