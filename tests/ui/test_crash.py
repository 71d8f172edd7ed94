"""A bug of ours, made by a command that has one: a file for the report, and one sentence for the user."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from loratpl import __version__
from loratpl.trainer.paths import data_dir
from tests.command_line import Done

WITH_A_BUG = """
from loratpl.ui.cli.app import Command, app
from loratpl.ui.main import main

def explode() -> None:
    raise KeyError("seven")

app.command("explode", cls=Command)(explode)
main()
"""


def explode(*arguments: str) -> Done:
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_BUG, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_bug_leaves_a_crash_file_and_names_it() -> None:
    done = explode("explode")
    (path,) = (data_dir() / "crashes").iterdir()
    assert done.code == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: kohyatpl itself failed: KeyError: 'seven'.\n  fix: Please report it with the file {path}.\n"
    )
    text = path.read_text(encoding="utf-8")
    assert f"kohyatpl {__version__}, Python {platform.python_version()}, " in text
    assert "arguments: ['explode']" in text
    assert text.rstrip().endswith("KeyError: 'seven'")
    assert "in explode" in text


def test_programs_are_told_of_a_bug_as_of_any_problem() -> None:
    done = explode("explode", "--json")
    (path,) = (data_dir() / "crashes").iterdir()
    assert (done.code, done.envelope["command"], done.stderr) == (1, "explode", "")
    assert done.problem["code"] == "bug"
    assert done.problem["where"] == str(path)
    assert str(path) in done.problem["fix"]


@pytest.mark.parametrize("arguments", [("--debug", "explode"), ("explode", "--debug")])
def test_debug_shows_the_traceback_as_well(arguments: tuple[str, ...]) -> None:
    done = explode(*arguments)
    assert done.code == 1
    assert "Traceback (most recent call last):" in done.stderr
    assert "in explode" in done.stderr
    assert "error: kohyatpl itself failed" in done.stderr


def test_without_a_data_folder_the_crash_file_goes_to_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("KOHYATPL_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    done = explode("explode", "--json")
    (path,) = (tmp_path / "tmp").glob("kohyatpl-crash-*.txt")
    assert done.problem["where"] == str(path)


def test_two_bugs_within_a_second_leave_a_file_each() -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", WITH_A_BUG, "explode"], stderr=subprocess.DEVNULL) for _ in range(4)
    ]
    assert [child.wait(60) for child in children] == [1] * 4
    assert len(list((data_dir() / "crashes").iterdir())) == 4
