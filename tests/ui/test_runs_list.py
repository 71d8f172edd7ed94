"""`kohyatpl runs`: every run in a row, as wide as the terminal."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.project import ProjectPaths
from loratpl.ui.columns import width_of
from tests.command_line import kohyatpl, live_run
from tests.report.ledger.told import a_run, step_events
from tests.stand_in import StandIn, make_trainable_project, oddest
from tests.terminal import in_terminal


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def project_at(root_dir: Path) -> ProjectPaths:
    """Returns a project without a run."""
    return ProjectPaths(make_trainable_project(root_dir))


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """A project of three runs that differ."""
    project = project_at(tmp_path / "project")
    events = step_events([0.5, 0.25])
    a_run(project, "20260101-100000-first", events=events, last_step=6, ended_at="2026-01-01T11:01:15.000+00:00")
    a_run(
        project, "20260102-100000-second", {"learning_rate": 0.0002}, state="stopped", events=events, last_step=2,
        ended_at="2026-01-02T10:00:30.000+00:00",
    )  # fmt: skip
    a_run(
        project, "20260103-100000-third", {"learning_rate": 0.0002, "network_dim": 32, "output_name": "x"},
        state="running", events=step_events([0.5, math.nan]), parent="20260102-100000-second", start_step=2,
    )  # fmt: skip
    return project


def test_rows_newest_first(project: ProjectPaths) -> None:
    done = kohyatpl("runs", cwd=project.root_dir)
    assert (done.code, done.stderr) == (0, "")
    head, third, second, first, *rest = done.stdout.splitlines()
    assert head.split() == [
        "run",
        "state",
        "step",
        "loss",
        "began",
        "time",
        "from",
        "learning_rate",
        "network_dim",
        "LoRAs",
    ]
    assert third.split() == ["third", "lost?", "2/6", "-", "2026-01-03", "10:00", *third.split()[6:]]
    assert third.split()[-6:] == ["second", "at", "2", "0.0002", "32", "0"]
    assert second.split() == ["second", "stopped", "2/6", "0.2500", "2026-01-02", "10:00", "0:30", "0.0002", "16", "0"]
    assert first.split() == [
        "first",
        "finished",
        "6/6",
        "0.2500",
        "2026-01-01",
        "10:00",
        "1:01:15",
        "0.0001",
        "16",
        "0",
    ]
    assert rest == ["", "No room here for output_name: `--all` and `--json` have them."]


def test_every_spelling_lists(project: ProjectPaths) -> None:
    plain = kohyatpl("runs", "list", "--project", project.root_dir)
    assert plain.code == 0
    for words in (("runs", "--project", project.root_dir), ("runs", "list")):
        assert kohyatpl(*words, cwd=project.root_dir).stdout == plain.stdout
    envelope = kohyatpl("runs", "--json", cwd=project.root_dir).envelope
    assert envelope["command"] == "runs list"
    assert envelope == kohyatpl("--json", "runs", cwd=project.root_dir).envelope
    assert kohyatpl("runs", "--quiet", cwd=project.root_dir).stdout == ""


def test_help_and_unknown_commands_are_those_of_the_group() -> None:
    done = kohyatpl("runs", "--help")
    assert done.code == 0
    for name in ("list", "show", "follow", "diff", "prune"):
        assert name in done.stdout
    wrong = kohyatpl("runs", "shwo")
    assert wrong.code == 2
    assert "shwo" in wrong.stderr
    assert kohyatpl("runs", "--frobnicate").code == 2


def test_programs_get_everything(project: ProjectPaths) -> None:
    data = kohyatpl("runs", "--json", cwd=project.root_dir).envelope["data"]
    assert data["differing"] == ["learning_rate", "network_dim", "output_name"]
    third = data["runs"][0]
    assert (third["state"], third["is_settled"], third["last_step"], third["loss"]) == ("lost", False, 2, None)
    assert third["settings"] == {"learning_rate": 0.0002, "network_dim": 32, "output_name": "x"}
    assert third["record"] == json.loads(project.run("20260103-100000-third").record_path.read_bytes())
    assert len(kohyatpl("runs", "--json", "--last", "1", cwd=project.root_dir).envelope["data"]["runs"]) == 1


def test_last_and_all(project: ProjectPaths) -> None:
    done = kohyatpl("runs", "--last", "1", cwd=project.root_dir)
    assert "… and 2 earlier" in done.stdout
    assert "first" not in done.stdout
    done = kohyatpl("runs", "--all", cwd=project.root_dir)
    assert "  third: learning_rate 0.0002, network_dim 32, output_name x" in done.stdout.splitlines()
    assert "  first: learning_rate 0.0001, network_dim 16, output_name -" in done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_all_has_what_there_was_no_room_for(project: ProjectPaths) -> None:
    code, written = in_terminal("runs", "--all", "--project", str(project.root_dir), size=(40, 24))
    assert code == 0
    text = " ".join(written.split())
    assert "second: began 2026-01-02 10:00, LoRAs 0, learning_rate 0.0002" in text
    assert "from second at 2" in text


def test_runs_that_are_alike_say_so(tmp_path: Path) -> None:
    project = project_at(tmp_path / "project")
    for day in (1, 2):
        a_run(project, f"2026010{day}-100000-r{day}")
    assert kohyatpl("runs", "--all", cwd=project.root_dir).stdout.endswith(
        "\nAll were trained with the same settings.\n"
    )


def test_nothing_trained_yet(tmp_path: Path) -> None:
    project = project_at(oddest(tmp_path) / "project")
    project.log_dir.mkdir(exist_ok=True)
    (project.log_dir / "log_files_here.txt").write_text("logs", encoding="utf-8")
    done = kohyatpl("runs", "--project", project.root_dir)
    assert (done.code, done.stdout) == (0, "Nothing has been trained in project yet.\n")
    assert kohyatpl("runs", "--json", "--project", project.root_dir).envelope["data"] == {"runs": [], "differing": []}


def test_no_project_is_told(tmp_path: Path) -> None:
    done = kohyatpl("runs", "--json", "--project", tmp_path / "nothing")
    assert done.code == 4
    assert done.problem["code"].startswith("project.")


def test_a_damaged_record_is_a_row_and_a_warning(project: ProjectPaths) -> None:
    project.run("20260102-100000-second").record_path.write_text("{}", encoding="utf-8")
    done = kohyatpl("runs", "--json", cwd=project.root_dir)
    assert done.code == 0
    problem = done.problem
    assert (problem["code"], problem["severity"]) == ("project.record.damaged", "warning")
    assert problem["where"] == "log/20260102-100000-second/run.json"
    text = kohyatpl("runs", cwd=project.root_dir)
    row = next(line for line in text.stdout.splitlines() if line.startswith("second"))
    assert row.split()[:4] == ["second", "?", "2/?", "0.2500"]
    assert text.stderr.startswith("warning: ")


def test_names_that_would_turn_a_line_are_written_out(tmp_path: Path) -> None:
    project = project_at(tmp_path / "project")
    a_run(project, "20260101-100000-a\nb\x1b[31m日本", {"network_args": ["a\nb"]})
    a_run(project, "20260102-100000-c")
    done = kohyatpl("runs", cwd=project.root_dir, env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert "\x1b" not in done.stdout
    assert "a\\nb\\x1b[31m\\u65e5\\u672c" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("columns", [20, 40, 80, 120, 200])
def test_rows_fit_the_terminal(project: ProjectPaths, columns: int) -> None:
    a_run(project, "20260104-100000-a name that is much too long for any column of any table")
    code, written = in_terminal("runs", "--project", str(project.root_dir), size=(columns, 24))
    assert code == 0
    lines = written.replace("\r", "").splitlines()
    assert "\x1b" not in written
    assert max(map(width_of, lines)) <= max(columns, 37)
    assert ("learning_rate" in lines[0]) == (columns >= 120)
    assert ("began" in lines[0]) == (columns >= 80)
    if columns < 200:
        assert "No room here for" in written


def test_a_live_run_is_running(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project", step_s=0.05, max_train_steps=5000)
    with live_run(root) as run:
        run.wait_for_step(3)
        (row,) = kohyatpl("runs", "--json", "--project", root).envelope["data"]["runs"]
        assert (row["state"], row["is_settled"], row["total_steps"]) == ("running", True, 5000)
        assert row["last_step"] >= 3
        assert row["loss"] is not None
    row = kohyatpl("runs", "--json", "--project", root).envelope["data"]["runs"][0]
    assert (row["state"], row["is_settled"], row["record"]["state"]) == ("lost", False, "running")


def test_real_runs_are_listed_with_what_came_out(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    assert kohyatpl("run", root).code == 0
    assert kohyatpl("run", root, "--set", "output_name=other", "--set", "learning_rate=0.5").code == 0
    data: dict[str, Any] = kohyatpl("runs", "--json", "--project", root).envelope["data"]
    assert [(row["name"], row["state"], row["last_step"]) for row in data["runs"]] == [
        ("other", "finished", 6), ("lora", "finished", 6),
    ]  # fmt: skip
    assert data["differing"] == ["learning_rate", "output_name"]
    assert all(output["is_there"] for row in data["runs"] for output in row["outputs"])
    assert data["runs"][0]["average_loss"] > 0
