"""The console script: parses, runs one command, presents its result, and is the only place that exits."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl import __version__
from loratpl.errors import ExitCode, KohyatplError, Problem, StoppedError
from loratpl.ui.result import CommandResult, present

if TYPE_CHECKING:
    from loratpl.ui.cli.app import Output


# Nobody reads our output any more, or there is no room for it.
_NOBODY_READS = (errno.EPIPE, errno.EIO)
_NO_BUGS = (*_NOBODY_READS, errno.ENOSPC)


def main() -> None:
    """Runs the command line and exits with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A path may hold what the stream's encoding has not (a pipe on Windows, a server without a locale).
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Returns the exit code of one command line, after having presented its result."""
    from loratpl.ui.cli.app import Output

    output = Output()
    code: int = ExitCode.DONE
    try:
        result = _result_of(arguments, output)
        if isinstance(result, CommandResult):
            code = result.exit_code
            present(result, as_json=output.as_json, quiet=output.quiet)
        elif isinstance(result, int):  # typer's own exits: 0 after --help, 130 after Ctrl-C
            code = result
        sys.stdout.flush()
    except OSError as error:
        _leave_stdout()
        # Whoever read our output has gone (`| head`, a terminal that was closed): nothing is left to be said.
        if error.errno in _NOBODY_READS:
            return code
        from loratpl.ui.console import say

        say(f"error: The output cannot be written: {error.strerror or error}.")
        code = code or ExitCode.PROJECT
    return code


def _leave_stdout() -> None:
    """Makes the interpreter's own flush at the end harmless."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _result_of(arguments: Sequence[str], output: Output) -> object:
    """What the command returned, or the result that its error makes; nothing for --help and --version."""
    import typer

    from loratpl.ui.cli.app import app

    try:
        return app(args=list(arguments), prog_name="kohyatpl", standalone_mode=False, obj=output)
    except typer.TyperException as error:  # whatever typer has against the command line
        output.as_json = output.as_json or "--json" in arguments
        return _usage_result(error, output.command)
    except KohyatplError as error:
        code = error.stop_code if isinstance(error, StoppedError) else error.exit_code
        return CommandResult(output.command, error.data, (), error.problems, code)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except SystemExit:  # typer itself exits when nobody reads its help
        return ExitCode.DONE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_BUGS:
            raise
        if output.debug:
            traceback.print_exc()
        return _bug_result(output.command, error, arguments)


def _usage_result(error: Exception, command: str) -> CommandResult:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    if context is not None:
        command = context.command_path.removeprefix("kohyatpl").strip()
    fix = f"`{f'kohyatpl {command}'.strip()} --help` shows what it takes."
    if message.startswith("Usage:"):  # a command group without a command: typer's message is its whole help
        missing = Problem("usage.arguments", "A command is missing.", "command line", fix)
        return CommandResult(command, {}, message.splitlines(), (missing,), ExitCode.USAGE)
    problem = Problem("usage.arguments", message, "command line", fix)
    return CommandResult(command, {}, (), (problem,), ExitCode.USAGE)


def _bug_result(command: str, error: Exception, arguments: Sequence[str]) -> CommandResult:
    where = _write_crash_file(error, arguments)
    problem = Problem(
        "bug",
        f"kohyatpl itself failed: {type(error).__name__}: {error}.",
        where,
        f"Please report it with the file {where}." if where else "Run it again with --debug and report what it prints.",
    )
    return CommandResult(command, {}, (), (problem,), ExitCode.BUG)


def _write_crash_file(error: Exception, arguments: Sequence[str]) -> str:
    import platform
    import tempfile

    from loratpl.trainer.paths import data_dir

    now = datetime.now(timezone.utc)
    text = "".join(
        (
            f"kohyatpl {__version__}, Python {platform.python_version()}, {platform.platform()}\n",
            f"{now.isoformat(timespec='seconds')}\narguments: {list(arguments)}\n\n",
            *traceback.format_exception(error),
        )
    )
    for folder in (data_dir() / "crashes", Path(tempfile.gettempdir())):
        path = folder / f"kohyatpl-crash-{now:%Y%m%d-%H%M%S}-{os.getpid()}.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return str(path)
    return ""
