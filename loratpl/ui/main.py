"""The console script: parses, runs one command, presents its result, and is the only place that exits."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from loratpl import __version__
from loratpl.errors import ExitCode, KohyatplError, Problem, StoppedError
from loratpl.ui.result import CommandResult, present


def main() -> None:
    """Runs the command line and exits with its code."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing is left to be said, and no traceback either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Returns the exit code of one command line, after having presented its result."""
    import typer

    from loratpl.ui.cli.app import Output, app

    output = Output()
    try:
        result = app(args=list(arguments), prog_name="kohyatpl", standalone_mode=False, obj=output)
    except typer.TyperException as error:  # whatever typer has against the command line
        output.as_json = output.as_json or "--json" in arguments
        result = _usage_result(error)
    except StoppedError as error:
        result = CommandResult(output.command, error.data, (), error.problems, error.stop_code)
    except KohyatplError as error:
        result = CommandResult(output.command, error.data, (), error.problems, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        result = CommandResult(output.command, exit_code=ExitCode.INTERRUPTED)
    except BrokenPipeError:
        return ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the last resort: a bug of ours becomes a file and a sentence
        if output.debug:
            traceback.print_exc()
        result = _bug_result(output.command, error, arguments)
    if isinstance(result, CommandResult):
        present(result, as_json=output.as_json, quiet=output.quiet)
        return result.exit_code
    return result if isinstance(result, int) else ExitCode.DONE  # --help and --version have spoken for themselves


def _usage_result(error: Exception) -> CommandResult:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    command = "" if context is None else context.command_path.removeprefix("kohyatpl").strip()
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
        path = folder / f"kohyatpl-crash-{now:%Y%m%d-%H%M%S}.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return str(path)
    return ""
