"""Runs in a terminal of 80 columns."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.stand_in import StandIn, make_trainable_project
from tests.terminal import COLUMNS, in_terminal, screens


@pytest.fixture(autouse=True)
def _only_where_there_are_terminals() -> None:
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are POSIX")


def test_a_panel_is_shown_and_leaves_the_result_alone_on_the_screen(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.25)
    monkeypatch.chdir(tmp_path)
    code, written = in_terminal("run", "project", "--name", "x")
    drawn = screens(written)
    (run_dir,) = (root / "log").iterdir()
    rows = {line for screen in drawn for line in screen if line.startswith("│ ")}
    assert code == 0
    assert any(re.match(r"│ step +[2-5]/6  ━+─+ +\d+ % +│$", row) for row in rows)
    assert any(re.match(r"│ loss +0\.\d{4} +average 0\.\d{4} +[▁-█ ]+│$", row) for row in rows)
    assert "Trained 6 steps as planned." in drawn[-1]
    joined = "".join(line.ljust(COLUMNS) for line in drawn[-1])
    assert "│" not in joined
    assert "6 steps in 3 epochs, 2 batches each" in drawn[-1][0]
    assert str(run_dir.resolve())[:60] in joined


@pytest.mark.parametrize(("env", "has_colours"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["colour", "NO_COLOR"])
def test_problems_are_coloured_unless_nobody_wants_it(
    tmp_path: Path, stand_in: StandIn, env: dict[str, str], *, has_colours: bool
) -> None:
    root = make_trainable_project(tmp_path / "project", fault="error")
    code, written = in_terminal("run", str(root), env=env)
    assert code == 6
    error = written[: written.index("error:")].rpartition("\n")[2]
    assert bool(re.search(r"\x1b\[(?:\d+;)*3[0-7]m", error)) == has_colours
    plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", written)
    assert "ValueError: bad dimension 7." in plain


def test_json_in_a_terminal_is_json_alone(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    code, written = in_terminal("run", str(root), "--json")
    assert code == 0
    assert "\x1b" not in written
    assert all(line.startswith("{") for line in written.splitlines())


def test_quiet_in_a_terminal_is_quiet(tmp_path: Path, stand_in: StandIn) -> None:
    assert in_terminal("run", str(make_trainable_project(tmp_path / "project")), "--quiet") == (0, "")


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("trainer", "--help")], ids=" ".join)
def test_help_fits_the_terminal(words: tuple[str, ...]) -> None:
    code, written = in_terminal(*words)
    assert code == 0
    assert all(len(line) <= COLUMNS for line in written.splitlines())
    assert "\x1b" not in written
