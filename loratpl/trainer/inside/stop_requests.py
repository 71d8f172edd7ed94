"""How a training is asked to stop, and what keeps it alive until its state is saved."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import signal
import sys
import threading
import time
from typing import Any

from run_events import Events

STOPPED_EXIT_CODE = 75
LIFELINE_VARIABLE = "KOHYATPL_LIFELINE"
# What a process that is not training yet gets to leave by itself.
LEAVE_GRACE_S = 15.0
STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")


class StopRequest:
    """Whether the training was asked to stop, and whether it has come far enough to have a state to save.

    Attributes:
        is_asked: Somebody wants the training to end.
        is_training: From here on the training itself looks at `is_asked`, between two steps.
        start_step: The step that the training begins after.
        state_dir: The state that it goes on from, which a stop before the first step leaves as the newest one.
    """

    def __init__(self, events: Events, *, is_first: bool, start_step: int = 0, state_dir: str | None = None) -> None:
        self.is_asked = False
        self.is_training = False
        self.start_step, self.state_dir = start_step, state_dir
        self._events = events
        self._is_first = is_first
        self._pid = os.getpid()

    def listen(self) -> None:
        """Listens to signals, and to the lifeline where there is one."""
        for name in STOP_SIGNALS:
            sent = getattr(signal, name, None)
            # What was ignored from the start, as by nohup, stays ignored; but SIGTERM is how our own launcher asks.
            if sent is not None and (name == "SIGTERM" or signal.getsignal(sent) is not signal.SIG_IGN):
                signal.signal(sent, self._on_signal)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_end_with_parent_alone)
        if os.environ.get(LIFELINE_VARIABLE) == "1":
            threading.Thread(target=self._wait_for_end_of_input, daemon=True).start()

    def _on_signal(self, _number: int, _frame: object) -> None:
        # A data loader's worker is a fork of this process: it ends with the training, and has nothing to save.
        if os.getpid() != self._pid:
            return
        if self.is_asked and self.is_training:
            return
        self.is_asked = True
        if not self.is_training:
            self._events.write("stopped", step=self.start_step, state_dir=self.state_dir, error=None)
            raise SystemExit(STOPPED_EXIT_CODE)

    def _wait_for_end_of_input(self) -> None:
        # os.read and not sys.stdin: a thread inside sys.stdin's lock would make the interpreter abort at its end.
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        if not self._is_first:
            # The first process saves the state; its launcher ends the others when it leaves. Only when the launcher
            # itself has gone is there nobody to do that.
            launcher = os.getppid()
            while os.getppid() == launcher:
                time.sleep(1.0)
            os._exit(STOPPED_EXIT_CODE)
        _signal_main_thread(signal.SIGTERM)
        time.sleep(LEAVE_GRACE_S)
        if not self.is_training:  # the main thread is stuck in a library and cannot even see the signal
            os._exit(STOPPED_EXIT_CODE)


def _end_with_parent_alone() -> None:
    """Lets SIGTERM end a loader's worker only when it comes from the training itself.

    Whoever ends a whole group or job (systemd, a cluster) sends it to the workers as well. torch lets them die of it,
    and raises that in the training in the middle of its step, so that no state could be saved.
    """
    if not hasattr(signal, "sigwaitinfo"):  # macOS and Windows; there workers are no forks either
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_wait_for_parent, args=(os.getppid(),), daemon=True).start()


def _wait_for_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _signal_main_thread(number: signal.Signals) -> None:
    """Makes the main thread deal with a signal now, even while it waits for something."""
    main_thread = threading.main_thread().ident
    if main_thread is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread, number)
    else:
        signal.raise_signal(number)


def show_stacks_when_asked() -> None:
    """Lets SIGUSR1 write the stack of every thread to stderr: what a training hangs in is in its log then."""
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)


class _PatientFile(io.FileIO):
    """A file that takes what is written when nobody reads it any more."""

    def write(self, data: Any, /) -> int:
        """Writes all of it; what cannot be delivered is dropped."""
        rest = memoryview(data).cast("B")
        size_bytes = len(rest)
        with contextlib.suppress(BrokenPipeError):
            while rest:
                rest = rest[super().write(rest) or 0 :]
        return size_bytes


def outlive_readers() -> None:
    """Lets the training write to stdout and stderr after kohyatpl was killed: the state must still be saved."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        stream.flush()
        patient = _PatientFile(stream.fileno(), "wb", closefd=False)
        text = io.TextIOWrapper(patient, encoding="utf-8", errors="backslashreplace", write_through=True)
        setattr(sys, name, text)
