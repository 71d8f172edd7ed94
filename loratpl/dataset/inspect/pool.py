"""Files looked at on all cores: decoders, checksums and the disk all let other threads go on meanwhile."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
# Python on Windows cannot be interrupted while it waits without an end.
_WAIT_S = 0.2


def usable_cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def in_threads(work: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[tuple[int, R]]:
    """Yields (index, result) of each item as it is done, in any order.

    When the caller leaves off early, by Ctrl-C for example, what has begun is ended and nothing new is begun.

    Raises:
        Exception: Whatever `work` raises.
    """
    if workers <= 1 or len(items) <= 1:
        for index, item in enumerate(items):
            yield index, work(item)
        return
    pool = _Pool(work, items)
    threads = [threading.Thread(target=pool.run, daemon=True) for _ in range(min(workers, len(items)))]
    try:
        for thread in threads:
            thread.start()
        for _ in items:
            yield pool.next_result()
    finally:
        pool.is_stopping = True
        for thread in threads:
            if thread.ident is not None:
                thread.join()


class _Pool(Generic[T, R]):
    """Items that threads take one after another, and their results."""

    def __init__(self, work: Callable[[T], R], items: Sequence[T]) -> None:
        self.is_stopping = False
        self._work = work
        self._items = enumerate(items)
        self._taking = threading.Lock()
        self._results: queue.SimpleQueue[tuple[int, R] | BaseException] = queue.SimpleQueue()

    def run(self) -> None:
        """Works until nothing is left."""
        while not self.is_stopping:
            with self._taking:
                index, item = next(self._items, (-1, None))
            if item is None:
                return
            try:
                self._results.put((index, self._work(item)))
            except BaseException as error:  # noqa: BLE001 - raised where it can be seen, in the caller's thread
                self._results.put(error)
                return

    def next_result(self) -> tuple[int, R]:
        """Returns the next result; waits for it."""
        while True:
            try:
                result = self._results.get(timeout=_WAIT_S)
            except queue.Empty:
                continue
            if isinstance(result, BaseException):
                raise result
            return result
