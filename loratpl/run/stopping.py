"""Turns Ctrl-C, SIGTERM and SIGHUP into a request to stop that the run can look at."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

# `timeout`, Slurm and systemd send one request to the command and to whoever started it, who passes it on: the same
# signal comes twice in the same moment. A second Ctrl-C of a person comes later than this.
ECHO_WINDOW_S = 0.3
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class StopRequests:
    """How often, and first by which signal, the user or the system asked to stop."""

    def __init__(self) -> None:
        self.count = 0
        self.first_signal: int | None = None
        self._last: tuple[int, float] = (0, 0.0)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        is_echo = number == self._last[0] and now - self._last[1] < ECHO_WINDOW_S
        self._last = (number, now)
        if is_echo:
            return
        self.count += 1
        if self.first_signal is None:
            self.first_signal = number

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Takes the signals over while the body runs; outside the main thread, where that cannot be, does nothing."""
        earlier = {}
        for name in _NAMES:
            number = getattr(signal, name, None)
            # What was ignored from the start (nohup, a script's `&`) was meant to be.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(ValueError):
                    earlier[number] = signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)
