"""The only user of rich: problems, lines of progress, and bars for work that takes long."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from loratpl.errors import Problem
from loratpl.ui.problem_groups import grouped

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


def is_old_windows_console() -> bool:
    """Returns whether stderr is a console of Windows that knows no escape sequences."""
    from rich.console import Console

    return Console(stderr=True).legacy_windows
