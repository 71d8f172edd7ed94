"""What a command returns, and the one renderer that turns it into text or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loratpl.errors import ExitCode, Problem

ENVELOPE_SCHEMA = "kohyatpl/1"


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The outcome of a command.

    Attributes:
        command: Its name as typed, for example "trainer status".
        data: What other programs read; JSON-ready.
        lines: What a person reads.
        problems: Errors and warnings; shown after the text.
        exit_code: What the shell gets.
    """

    command: str
    data: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()
    problems: tuple[Problem, ...] = ()
    exit_code: int = ExitCode.DONE


def envelope(result: CommandResult) -> dict[str, Any]:
    """Returns the JSON object of a result (docs/reference.md, "JSON")."""
    status = "error" if result.exit_code else "warning" if result.problems else "ok"
    return {
        "schema": ENVELOPE_SCHEMA,
        "command": result.command,
        "status": status,
        "exit_code": int(result.exit_code),
        "data": dict(result.data),
        "problems": [
            {"code": p.code, "severity": p.severity, "where": p.where, "message": p.message, "fix": p.fix}
            for p in result.problems
        ],
    }


def present(result: CommandResult, *, as_json: bool, quiet: bool) -> None:
    """Writes a result: JSON or text to stdout, problems of text mode to stderr."""
    if as_json:
        sys.stdout.write(json.dumps(envelope(result)) + "\n")
        return
    if not quiet:
        for line in result.lines:
            sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    if result.problems:
        from loratpl.ui.console import show_problems

        show_problems(result.problems)
