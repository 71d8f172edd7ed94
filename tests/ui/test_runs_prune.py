"""`kohyatpl runs prune`: asks where somebody can answer, and removes what was agreed to."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from loratpl.project import ProjectPaths, locked
from loratpl.ui.columns import width_of
from tests.command_line import eventually, kohyatpl, live_run
from tests.report.ledger.told import a_run, an_output
from tests.run.earlier_runs import make_state
from tests.stand_in import StandIn, make_trainable_project, oddest
from tests.terminal import in_terminal, terminal


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """A project of three runs with a LoRA each."""
    project = ProjectPaths(make_trainable_project(oddest(tmp_path) / "project"))
    for day in (1, 2, 3):
        run_id = f"2026010{day}-000000-r{day}"
        a_run(project, run_id, outputs=[an_output(project.output_dir / f"r{day}.safetensors")])
    return project


def left(project: ProjectPaths) -> list[str]:
    return sorted(path.name[-2:] for path in project.log_dir.iterdir() if path.is_dir())


def loras(project: ProjectPaths) -> list[str]:
    return sorted(path.name for path in project.output_dir.glob("*.safetensors"))


def test_a_dry_run_says_what_would_go(project: ProjectPaths) -> None:
    before = sorted(project.root_dir.rglob("*"))
    done = kohyatpl("runs", "prune", "--keep", "1", "--dry-run", "--project", project.root_dir)
    assert (done.code, done.stderr) == (0, "")
    assert "20260102-000000-r2" in done.stdout
    assert "r3" not in done.stdout
    assert "2 runs (" in done.stdout
    assert sorted(project.root_dir.rglob("*")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("columns", [40, 80])
def test_lines_fit_the_terminal(tmp_path: Path, columns: int) -> None:
    project = ProjectPaths(make_trainable_project(tmp_path / "project"))
    a_run(project, "20260101-000000-a name that is much too long for a narrow terminal and for a wide one")
    make_state(a_run(project, "20260102-000000-b", state="stopped"))
    words = ("runs", "prune", "--keep", "0", "--dry-run", "--project", str(project.root_dir))
    code, written = in_terminal(*words, size=(columns, 24))
    assert code == 0
    assert max(map(width_of, written.replace("\r", "").splitlines())) <= columns


def test_runs_go_and_loras_stay(project: ProjectPaths) -> None:
    done = kohyatpl("runs", "prune", "--keep", "1", "--yes", "--json", "--project", project.root_dir)
    assert done.code == 0
    data = done.envelope["data"]
    assert [removed["run_id"][-2:] for removed in data["removed"]] == ["r2", "r1"]
    assert data["freed_bytes"] == sum(removed["size_bytes"] for removed in data["removed"]) > 0
    assert (left(project), loras(project)) == (["r3"], ["r1.safetensors", "r2.safetensors", "r3.safetensors"])


def test_loras_go_when_told(project: ProjectPaths) -> None:
    done = kohyatpl("runs", "prune", "--keep", "1", "--outputs", "--yes", "--project", project.root_dir)
    assert done.code == 0
    assert "Removed 2 runs and 2 LoRAs: " in done.stdout
    assert (left(project), loras(project)) == (["r3"], ["r3.safetensors"])


def test_age_is_counted_in_days(project: ProjectPaths) -> None:
    done = kohyatpl("runs", "prune", "--older-than", "0.5", "--dry-run", "--json", "--project", project.root_dir)
    assert len(done.envelope["data"]["removed"]) == 3
    done = kohyatpl("runs", "prune", "--older-than", "1e9", "--dry-run", "--project", project.root_dir)
    assert done.stdout == "Nothing to remove.\n"


def test_states_alone_go(project: ProjectPaths) -> None:
    paths = a_run(project, "20260104-000000-r4", state="stopped")
    make_state(paths)
    done = kohyatpl("runs", "prune", "--states", "--yes", "--project", project.root_dir)
    assert done.code == 0
    assert paths.state_dir.is_dir()
    assert "`kohyatpl run --resume` would go on with it" in " ".join(done.stdout.split())
    done = kohyatpl("runs", "prune", "--states", "--unfinished", "--yes", "--project", project.root_dir)
    assert "Removed the training states of 1 run: " in done.stdout
    assert not paths.state_dir.exists()
    assert left(project) == ["r1", "r2", "r3", "r4"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "usage.prune"),
        (("--outputs",), "usage.prune"),
        (("--states", "--outputs", "--yes"), "usage.prune"),
        (("--keep", "1"), "usage.prune.confirm"),
        (("--keep", "-1"), "usage.arguments"),
        (("--older-than", "-1"), "usage.arguments"),
        (("--older-than", "soon"), "usage.arguments"),
    ],
)
def test_what_is_not_clear_removes_nothing(project: ProjectPaths, words: tuple[str, ...], code: str) -> None:
    done = kohyatpl("runs", "prune", *words, "--json", "--project", project.root_dir)
    assert (done.code, done.problem["code"]) == (2, code)
    assert left(project) == ["r1", "r2", "r3"]


def test_without_anybody_to_ask_the_flag_is_named(project: ProjectPaths) -> None:
    done = kohyatpl("runs", "prune", "--keep", "1", "--project", project.root_dir)
    assert done.code == 2
    assert "--yes" in done.stderr
    assert done.stdout == ""


def test_nothing_to_remove_asks_nothing(project: ProjectPaths) -> None:
    done = kohyatpl("runs", "prune", "--keep", "3", "--project", project.root_dir)
    assert (done.code, done.stdout) == (0, "Nothing to remove.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize(
    ("answer", "code", "stays"),
    [
        (b"y\n", 0, ["r3"]),
        (b"n\n", 0, ["r1", "r2", "r3"]),
        (b"\n", 0, ["r1", "r2", "r3"]),
        (b"\x03", 130, ["r1", "r2", "r3"]),
    ],
    ids=["yes", "no", "enter", "ctrl-c"],
)
def test_somebody_at_a_terminal_is_asked(project: ProjectPaths, answer: bytes, code: int, stays: list[str]) -> None:
    with terminal("runs", "prune", "--keep", "1", "--project", project.root_dir) as opened:
        eventually(lambda: "Remove 2 runs" in opened.written, "the question")
        assert "20260102-000000-r2" in opened.written
        opened.type(answer)
        if answer == b"\x03":
            opened.popen.send_signal(signal.SIGINT)  # the pseudo-terminal is not the child's controlling one
        assert opened.finish()[0] == code
    assert left(project) == stays


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_only_what_was_agreed_to_goes(project: ProjectPaths) -> None:
    """While somebody thinks, another run begins and ends: what was third newest is not asked about again."""
    with terminal("runs", "prune", "--keep", "2", "--project", project.root_dir) as opened:
        eventually(lambda: "Remove 1 run" in opened.written, "the question")
        a_run(project, "20260104-000000-r4")
        opened.type(b"y\n")
        assert opened.finish()[0] == 0
    assert left(project) == ["r2", "r3", "r4"]


def test_a_busy_project_is_left_alone(project: ProjectPaths) -> None:
    with locked(project):
        done = kohyatpl("runs", "prune", "--keep", "0", "--yes", "--json", "--project", project.root_dir)
    assert (done.code, done.problem["code"]) == (7, "run.busy")
    assert left(project) == ["r1", "r2", "r3"]


def test_a_live_run_goes_on(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.05, max_train_steps=5000)
    with live_run(root) as run:
        run.wait_for_step(2)
        a_run(ProjectPaths(root), "20200101-000000-old")
        run_dir = next(path for path in (root / "log").iterdir() if not path.name.startswith("2020"))
        assert kohyatpl("runs", "prune", "--keep", "0", "--unfinished", "--yes", "--project", root).code == 7
        dry = kohyatpl("runs", "prune", "--keep", "0", "--unfinished", "--dry-run", "--json", "--project", root)
        data = dry.envelope["data"]
        assert [removed["run_id"] for removed in data["removed"]] == ["20200101-000000-old"]
        assert data["kept"] == [{"name": run_dir.name, "because": "it is being trained"}]
        assert run_dir.is_dir()


def test_a_stopped_run_can_be_gone_on_with_after_a_pruning(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.05, max_train_steps=20)
    a_run(ProjectPaths(root), "20200101-000000-old")
    with live_run(root, "--name", "stopped") as run:
        eventually(lambda: bool(list(root.glob("log/*-stopped/events.jsonl"))), "the run's events")
        run.wait_for_step(3)
        run.send(signal.SIGTERM)
        assert run.finish().code == 143
    assert kohyatpl("runs", "prune", "--keep", "0", "--yes", "--project", root).code == 0
    (stopped,) = (path.name for path in (root / "log").iterdir())
    assert kohyatpl("run", root, "--resume").code == 0
    data = kohyatpl("runs", "show", "--json", "--project", root).envelope["data"]
    assert data["state"] == "finished"
    assert [parent["run_id"] for parent in data["lineage"]["parents"]] == [stopped]
    curves = kohyatpl("runs", "diff", "last", "last", "--json", "--project", root).envelope["data"]["curves"]
    assert curves["steps"] == [20, 20]  # those of the run before are counted in


def test_a_dead_run_is_settled_before(project: ProjectPaths) -> None:
    paths = a_run(project, "20260104-000000-r4", state="running")
    make_state(paths)
    done = kohyatpl("runs", "prune", "--keep", "0", "--yes", "--json", "--project", project.root_dir)
    assert done.code == 0
    assert done.problem["code"] == "run.settled.lost"
    assert left(project) == ["r4"]
    assert json.loads(paths.record_path.read_bytes())["state"] == "lost"


def test_a_lora_that_was_changed_is_named(project: ProjectPaths) -> None:
    (project.output_dir / "r1.safetensors").write_bytes(b"another")
    done = kohyatpl("runs", "prune", "--keep", "2", "--outputs", "--yes", "--json", "--project", project.root_dir)
    assert (done.code, done.problem["code"]) == (0, "project.prune.output")
    assert (left(project), "r1.safetensors" in loras(project)) == (["r2", "r3"], True)


def test_what_cannot_be_removed_is_an_error(project: ProjectPaths, tmp_path: Path) -> None:
    project.hidden_dir.mkdir(exist_ok=True)
    (project.hidden_dir / "trash").write_text("a file", encoding="utf-8")
    done = kohyatpl("runs", "prune", "--keep", "2", "--yes", "--json", "--project", project.root_dir)
    assert (done.code, done.problem["code"]) == (4, "project.prune.failed")
    assert left(project) == ["r1", "r2", "r3"]
    (project.hidden_dir / "trash").unlink()
    (project.hidden_dir / "trash").symlink_to(tmp_path)
    done = kohyatpl("runs", "prune", "--keep", "2", "--yes", "--json", "--project", project.root_dir)
    assert (done.code, done.problem["code"]) == (4, "project.prune.link")
    assert left(project) == ["r1", "r2", "r3"]
