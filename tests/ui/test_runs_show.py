"""`kohyatpl runs show`: a record in words."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from loratpl.project import ProjectPaths
from loratpl.ui.columns import width_of
from tests.command_line import kohyatpl
from tests.report.ledger.told import a_run, an_output, step_events
from tests.run.earlier_runs import make_state
from tests.stand_in import StandIn, make_trainable_project, oddest
from tests.terminal import in_terminal


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(make_trainable_project(tmp_path / "project"))


def test_a_real_run_in_words(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project")
    assert kohyatpl("run", root, "--set", "learning_rate=0.5").code == 0
    done = kohyatpl("runs", "show", "--project", root)
    assert (done.code, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    (run_dir,) = (root / "log").iterdir()
    record = json.loads((run_dir / "run.json").read_bytes())
    for piece in (
        f"{run_dir.name}: finished after step 6 of 6", "exit code 0", "ohwx cat: 2 pictures × 1 repeat",
        record["model_sha256"], record["pin"], "output/lora.safetensors:", record["outputs"][0]["sha256"][:12],
        "learning_rate: 0.5 (command line)", "network_dim: ", "platform", f"--from {run_dir.name} --name NEW`",
        f"log/{run_dir.name}/command.txt",
    ):  # fmt: skip
        assert piece in text
    data = kohyatpl("runs", "show", "last", "--json", "--project", root).envelope["data"]
    assert {key: data[key] for key in record} == record
    assert data["now"]["outputs"][0]["is_there"]
    assert data["lineage"] == {"parents": [], "children": [], "repeats": None, "repeated_by": []}


def test_a_run_with_a_history(project: ProjectPaths) -> None:
    a_run(project, "20260101-000000-a", state="lost", last_step=4)
    paths = a_run(
        project, "20260102-000000-b", state="stopped", parent="20260101-000000-a", start_step=2, last_step=4,
        failure={"cause": "The disk is full.", "fix": "Make room."}, events=step_events([0.5], first=4),
        problems=[{"code": "run.x", "severity": "warning", "where": "", "message": "The loss jumps.", "step": 3}],
        differences=[{"what": "settings", "key": "seed", "before": "1", "now": None}], returncode=75,
        git={"commit": "c" * 40, "is_dirty": True, "branch": "main"}, memory={"process_peak_bytes": 2_000_000_000},
    )  # fmt: skip
    folder = make_state(paths, is_exact=False, inexact_because="workers live on")
    a_run(project, "20260103-000000-c", parent="20260102-000000-b", start_step=4, repeats="20250101-000000-gone")
    text = " ".join(kohyatpl("runs", "show", "b", cwd=project.root_dir).stdout.split())
    for piece in (
        "stopped after step 4 of 6", "why The disk is full. Make room.", "exit code 75",
        "goes on from 20260101-000000-a, after step 2", "gone on by 20260103-000000-c, after step 4",
        "going on from it is not exact: workers live on", "warning after step 3: The loss jumps.",
        "seed: 1 in the run before, unset in this one", "cccccccccccc on main, with changes", "process 2.0 GB",
        "LoRA none was proven", "`kohyatpl run --from 20260102-000000-b`",
    ):  # fmt: skip
        assert piece in text
    (folder / "position.bin").unlink()
    assert "it cannot be gone on from: position.bin is missing." in kohyatpl(
        "runs", "show", "b", cwd=project.root_dir
    ).stdout.replace("\n                ", " ")
    text = kohyatpl("runs", "show", "c", cwd=project.root_dir).stdout
    assert "20250101-000000-gone (not there any more)" in text


def test_a_dead_run_is_lost_and_stays_as_it_is(project: ProjectPaths) -> None:
    paths = a_run(project, "20260101-000000-a", state="running", events=step_events([0.5]))
    before = paths.record_path.read_bytes()
    done = kohyatpl("runs", "show", cwd=project.root_dir)
    assert "lost after step 1 of 6" in done.stdout
    assert "the next `run` settles it" in " ".join(done.stdout.split())
    assert paths.record_path.read_bytes() == before


def test_outputs_and_configs_that_are_gone(project: ProjectPaths) -> None:
    output = project.output_dir / "a.safetensors"
    paths = a_run(project, "20260101-000000-a", outputs=[an_output(output)])
    output.unlink()
    paths.config_path.unlink()
    text = " ".join(kohyatpl("runs", "show", cwd=project.root_dir).stdout.split())
    assert "it is not there any more, or was changed" in text
    assert "config.json of this run is missing or damaged" in text


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("runs", "show", "frst"), 2, "usage.run.unknown"),
        (("runs", "show", "first"), 2, "usage.run.ambiguous"),
        (("runs", "show", "damaged"), 4, "project.record.damaged"),
        (("runs", "show", "newer"), 4, "project.record.newer"),
        (("runs", "show", "a", "b"), 2, "usage.arguments"),
    ],
)
def test_what_cannot_be_shown_is_told(project: ProjectPaths, words: tuple[str, ...], code: int, problem: str) -> None:
    for number in (1, 2):
        a_run(project, f"2026010{number}-000000-first")
    a_run(project, "20260103-000000-damaged").record_path.write_text("{}", encoding="utf-8")
    a_run(project, "20260104-000000-newer").record_path.write_text('{"schema_version": 99}', encoding="utf-8")
    done = kohyatpl(*words, "--json", cwd=project.root_dir)
    assert (done.code, done.problem["code"]) == (code, problem)


def test_a_project_without_runs_is_told(project: ProjectPaths) -> None:
    done = kohyatpl("runs", "show", "--json", cwd=project.root_dir)
    assert (done.code, done.problem["code"]) == (2, "usage.run.none")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("columns", [40, 80])
def test_lines_fit_the_terminal(project: ProjectPaths, columns: int) -> None:
    a_run(project, "20260101-000000-a", {"network_args": ["a=1"] * 40}, events=step_events([0.5]))
    code, written = in_terminal("runs", "show", "--project", os.fspath(project.root_dir), size=(columns, 24))
    assert code == 0
    assert max(map(width_of, written.replace("\r", "").splitlines())) <= columns
