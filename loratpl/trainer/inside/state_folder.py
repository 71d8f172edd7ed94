"""A training state on disk: built beside, read back, moved into place, and only then are older ones removed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

POSITION_NAME = "position.json"
# What torch.save writes is a zip file, with a checksum of each part.
ZIPPED = (".bin", ".pkl")
READ_BYTES = 1 << 20


class DamagedStateError(Exception):
    """What was written does not read back as it should."""


def folder_name(step: int) -> str:
    """Returns the name of the state after a step.

    >>> folder_name(14)
    'step00000014'
    """
    return f"step{step:08d}"


def write_state(states_dir: Path, step: int, position: Mapping[str, Any], fill: Callable[[str], None]) -> Path:
    """Returns the folder of a new state; the states before it are removed once it is in its place.

    Args:
        states_dir: Where the states of the run lie; made when missing.
        step: The last step in the state.
        position: What position.json says besides the files.
        fill: Writes the files into the folder that it is given.

    Raises:
        Exception: The state could not be written, for whatever reason; nothing of it is left, the older one is.
    """
    path = states_dir / folder_name(step)
    partial = states_dir / f"{path.name}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        fill(str(partial))
        files = {file.relative_to(partial).as_posix(): _kept(file) for file in _files(partial)}
        text = json.dumps({**position, "files": files}, indent=1) + "\n"
        (partial / POSITION_NAME).write_text(text, encoding="utf-8")
        _kept(partial / POSITION_NAME)
        _sync_folder(partial)
        if path.exists():
            # A damaged one of an earlier attempt: a good one is never written a second time.
            shutil.rmtree(path)
        partial.replace(path)
        _sync_folder(states_dir)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for older in states_dir.glob("step*"):
        if older != path:
            shutil.rmtree(older, ignore_errors=True)
    return path


def size_bytes_of(folder: Path) -> int:
    """Returns how much the files of a state take."""
    return sum(file.stat().st_size for file in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _kept(path: Path) -> dict[str, object]:
    """Size and hash of a file, as they are read from the disk that it was forced to."""
    digest = hashlib.sha256()
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # or only memory would be read back
        while block := file.read(READ_BYTES):
            digest.update(block)
        size_bytes = file.tell()
    _refuse_damaged(path, size_bytes)
    return {"size_bytes": size_bytes, "sha256": digest.hexdigest()}


def _refuse_damaged(path: Path, size_bytes: int) -> None:
    if path.suffix in ZIPPED:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise DamagedStateError(f"{path.name}: {damaged} does not read back as it was written")
    elif path.suffix == ".safetensors" and _safetensors_size_bytes(path) != size_bytes:
        raise DamagedStateError(f"{path.name} has {size_bytes} bytes, which is not what its header says")
    elif path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))


def _safetensors_size_bytes(path: Path) -> int:
    with path.open("rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_bytes))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return 8 + int(header_bytes) + max(ends, default=0)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
