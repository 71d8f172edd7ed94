"""Files that are no safetensors files: told by their first bytes, never opened by what could run them."""

from __future__ import annotations

import struct
from pathlib import Path

from loratpl.errors import Problem

_ZIP = b"PK\x03\x04"
_PICKLE_PROTOCOLS = tuple(b"\x80" + bytes([number]) for number in range(2, 6))
_HTML = (b"<!doctype", b"<html", b"<?xml", b"<head")
_OTHER = (
    (b"GGUF", "a GGUF file, a quantised model", "Name the LoRA's safetensors file."),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it first."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first."),
    (b"Rar!", "a RAR archive", "Unpack it first."),
    (b"\x89HDF", "an HDF5 file", "Name the LoRA's safetensors file."),
    (b"\x93NUMPY", "a file of numpy, such as a latent cache", "Name the LoRA's safetensors file."),
    (b"\x89PNG", "a picture", "Name the LoRA's safetensors file."),
    (b"\xff\xd8\xff", "a picture", "Name the LoRA's safetensors file."),
    (b"RIFF", "a picture or a sound", "Name the LoRA's safetensors file."),
)
_CONVERT = (
    "Look for its safetensors version. Opening such a file can run code: only convert one whose origin you trust "
    "(`safetensors.torch.save_file(torch.load(FILE, weights_only=True), …)`), best in a virtual machine."
)
# An archive's directory is only listed when it is as short as that of a model's file.
_MAX_ENTRIES = 20_000
_MAX_DIRECTORY_BYTES = 2_000_000
_END_BYTES = 22
_MAX_COMMENT_BYTES = 65_535
_SHOWN = 5


def foreign_problem(path: Path, size_bytes: int, head: bytes) -> Problem | None:
    """Returns what else a file is, by its first bytes; None where it may be a safetensors file."""
    if head.startswith(_ZIP):
        return _zip_problem(path, size_bytes)
    if _is_pickle(head, path):
        return _pickle(path, "a pickle, as PyTorch wrote them before 2020")
    found = _pointer(size_bytes, head) or _text_of_a_server(head) or _other_format(head)
    return _another(path, *found) if found else None


def _pointer(size_bytes: int, head: bytes) -> tuple[str, str] | None:
    if not size_bytes:
        return "is empty", "Download or copy it again; look whether the disk is full."
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer and not the weights", "Run `git lfs pull` in the clone."
    if b"/annex/objects/" in head and size_bytes <= len(head):
        return "is a pointer of git-annex and not the weights", "Run `git annex get` on it."
    return None


def _text_of_a_server(head: bytes) -> tuple[str, str] | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_HTML):
        fix = "Download it again: the page asked for a log-in or an agreement, or the address was that of a page."
        return "is a web page and not the weights", fix
    # The length of a header may start with the byte of a brace; no text has the zeros that follow it.
    if start[:1] in (b"{", b"[") and b"\0" not in head:
        return "is a text of JSON and not the weights", "Look into it: a server may have said there what is wrong."
    return None


def _other_format(head: bytes) -> tuple[str, str] | None:
    for magic, what, fix in _OTHER:
        if head.startswith(magic):
            return f"is {what}", fix
    if not head.strip(b"\0"):
        fix = "Download or copy it again; an interrupted download or a crash of the system leaves such files."
        return "holds nothing but zeros at its start", fix
    return None


def _is_pickle(head: bytes, path: Path) -> bool:
    # Eight bytes of length and a brace may start with the same byte as a pickle.
    is_safetensors = head[8:9] == b"{" and head[5:8] == b"\0\0\0"
    is_named_so = path.suffix.lower() in (".ckpt", ".pt", ".pth", ".bin", ".pkl")
    return not is_safetensors and (
        head.startswith(_PICKLE_PROTOCOLS) or (is_named_so and head[:1] in (b"(", b"c", b"}"))
    )


def _zip_problem(path: Path, size_bytes: int) -> Problem:
    names = _listed(path, size_bytes)
    if names is None:
        return _pickle(path, "a zip archive, as PyTorch's own files are, whose directory is damaged or cut")
    if any(name.rsplit("/", 1)[-1] == "data.pkl" for name, _ in names):
        total = sum(size for _, size in names)
        return _pickle(path, f"PyTorch's own format: a zip of {len(names)} parts, {total:,} bytes, with a pickle in it")
    inside = [name for name, _ in names if name.lower().endswith(".safetensors")]
    shown = ", ".join(ascii(name)[1:-1] for name in inside[:_SHOWN])
    holds = f"; in it are {shown}" if inside else f" of {len(names)} files without any safetensors"
    return _another(path, f"is a zip archive{holds}", "Unpack it and name the file." if inside else _CONVERT)


def _listed(path: Path, size_bytes: int) -> list[tuple[str, int]] | None:
    """Returns names and sizes of an archive's parts, None where its directory is none or too long to be read."""
    import zipfile

    try:
        if not _has_short_directory(path, size_bytes):
            return None
        with zipfile.ZipFile(path) as archive:
            return [(info.filename, info.file_size) for info in archive.infolist()]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OverflowError, RuntimeError):
        return None


def _has_short_directory(path: Path, size_bytes: int) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, size_bytes - _END_BYTES - _MAX_COMMENT_BYTES))
        tail = file.read(_END_BYTES + _MAX_COMMENT_BYTES)
    position = tail.rfind(b"PK\x05\x06")
    if position < 0 or len(tail) - position < _END_BYTES:
        return False
    entries, directory_bytes = struct.unpack("<HI", tail[position + 10 : position + 16])
    return bool(entries <= _MAX_ENTRIES and directory_bytes <= _MAX_DIRECTORY_BYTES)


def _pickle(path: Path, what: str) -> Problem:
    message = f"{path} is {what}. It is not opened: whoever made it decides what happens then."
    return Problem("project.weights.pickle", message, str(path), _CONVERT)


def _another(path: Path, what: str, fix: str) -> Problem:
    return Problem("project.weights.kind", f"{path} {what}.", str(path), fix)
