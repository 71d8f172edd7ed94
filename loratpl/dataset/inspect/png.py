"""PNG: its chunks, and the checksum that each of them has."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace

from loratpl.dataset.inspect.exif import orientation_of
from loratpl.dataset.inspect.header import BrokenHeaderError, Header
from loratpl.dataset.inspect.profiles import profile_name
from loratpl.dataset.inspect.source import PIECE_BYTES, Source, pieces

_SIGNATURE_BYTES = 8
_MODE_OF_COLOUR_TYPE = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
# A file of tiny chunks shall not keep us busy: pictures have some thousands of them at the most.
_MAX_CHUNKS = 200_000
_MAX_PROFILE_BYTES = 4 << 20
_MAX_READ_BYTES = 1 << 20  # of a chunk whose content matters


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One chunk: where its content begins, and how long it is."""

    kind: bytes
    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next one begins: after four bytes of checksum."""
        return self.start + self.length + 4


def read_png(source: Source) -> Header:
    """Returns what the chunks of a PNG say; every checksum is computed.

    Raises:
        BrokenHeaderError: It has no header, or none that holds a size.
        OSError: The disk refuses.
    """
    chunk = _chunk_at(source, _SIGNATURE_BYTES)
    if chunk is None or chunk.kind != b"IHDR" or chunk.length != 13:
        raise BrokenHeaderError("it has no header")
    header = _image_header(source.at(chunk.start, 13))
    if not _is_intact(source, chunk):
        raise BrokenHeaderError("the checksum of its header is wrong")  # and with it the size, perhaps
    return _rest(source, chunk.end, header)


def _rest(source: Source, offset: int, header: Header) -> Header:
    has_data = False
    for _ in range(_MAX_CHUNKS):
        chunk = _chunk_at(source, offset)
        if chunk is None or chunk.end > source.size:
            return _cut_off(header, chunk, has_data=has_data)
        if not _is_intact(source, chunk):
            name = chunk.kind.decode("ascii")
            # What comes after the pixels is not looked at by the trainer's Pillow.
            is_fatal = chunk.kind == b"IDAT" or not has_data
            return replace(header, damage=f"the checksum of its {name} chunk is wrong", is_fatal=is_fatal)
        if chunk.kind == b"IEND":
            if not has_data:
                return replace(header, damage="it has no pixels", is_fatal=True)
            return header
        has_data = has_data or chunk.kind == b"IDAT"
        header = _noted(header, source, chunk)
        offset = chunk.end
    return replace(header, damage="it consists of far too many chunks", is_fatal=True)


def _cut_off(header: Header, chunk: _Chunk | None, *, has_data: bool) -> Header:
    if chunk is not None and not _is_name(chunk.kind):
        return replace(header, damage="it is garbage from some point on", is_fatal=True)
    if has_data and (chunk is None or chunk.kind != b"IDAT"):
        return replace(header, damage="its end is missing (truncated), though the pixels seem to be there")
    return replace(header, damage="it is cut off (truncated)", is_fatal=True)


def _chunk_at(source: Source, offset: int) -> _Chunk | None:
    beginning = source.at(offset, 8)
    if len(beginning) < 8:
        return None
    length, kind = struct.unpack(">I4s", beginning)
    return _Chunk(kind, offset + 8, length)


def _is_name(kind: bytes) -> bool:
    return kind.isalpha()


def _is_intact(source: Source, chunk: _Chunk) -> bool:
    if not _is_name(chunk.kind):
        return False
    if chunk.length <= PIECE_BYTES:
        content = source.at(chunk.start - 4, chunk.length + 8)
        expected, found = content[-4:], zlib.crc32(content[:-4])
    else:
        found = 0
        for piece in pieces(source, chunk.start - 4, chunk.length + 4):
            found = zlib.crc32(piece, found)
        expected = source.at(chunk.end - 4, 4)
    return len(expected) == 4 and found == int.from_bytes(expected, "big")


def _image_header(content: bytes) -> Header:
    width, height, depth, colour_type = struct.unpack_from(">IIBB", content)
    mode = _MODE_OF_COLOUR_TYPE.get(colour_type)
    if not width or not height or mode is None or depth not in {1, 2, 4, 8, 16}:
        raise BrokenHeaderError("its header makes no sense")
    if depth == 1 and mode == "L":
        mode = "1"
    return Header(width, height, mode, depth, has_alpha=mode in {"LA", "RGBA"})


def _noted(header: Header, source: Source, chunk: _Chunk) -> Header:
    if chunk.kind == b"tRNS":
        return replace(header, has_alpha=True)
    if chunk.kind not in {b"acTL", b"eXIf", b"iCCP"}:
        return header
    content = source.at(chunk.start, min(chunk.length, _MAX_READ_BYTES))
    if chunk.kind == b"acTL":
        return replace(header, frames=max(1, int.from_bytes(content[:4], "big")))
    if chunk.kind == b"eXIf":
        return replace(header, orientation=orientation_of(content.removeprefix(b"Exif\0\0")))
    return replace(header, profile=_profile(content))


def _profile(content: bytes) -> str:
    _, _, packed = content.partition(b"\0")
    try:
        return profile_name(zlib.decompressobj().decompress(packed[1:], _MAX_PROFILE_BYTES))
    except zlib.error:
        return ""
