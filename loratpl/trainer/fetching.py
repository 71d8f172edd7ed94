"""One `git fetch`: watched while it works, and ended when nothing comes any more. With checkout.py the user of git."""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import git

# git tells something at least once a second while objects arrive. Of http it also ends connections that have become
# slow by itself, but of ssh:// and git:// it waits for ever.
STALL_S = 120.0
METER_INTERVAL_S = 2.0
KEPT_LINES = 50
READER_GRACE_S = 1.0
_READ_SIZE_BYTES = 65536

_METER = re.compile(r"(?:remote: )?[A-Z]\w+ \w+: +\d+")  # "Receiving objects:  45% (123/273), 3.02 MiB | 1.20 MiB/s"
_REMARK = re.compile(r"remote: (?:Total|Enumerating|Counting|Compressing) ")


def fetch(
    repo: git.Repo, arguments: Sequence[str], progress: Callable[[str], None], *, stall_s: float = STALL_S
) -> None:
    """Runs `git fetch` with these arguments and tells how far it is.

    Args:
        repo: Into which.
        arguments: What to fetch, from where and how.
        progress: Is told sizes and speed once in a while.
        stall_s: After so long without a word from git it is ended.

    Raises:
        git.GitCommandError: It failed, or nothing came for `stall_s`; its `stderr` has the complaints alone, without
            the progress.
    """
    import git

    # Without a password there is nobody to ask for one: git fails then instead of waiting at a terminal.
    with repo.git.custom_environment(GIT_TERMINAL_PROMPT="0"):
        fetching = repo.git.fetch("--progress", *arguments, as_process=True, with_stdout=False)
    chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    reader = threading.Thread(target=_pass_on, args=(fetching.stderr, chunks), daemon=True)
    reader.start()
    listener = _Listener(progress)
    try:
        while data := chunks.get(timeout=stall_s):
            listener.feed(data)
        fetching.wait(stderr="\n".join(listener.complaints))
    except queue.Empty:
        raise git.GitCommandError(["git", "fetch"], None, f"fatal: nothing has come for {stall_s:.0f} s") from None
    finally:
        if fetching.poll() is None:
            fetching.kill()
        fetching.proc.wait()
        reader.join(READER_GRACE_S)  # a helper of git that is still at work would hold the pipe
        if not reader.is_alive():
            fetching.stderr.close()


def _pass_on(stream: IO[bytes], chunks: queue.SimpleQueue[bytes]) -> None:
    """Reads in a thread of its own: only a queue can be waited for with a limit on every system."""
    data = b"-"
    while data:
        try:
            data = os.read(stream.fileno(), _READ_SIZE_BYTES)
        except (OSError, ValueError):  # closed by whoever ended git
            data = b""
        chunks.put(data)


class _Listener:
    """Tells progress apart from complaints."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._told_at = time.monotonic()
        self._rest = b""
        self._lines: list[str] = []

    @property
    def complaints(self) -> list[str]:
        """The last lines that were no progress."""
        return [*self._lines, self._rest.decode("utf-8", errors="replace")][-KEPT_LINES:]

    def feed(self, data: bytes) -> None:
        *lines, self._rest = re.split(rb"[\r\n]+", self._rest + data)
        for line in lines:
            self._hear(line.decode("utf-8", errors="replace").rstrip())

    def _hear(self, line: str) -> None:
        if not _METER.match(line):
            if line and not _REMARK.match(line):
                self._lines.append(line)
        elif time.monotonic() - self._told_at >= METER_INTERVAL_S:
            self._told_at = time.monotonic()
            self._progress(f"fetching: {line.removeprefix('remote: ')}")
