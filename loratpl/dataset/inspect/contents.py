"""What a file is by its content, whatever its name says."""

from __future__ import annotations

from loratpl.dataset.inspect.inspection import Impostor

# By their extension, as the trainer's users name them.
FORMAT_OF_SUFFIX = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".bmp": "bmp"}
# The second is what LFS was called at first.
_LFS_BEGINNINGS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
# More than this is no pointer: they are three short lines.
_MAX_LFS_BYTES = 1024

# Beginnings of formats that Pillow opens under any name, as the trainer's does (12.3 at the pin).
_OPENED = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\0\0\1\0", "ico"),
    (b"8BPS", "psd"),
)
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
# Beginnings of what nobody here opens, and how it is called.
_FOREIGN = (
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\3\4", "a zip archive"),
    (b"Rar!\x1a\7", "a rar archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"qoif", "a QOI picture"),
    (b"FUJIFILMCCD-RAW", "a raw photograph"),
    (b"gimp xcf ", "a GIMP file"),
)
_BMP_HEADER_SIZES = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title", b"<meta")
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")
# So much of a file's beginning decides.
LOOKED_AT_BYTES = 1024


def content_of(head: bytes, size: int) -> tuple[str, Impostor, str]:
    """Returns (format, impostor, detail) of a file by its first bytes; one of the first two is "".

    Args:
        head: The first `LOOKED_AT_BYTES` bytes.
        size: Of the whole file, in bytes.

    >>> content_of(b"GIF89a", 100)
    ('gif', '', '')
    >>> content_of(b"<!DOCTYPE html><html>", 100)
    ('', 'html', '')
    """
    name = _format(head)
    return (name, "", "") if name else ("", *_impostor(head, size))


def _format(head: bytes) -> str:
    for beginning, name in _OPENED:
        if head.startswith(beginning):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "bmp"
    return "avif" if any(brand in _AVIF_BRANDS for brand in _brands(head)) else ""


def _impostor(head: bytes, size: int) -> tuple[Impostor, str]:
    if not head:
        return "empty", ""
    if head.startswith(_LFS_BEGINNINGS) and size <= _MAX_LFS_BYTES:
        return "lfs", ""
    if brands := _brands(head):
        return "format", "a HEIC picture" if any(brand in _HEIF_BRANDS for brand in brands) else "a video"
    name = next((name for beginning, name in _FOREIGN if head.startswith(beginning)), "")
    return ("format", name) if name else _text_or_data(head)


def _brands(head: bytes) -> list[bytes]:
    """Returns what a file of the MP4 family says that it is; nothing of other files."""
    if head[4:8] != b"ftyp":
        return []
    length = min(int.from_bytes(head[:4], "big"), 64)
    return [head[8:12], *(head[at : at + 4] for at in range(16, length, 4))]


def _text_or_data(head: bytes) -> tuple[Impostor, str]:
    if not head.strip(b"\0"):
        return "zeros", ""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(_HTML):
        return "html", ""
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return "format", "an SVG drawing"
    is_utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" in head
    if is_utf16 or (all(byte >= 32 or byte in _TEXT_CONTROLS for byte in head) and _is_utf8(head)):
        return "text", ""
    return "data", ""


def _is_utf8(head: bytes) -> bool:
    try:
        head[:-4].decode("utf-8")  # the last character may be cut in two
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 8
    return True
