"""What a diagnosis is made from, and what it comes to."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl.config.settings import Settings
from loratpl.project import ProjectPaths
from loratpl.run.diagnosis.log import Raised, TrainerLog
from loratpl.run.diagnosis.machine import MachineFacts

# How launchers tell that a child was ended by a signal: accelerate's and torchrun's words.
_WRAPPED_SIGNAL = re.compile(r"died with <Signals\.(SIG\w+)|Signal \d+ \((SIG\w+)\) received|exitcode\s*: -(\d+)")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a training failed.

    Attributes:
        code: Of the problem.
        cause: One sentence, with the values that matter.
        fix: One sentence.
        said: The trainer's own error line, None where it left no word.
    """

    code: str
    cause: str
    fix: str
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a training that failed.

    Attributes:
        project: For naming files as problems name them.
        log_path: The trainer's log.
        returncode: Of the process that was started; negative when a signal ended it.
        phase: The one it failed in.
        last_step: The last one that was done; 0 before the first.
        settings: The run's.
        events: The last ones.
        machine: What the machine said afterwards.
    """

    project: ProjectPaths
    log_path: Path
    returncode: int
    phase: str
    last_step: int
    settings: Settings
    events: tuple[Mapping[str, Any], ...] = ()
    machine: MachineFacts = field(default_factory=MachineFacts)


@dataclass(frozen=True, slots=True)
class Case:
    """The evidence with its log read: what the rows of the table look at.

    Attributes:
        evidence: As it was handed over.
        log: What the log holds.
        raised: The exception that a row matched, None for other rows.
    """

    evidence: Evidence
    log: TrainerLog
    raised: Raised | None = None

    @property
    def settings(self) -> Settings:
        """The run's settings."""
        return self.evidence.settings

    @property
    def machine(self) -> MachineFacts:
        """What the machine said."""
        return self.evidence.machine

    @property
    def log_name(self) -> str:
        """How a message names the log."""
        return self.evidence.project.relative(self.evidence.log_path)

    def name(self, path: str | Path) -> str:
        """Returns how a message names a file."""
        return self.evidence.project.relative(Path(path))

    def has_trace(self, *pieces: str) -> bool:
        """Returns whether one of these stands in the traceback of the exception that was matched."""
        return self.raised is not None and any(piece in self.raised.trace for piece in pieces)

    @property
    def ending(self) -> str:
        """How the trainer's process ended: "SIGKILL", "exit 3"."""
        if found := _WRAPPED_SIGNAL.search(f"{self.log.wrapped}\n{self.log.end}"):
            return found.group(1) or found.group(2) or _signal_name(int(found.group(3)))
        return _ending(self.evidence.returncode)


# Windows ends a process with a status in place of a signal (Microsoft's list of NTSTATUS values).
_WINDOWS_ENDINGS = {
    0xC0000005: "SIGSEGV", 0xC00000FD: "SIGSEGV", 0xC0000409: "SIGABRT", 0xC000001D: "SIGILL", 0xC0000006: "SIGBUS",
    0xC000013A: "SIGINT",
}  # fmt: skip


def _ending(returncode: int) -> str:
    if returncode < 0 and -returncode < signal.NSIG:
        return _signal_name(-returncode)
    # A shell, and some container runtimes, add 128 to the signal's number.
    if returncode in (137, 139, 143):
        return _signal_name(returncode - 128)
    return _WINDOWS_ENDINGS.get(returncode & 0xFFFFFFFF, f"exit {returncode}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sentence of cause and one of fix."""

    cause: str
    fix: str


# None where what matched is no evidence after all.
Explain = Callable[[Case, re.Match[str]], Explanation | None]


@dataclass(frozen=True, slots=True)
class Row:
    """One text that the trainer or its libraries end with, and what it means.

    Attributes:
        code: Of the problem.
        pattern: Searched for in what the row looks at.
        explain: Makes cause and fix of what was found.
        why: How it is known that the text means that.
        looks_at: "error": the last exception and those behind it; "logged": errors that were only logged; "ending":
            how the process ended, where there is no exception.
    """

    code: str
    pattern: re.Pattern[str]
    explain: Explain
    why: str
    looks_at: str = "error"


def row(code: str, pattern: str, explain: Explain, why: str, looks_at: str = "error") -> Row:
    """Returns a row whose pattern may span lines."""
    return Row(code, re.compile(pattern, re.DOTALL), explain, why, looks_at)


def saying(cause: str, fix: str) -> Explain:
    """Returns what explains every match with the same sentences; `{0}`, `{1}` are the match and its groups."""

    def explain(_case: Case, found: re.Match[str]) -> Explanation:
        values = (found.group(0), *(group or "" for group in found.groups()))
        return Explanation(cause.format(*values), fix.format(*values))

    return explain
