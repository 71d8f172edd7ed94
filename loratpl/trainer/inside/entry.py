"""Starts one of the trainer's scripts, unmodified, and tells what it does.

Usage: entry.py [--events FILE] [--state-dir DIR] [--tiny-unet] SCRIPT [ARGUMENT ...]

--events FILE     append one JSON object a line: training, step, epoch, stopped, memory
--state-dir DIR   where a training that is asked to stop saves its state
--tiny-unet       for `trainer verify`, `demo` and tests: the base model is the tiny one

Asked to stop (SIGTERM, SIGINT, or the end of standard input when KOHYATPL_LIFELINE=1), the step in progress is
finished, a state saved, and the process leaves with 75. Before the first step it leaves at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import runpy
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

STOPPED_EXIT_CODE = 75
LIFELINE_VARIABLE = "KOHYATPL_LIFELINE"
# What a process that is not training yet gets to leave by itself.
LEAVE_GRACE_S = 15.0


class Events:
    """Appends events to a file; every line is written at once, so that two writers never mix within one."""

    def __init__(self, path: str | None) -> None:
        self._descriptor: int | None = None
        if path is not None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(path, flags, 0o644)

    def write(self, event: str, **details: Any) -> None:
        """Writes one event; a full disk must not end a training, so what cannot be written is lost."""
        if self._descriptor is None:
            return
        line = json.dumps({"event": event, "time": round(time.time(), 3), **details}) + "\n"
        with contextlib.suppress(OSError):
            os.write(self._descriptor, line.encode())


class StopRequest:
    """Whether the training was asked to stop, and whether it has come far enough to have a state to save."""

    def __init__(self, events: Events, *, is_first: bool) -> None:
        self.is_asked = False
        self.is_training = False
        self._events = events
        self._is_first = is_first

    def listen(self) -> None:
        """Listens to signals, and to the lifeline where there is one."""
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, self._on_signal)
        if os.environ.get(LIFELINE_VARIABLE) == "1":
            threading.Thread(target=self._wait_for_end_of_input, daemon=True).start()

    def _on_signal(self, _number: int, _frame: object) -> None:
        if self.is_asked and self.is_training:
            return
        self.is_asked = True
        if not self.is_training:
            self._events.write("stopped", step=0, state_dir=None, error=None)
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


def _signal_main_thread(number: signal.Signals) -> None:
    """Makes the main thread deal with a signal now, even while it waits for something."""
    main_thread = threading.main_thread().ident
    if main_thread is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread, number)
    else:
        signal.raise_signal(number)


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


def make_tracker_class() -> type[Any]:
    """Returns the tracker class; accelerate is imported here, after the signal handlers are in place."""
    from accelerate.tracking import GeneralTracker

    class EventTracker(GeneralTracker):  # type: ignore[misc]  # accelerate has no types
        """Receives the exact numbers of every step, and is where a stop request is seen."""

        name = "kohyatpl"
        requires_logging_directory = False
        main_process_only = True

        def __init__(self, accelerator: Any, events: Events, stop: StopRequest, state_dir: str | None) -> None:
            super().__init__()
            self._accelerator, self._events, self._stop, self._state_dir = accelerator, events, stop, state_dir

        @property
        def tracker(self) -> EventTracker:
            return self

        def store_init_configuration(self, values: Mapping[str, Any]) -> None:
            """Nothing: the record of the run holds the configuration."""

        def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
            """Writes the numbers of a step or an epoch; leaves when a stop was asked for."""
            numbers = {key: _number(value) for key, value in values.items() if isinstance(value, (int, float))}
            if "loss/current" in numbers:
                self._log_step(numbers, step)
            elif "loss/epoch_average" in numbers:
                self._events.write("epoch", epoch=step, average_loss=numbers["loss/epoch_average"])
            elif numbers:
                self._events.write("numbers", step=step, values=numbers)

        def _log_step(self, numbers: dict[str, float | None], step: int | None) -> None:
            rates = {key.removeprefix("lr/"): value for key, value in numbers.items() if key.startswith("lr/")}
            self._events.write(
                "step", step=step, loss=numbers["loss/current"], average_loss=numbers.get("loss/average"), lr=rates
            )
            # Inside an accumulation the gradients gathered so far are in no state: wait for the update.
            if self._stop.is_asked and self._accelerator.sync_gradients:
                self._events.write("stopped", step=step, **saved_state(self._accelerator, self._state_dir))
                raise SystemExit(STOPPED_EXIT_CODE)

    return EventTracker


def saved_state(accelerator: Any, state_dir: str | None) -> dict[str, str | None]:
    """Returns where the state was saved, or why it was not; built beside and moved into place."""
    if state_dir is None:
        return {"state_dir": None, "error": None}
    partial = f"{state_dir}.partial"
    try:
        accelerator.save_state(partial)
        os.replace(partial, state_dir)
    except Exception as error:  # noqa: BLE001 - a full disk or anything else: the stop must go on
        shutil.rmtree(partial, ignore_errors=True)
        return {"state_dir": None, "error": f"{type(error).__name__}: {error}"}
    return {"state_dir": state_dir, "error": None}


def peak_memory() -> dict[str, int | None]:
    """Returns the most memory that the process has held so far, in bytes; None for what cannot be told."""
    return {"process_peak_bytes": _process_peak_bytes(), **_gpu_peaks()}


def _process_peak_bytes() -> int | None:
    # On Linux getrusage(2) also counts what the process that started this one once held.
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # getrusage(2): KiB everywhere else


def _gpu_peaks() -> dict[str, int | None]:
    torch = sys.modules.get("torch")
    # A GPU that has failed must not hide the error that the training ends with.
    with contextlib.suppress(Exception):
        if torch is not None and torch.cuda.is_available():
            allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
            return {"gpu_peak_bytes": int(allocated), "gpu_reserved_bytes": int(reserved)}
    return {"gpu_peak_bytes": None, "gpu_reserved_bytes": None}


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None


def add_tracker(events: Events, stop: StopRequest, state_dir: str | None) -> None:
    """Makes every Accelerator tell our tracker what it tells the others.

    `log_with` would be accelerate's own way in, but it is the trainer that fills it. The method is wrapped and runs
    as it is; one that is gone raises AttributeError here.
    """
    from accelerate import Accelerator

    tracker_class = make_tracker_class()
    init_trackers = Accelerator.init_trackers

    def with_event_tracker(accelerator: Any, *args: Any, **kwargs: Any) -> None:
        init_trackers(accelerator, *args, **kwargs)
        if accelerator.is_main_process:
            config = kwargs.get("config") or {}
            events.write("training", max_train_steps=config.get("max_train_steps"), device=str(accelerator.device))
            accelerator.trackers.append(tracker_class(accelerator, events, stop, state_dir))
        stop.is_training = True

    Accelerator.init_trackers = with_event_tracker


def main() -> None:
    """Sets the hooks, then runs the script as if it had been started itself."""
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("--events")
    parser.add_argument("--state-dir")
    parser.add_argument("--tiny-unet", action="store_true")
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()

    # Other processes of the same training report nothing: their numbers are in the first one's.
    is_first = os.environ.get("RANK", "0") == "0"
    events = Events(options.events if is_first else None)
    stop = StopRequest(events, is_first=is_first)
    stop.listen()
    if os.environ.get(LIFELINE_VARIABLE) == "1":
        outlive_readers()

    import lazy_modules
    import tiny_unet
    import torchvision_ops

    # From here on the interpreter looks as it does for a script that was started directly.
    script = os.path.abspath(options.script)
    sys.argv = [script, *options.arguments]
    sys.path[0] = os.path.dirname(script)
    torchvision_ops.install()
    lazy_modules.install()
    add_tracker(events, stop, options.state_dir)
    if options.tiny_unet:
        tiny_unet.shrink_sd1_unet()
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        # After a stop and after an error too: how much a training that ran out of memory had is worth knowing.
        if stop.is_training:
            events.write("memory", **peak_memory())


if __name__ == "__main__":
    main()
