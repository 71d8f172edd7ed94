"""Ends an install as Ctrl-C, SIGTERM and SIGHUP ask for it: by an error on whose way everything is cleaned up."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from loratpl.errors import Problem, StoppedError

# What Python does by itself on the last three is to end at once, and to leave gigabytes behind.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@contextlib.contextmanager
def stopped_by_signals(where: Path) -> Iterator[None]:
    """Raises StoppedError inside the body at the first of these signals; does nothing outside the main thread.

    Further ones are ignored: the cleaning up takes seconds, and half of it is what nobody wants.
    """
    has_stopped = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal has_stopped
        if has_stopped:
            return
        has_stopped = True
        raise StoppedError(
            number,
            Problem(
                "trainer.stopped",
                f"The installation was stopped by {signal.Signals(number).name}; nothing counts as installed that did "
                "not before.",
                str(where),
                "Run `kohyatpl trainer install` again; whole downloads are kept.",
            ),
        )

    earlier = {}
    for name in _NAMES:
        number = getattr(signal, name, None)
        # What was ignored from the start (nohup, a script's `&`) was meant to be.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            with contextlib.suppress(ValueError):
                earlier[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
