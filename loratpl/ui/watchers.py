"""Who watches a run: a panel on a terminal, plain lines in a log, events for a program, nobody.

None of them waits for whoever reads: a terminal that is held with Ctrl-S, a pipe that is full and a terminal that is
gone cost the run nothing.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import IO, Any, Protocol, TextIO

from loratpl.run.gauges import Gauges, Reading
from loratpl.run.watch import Step, Unwatched, Watcher
from loratpl.ui.line_writer import LineWriter
from loratpl.ui.run_panel import MAX_WIDTH, duration, glyphs_for, panel, rate
from loratpl.ui.run_view import RunView
from loratpl.ui.screen import Screen

# Off a terminal a step line is written this often: enough to see life, too little to fill a disk.
PLAIN_STEP_INTERVAL_S = 30.0
# How often a panel is looked at when nothing happens: clocks go on.
TICK_S = 0.25
# No faster than this, however fast the events are: the eye sees no more.
MIN_REDRAW_S = 0.04
# A terminal that takes nothing for so long at the end is left as it is.
LEAVE_S = 1.0
MAX_NOTES = 200


class LiveWatcher(Watcher, Protocol):
    """A watcher that holds the terminal while a run is live."""

    def __enter__(self) -> LiveWatcher:
        """Takes the terminal."""

    def __exit__(self, *exception: object) -> None:
        """Gives it back."""

    def catch_up(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Takes in what happened before anybody watched."""


def run_watcher(*, as_json: bool, quiet: bool) -> LiveWatcher:
    """Returns the watcher that fits where the output goes."""
    if as_json:
        return JsonWatcher()
    if quiet:
        return Silent()
    return TerminalWatcher() if _has_panel(sys.stderr) else PlainWatcher()


def _has_panel(stream: IO[str]) -> bool:
    """Whether it is a terminal that can be drawn on, by a command that is in its foreground."""
    if not stream.isatty() or os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    if sys.platform == "win32":
        from loratpl.ui.console import is_old_windows_console

        return not is_old_windows_console()
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except OSError:
        return True  # a terminal that is not the session's own (`> /dev/pts/3`) has no foreground for us


