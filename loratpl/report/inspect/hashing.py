"""The hash that the trainer wrote into the file, taken again: it tells a file that was changed after its training."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HASH_KEY = "sshs_model_hash"
# Read without being asked; of more, hashing would be most of the work.
MAX_UNASKED_BYTES = 64_000_000
_CHUNK_BYTES = 1 << 20

# LyCORIS since 3.0 marks its hashes so. They are over the tensors one by one, in the order in which it made them, and a
# file does not hold that order (lycoris/utils/__init__.py:precalculate_safetensors_hashes).
_OF_ANOTHER_ORDER = "0x"

HashState = Literal["equal", "different", "not compared", "not comparable", "none"]


@dataclass(frozen=True, slots=True)
class HashCheck:
    """The hash of all bytes after the header, as the file says it and as it is.

    Attributes:
        state: Whether they are equal; "not compared" for a large file, "not comparable" for a hash of LyCORIS, "none"
            where the file says none.
        stated: In the metadata.
        computed: Of the file's bytes, None where they were not read.
    """

    state: HashState
    stated: str
    computed: str | None


class HashInProgress:
    """Hashes a file's tensors in a thread of its own, while the rest of it is described: it is most of the work."""

    def __init__(
        self, path: Path, data_begin: int, size_bytes: int, metadata: Mapping[str, str], *, whole: bool
    ) -> None:
        """Begins.

        Args:
            path: The file.
            data_begin: Its first byte after the header.
            size_bytes: Of the whole file.
            metadata: May hold the hash.
            whole: Whether a file of any size is to be read.
        """
        self._path, self._data_begin = path, data_begin
        self._stated = metadata.get(HASH_KEY, "")
        self._computed = ""
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None
        self._is_comparable = bool(self._stated) and not self._stated.lower().startswith(_OF_ANOTHER_ORDER)
        if self._is_comparable and (whole or size_bytes <= MAX_UNASKED_BYTES):
            self._thread = threading.Thread(target=self._run, name="hash", daemon=True)
            self._thread.start()

    def result(self) -> HashCheck:
        """Returns whether a file's tensors are those that the trainer hashed.

        Raises:
            OSError: It cannot be read.
        """
        if self._thread is None:
            unread: HashState = "not compared" if self._is_comparable else "not comparable"
            return HashCheck(unread if self._stated else "none", self._stated, None)
        self._thread.join()
        if self._error is not None:
            raise self._error
        is_equal = self._computed == self._stated.lower()
        return HashCheck("equal" if is_equal else "different", self._stated, self._computed)

    def _run(self) -> None:
        digest = hashlib.sha256()
        buffer = bytearray(_CHUNK_BYTES)
        view = memoryview(buffer)
        try:
            with self._path.open("rb", buffering=0) as file:
                file.seek(self._data_begin)
                while count := file.readinto(buffer):
                    digest.update(view[:count])
        except OSError as error:
            self._error = error
        self._computed = digest.hexdigest()
