"""The only user of rich: progress and problems on the terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from loratpl.errors import Problem
from loratpl.run.watch import Step, Unwatched, Watcher
from loratpl.ui.problem_groups import grouped

# Off a terminal a step line is written this often: enough to see life, too little to fill a disk.
PLAIN_STEP_INTERVAL_S = 30.0
# Work that takes no longer needs no bar.
BAR_AFTER_S = 0.5


def show_problems(problems: Iterable[Problem]) -> None:
    """Writes problems to stderr, the worst first: what and why, then the fix on a line of its own."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with _terminal_may_go():
        for group in grouped(problems):
            for problem in group.shown:
                style = "bold red" if problem.severity == "error" else "bold yellow"
                console.print(Text.assemble((f"{problem.severity}: ", style), problem.message))
                if problem.fix and not group.fix:
                    console.print(Text.assemble(("  fix: ", "bold"), problem.fix))
            if group.more:
                console.print(f"  and {group.more:,} more of this kind; `--json` names them all", markup=False)
            if group.fix:
                console.print(Text.assemble(("  fix: ", "bold"), group.fix))


def say(text: str) -> None:
    """Writes one line of progress to stderr."""
    with _terminal_may_go():
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


@contextlib.contextmanager
def _terminal_may_go() -> Iterator[None]:
    """A terminal that was closed must not end a training that goes on without it."""
    with contextlib.suppress(OSError, ValueError):
        yield


class Looking:
    """A bar for work that is mostly over before one is worth showing: files done, their rate, the time that is left.

    Used as a context; called with (done, total) or (done, total, bytes) as the work goes on. Silent off a terminal.
    """

    def __init__(self, what: str, *, is_silent: bool) -> None:
        self._what, self._is_silent = what, is_silent or not sys.stderr.isatty()
        self._began = time.monotonic()
        self._progress: Any = None

    def __enter__(self) -> Looking:
        """Shows nothing yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Takes the bar away."""
        if self._progress is not None:
            with _terminal_may_go():
                self._progress.stop()

    def __call__(self, done: int, total: int, size_bytes: int = 0) -> None:  # noqa: ARG002 - files tell enough
        """Moves the bar."""
        elapsed = time.monotonic() - self._began
        if self._is_silent or elapsed < BAR_AFTER_S:
            return
        with _terminal_may_go():
            if self._progress is None:
                self._progress = _counting_bar()
                self._task = self._progress.add_task(self._what, total=total, rate="")
                self._progress.start()
            self._progress.update(self._task, completed=done, total=total, rate=f"{done / elapsed:,.0f}/s")


def _counting_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class LiveWatcher(Watcher, Protocol):
    """A watcher that holds the terminal while a run is live."""

    def __enter__(self) -> LiveWatcher:
        """Takes the terminal."""

    def __exit__(self, *exception: object) -> None:
        """Gives it back."""


def run_watcher(*, as_json: bool, quiet: bool) -> LiveWatcher:
    """Returns the watcher that fits where the output goes."""
    if as_json:
        return JsonWatcher()
    if quiet:
        return Silent()
    return TerminalWatcher() if sys.stderr.isatty() else PlainWatcher()


class Silent(Unwatched):
    """Shows nothing."""

    def __enter__(self) -> Silent:
        """Nothing to take."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to give back."""


class JsonWatcher(Silent):
    """Streams each event as one JSON object a line to stdout, before the envelope."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Writes the event."""
        with _terminal_may_go():
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()


class PlainWatcher(Silent):
    """Lines without control characters, for logs and pipes."""

    def __init__(self) -> None:
        self._last_step_line = 0.0

    def phase(self, name: str) -> None:
        """Writes each new phase."""
        say(name)

    def step(self, step: Step) -> None:
        """Writes the first step, the last one, and one now and then."""
        now = time.monotonic()
        if step.number in (1, step.total) or now - self._last_step_line >= PLAIN_STEP_INTERVAL_S:
            self._last_step_line = now
            say(f"step {step.number}/{step.total}  loss {_loss(step.average_loss)}")

    def note(self, text: str) -> None:
        """Writes it."""
        say(text)


class TerminalWatcher(Silent):
    """A bar with steps, loss and remaining time."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, loss="")

    def __enter__(self) -> TerminalWatcher:
        """Starts the bar."""
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Takes the bar away."""
        with _terminal_may_go():
            self._progress.stop()

    def phase(self, name: str) -> None:
        """Names the phase before the bar."""
        with _terminal_may_go():
            self._progress.update(self._task, description=name)

    def step(self, step: Step) -> None:
        """Moves the bar."""
        with _terminal_may_go():
            loss = f"loss {_loss(step.average_loss)}"
            self._progress.update(self._task, completed=step.number, total=step.total, loss=loss)

    def note(self, text: str) -> None:
        """Writes a line above the bar."""
        with _terminal_may_go():
            self._progress.console.print(text, markup=False, highlight=False)


def _loss(value: float | None) -> str:
    return "nan" if value is None else f"{value:.4f}"