class Silent(Unwatched):
    """Shows nothing."""

    def __enter__(self) -> Silent:
        """Nothing to take."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to give back."""

    def catch_up(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Ignores them."""


class _LineWatcher(Silent):
    """Writes lines, in a thread of its own."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._writer = LineWriter(stream)

    def __enter__(self) -> _LineWatcher:
        """Starts the writing."""
        self._writer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Waits for a reader that is only slow; says what another has missed."""
        rest = self._writer.finish()
        try:
            if rest:
                self._stream.write(rest)
            if self._writer.dropped:
                sys.stderr.write(f"{self._writer.dropped:,} lines could not be delivered: nobody took them in time.\n")
        except (OSError, ValueError):
            return  # they have gone in the meantime


class JsonWatcher(_LineWatcher):
    """Streams each event as one JSON object a line to stdout, before the envelope."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def event(self, event: Mapping[str, Any]) -> None:
        """Writes the event."""
        self._writer.put(json.dumps(event))

    def catch_up(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Writes each of them."""
        for event in events:
            self.event(event)


class PlainWatcher(_LineWatcher):
    """Lines without control characters, for logs and pipes."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._view = RunView()
        self._stepped_at: float | None = None

    def phase(self, name: str) -> None:
        """Writes each new phase."""
        self._writer.put(name)

    def step(self, step: Step) -> None:
        """Writes the first step, the last one, and one now and then."""
        now = time.monotonic()
        is_due = self._stepped_at is None or now - self._stepped_at >= PLAIN_STEP_INTERVAL_S
        if is_due or step.number == step.total:
            self._stepped_at = now
            self._writer.put(step_line(step, self._view))

    def note(self, text: str) -> None:
        """Writes it."""
        self._writer.put(text)

    def event(self, event: Mapping[str, Any]) -> None:
        """Writes what has been saved and drawn, and each epoch."""
        self._view.feed(event)
        line = event_line(event)
        if line:
            self._writer.put(line)

    def catch_up(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Takes them in, and writes the last phase."""
        for event in events:
            self._view.feed(event)
        if self._view.phase:
            self._writer.put(self._view.phase)


def step_line(step: Step, view: RunView) -> str:
    """Returns the plain line of a step: which, the loss, and the time that is left where that is known."""
    loss = "nan" if step.average_loss is None else f"{step.average_loss:.4f}"
    line = f"step {step.number}/{step.total}  loss {loss}"
    pace = view.pace.seconds_per_step
    if pace is None or step.number >= step.total:
        return line
    return f"{line}  {rate(pace)}  left {duration((step.total - step.number) * pace)}"


def event_line(event: Mapping[str, Any]) -> str:
    """Returns the plain line of an event that has one, else "".

    >>> event_line({"event": "state", "step": 14, "state_dir": "/p/log/x/state/step00000014"})
    'state saved after step 14'
    """
    kind, step = event.get("event"), event.get("step")
    name = os.path.basename(str(event.get("path", "")))  # noqa: PTH119 - a path of any system
    if kind == "checkpoint":
        return f"checkpoint {name} after step {step}"
    if kind == "sample":
        return f"sample {name} after step {step}"
    if kind == "epoch":
        loss = event.get("average_loss")
        text = f"{loss:.4f}" if isinstance(loss, (int, float)) else "nan"
        return f"epoch {event.get('epoch')} done  loss {text}"
    if kind == "state":
        error = event.get("error")
        return f"no state saved after step {step}: {error}" if error else f"state saved after step {step}"
    return ""


class TerminalWatcher(Silent):
    """A panel that shows the newest state of the run; lines that stay are written above it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._view = RunView()
        self._notes: deque[str] = deque(maxlen=MAX_NOTES)
        self._wake = threading.Condition()
        self._has_changed = True
        self._is_over = False
        self._gauges: Gauges | None = None
        self._glyphs = glyphs_for(self._stream.encoding)
        self._screen = Screen(self._write, has_colours=not os.environ.get("NO_COLOR"))
        self._thread = threading.Thread(target=self._draw_to_the_end, name="panel", daemon=True)

    def __enter__(self) -> TerminalWatcher:
        """Shows the panel."""
        self._stream.flush()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Takes the panel away, unless the terminal takes nothing any more."""
        with self._wake:
            self._is_over = True
            self._wake.notify()
        self._thread.join(LEAVE_S)
        if self._gauges is not None:
            self._gauges.stop()

    def phase(self, name: str) -> None:
        """Shows it, also where its event was lost to a full disk."""
        with self._wake:
            self._view.enter(name, time.time())
            self._changed()

    def step(self, step: Step) -> None:
        """Shows it, also where its event was lost."""
        with self._wake:
            self._view.total = step.total
            if step.number > self._view.step:
                values = {"step": step.number, "loss": step.loss, "average_loss": step.average_loss}
                self._view.take_step(values, time.time())
            self._changed()

    def note(self, text: str) -> None:
        """Writes a line above the panel."""
        with self._wake:
            self._notes.append(text)
            self._changed()

    def event(self, event: Mapping[str, Any]) -> None:
        """Shows what it changes."""
        with self._wake:
            self._take(event)
            self._changed()

    def catch_up(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Shows what has become of them."""
        with self._wake:
            for event in events:
                self._take(event)
            self._changed()

    def _take(self, event: Mapping[str, Any]) -> None:
        self._view.feed(event)
        view = self._view
        if self._gauges is None and view.trainer_pid is not None and view.run_id:
            self._gauges = Gauges(view.trainer_pid, view.run_id)
            self._gauges.start()
        if self._gauges is not None:
            self._gauges.device = view.device

    def _changed(self) -> None:
        self._has_changed = True
        self._wake.notify()

    def _draw_to_the_end(self) -> None:
        try:
            while not self._is_over:
                self._draw()
                time.sleep(MIN_REDRAW_S)
                with self._wake:
                    self._wake.wait_for(lambda: self._has_changed or self._is_over, TICK_S)
            self._draw()  # the last notes stay on the terminal
            self._screen.clear()
        except (OSError, ValueError):
            return  # the terminal has gone; the run goes on without it

    def _draw(self) -> None:
        size = _terminal_size(self._stream)
        width = max(1, min(MAX_WIDTH, size.columns - 1))  # a full last column makes some terminals break the line
        with self._wake:
            self._has_changed = False
            notes = list(self._notes)
            self._notes.clear()
            reading = self._gauges.reading if self._gauges is not None else Reading()
            rows = panel(self._view, reading, time.time(), width=width, height=size.lines - 1, glyphs=self._glyphs)
        self._screen.draw(rows, width, size.columns, notes)

    def _write(self, text: str) -> None:
        if sys.platform == "win32":
            self._stream.write(text)
            self._stream.flush()
            return
        data = text.encode(self._stream.encoding or "utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._stream.fileno(), data) :]


def _terminal_size(stream: IO[str]) -> os.terminal_size:
    """Returns the size of the terminal, whatever COLUMNS and LINES once were."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return os.terminal_size((80, 24))
    return os.terminal_size((size.columns or 80, size.lines or 24))
