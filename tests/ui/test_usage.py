"""What typer has against a command line, `--help` and `--version`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from loratpl import __version__
from loratpl.ui.cli.app import app
from tests.command_line import kohyatpl


def commands(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields the words and the command of every leaf of the command tree."""
    children = getattr(node, "commands", None)
    if children is None:
        yield path, node
        return
    for name, child in children.items():
        yield from commands(child, (*path, name))


TREE = typer.main.get_command(app)
COMMANDS = dict(commands(TREE))


@pytest.mark.parametrize(
    ("words", "command", "says"),
    [
        (("frobnicate",), "", "No such command 'frobnicate'."),
        (("trainer", "frobnicate"), "trainer", "No such command 'frobnicate'."),
        (("run", "--frobnicate"), "run", "No such option: --frobnicate"),
        (("config", "show", "--frobnicate"), "config show", "No such option: --frobnicate"),
        (("--frobnicate", "run"), "", "No such option: --frobnicate"),
        (("new",), "new", "Missing argument 'path'."),
        (("run", "one", "two"), "run", "Got unexpected extra argument"),
        (("run", "--name"), "run", "Option '--name' requires an argument."),
        (("config",), "config", "A command is missing."),
    ],
)
def test_a_command_line_that_cannot_be_is_refused_with_the_way_to_help(
    words: tuple[str, ...], command: str, says: str
) -> None:
    as_json, text = kohyatpl("--json", *words), kohyatpl(*words)
    assert as_json.code == text.code == 2
    assert as_json.problem["code"] == "usage.arguments"
    assert says in as_json.problem["message"]
    assert as_json.envelope["command"] == command
    help_line = f"`{f'kohyatpl {command}'.strip()} --help` shows what it takes."
    assert as_json.problem["fix"] == help_line
    assert f"error: {as_json.problem['message']}\n  fix: {help_line}\n" == text.stderr


def test_a_near_miss_of_an_option_is_told() -> None:
    assert "--config" in kohyatpl("run", "--confg", "x", "--json").problem["message"].partition(":")[2]


def test_without_a_command_the_help_is_shown_and_it_is_an_error() -> None:
    done = kohyatpl()
    assert done.code == 2
    assert done.stdout == kohyatpl("--help").stdout
    assert done.stderr.startswith("error: A command is missing.\n")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_mentions_all_that_it_takes(path: tuple[str, ...]) -> None:
    done = kohyatpl(*path, "--help")
    command = COMMANDS[path]
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: kohyatpl {' '.join(path)} ")
    assert " ".join(command.help.split()) in " ".join(done.stdout.split())
    # An argument stands there as its metavar: in capitals, with three points where it can be repeated, and in brackets
    # where it can be left out.
    rows = {line.split()[0].strip("[].").lower() for line in done.stdout.splitlines() if line.startswith("  ")}
    for parameter in command.params:
        metavar = (parameter.metavar or parameter.name).strip("[].").lower()
        names = parameter.opts if parameter.param_type_name == "option" else [metavar]
        assert all(name in rows for name in names)
        assert parameter.help, f"{parameter.name} has no help"
        assert parameter.help[:30] in done.stdout
    assert {"--json", "--quiet", "--debug", "--help"} <= rows


@pytest.mark.parametrize("group", [(), ("config",), ("runs",), ("trainer",)], ids=" ".join)
def test_the_help_of_a_group_names_its_commands(group: tuple[str, ...]) -> None:
    done = kohyatpl(*group, "--help")
    named = {line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    assert done.code == 0
    assert named == {path[len(group)] for path in COMMANDS if path[: len(group)] == group}


def test_the_version_is_told() -> None:
    done = kohyatpl("--version")
    assert (done.code, done.stdout, done.stderr) == (0, f"kohyatpl {__version__}\n", "")


def test_the_console_script_is_the_same_program() -> None:
    script = shutil.which("kohyatpl", path=str(Path(sys.executable).parent))
    assert script is not None, "the package is not installed beside the interpreter of the tests"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert re.fullmatch(r"kohyatpl \d+\.\d+\.\d+\n", done.stdout)
