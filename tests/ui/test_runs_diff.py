"""`kohyatpl runs diff`: two runs side by side."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from loratpl.project import ProjectPaths
from loratpl.ui.columns import width_of
from tests.command_line import kohyatpl
from tests.report.ledger.told import a_run, step_events
from tests.stand_in import StandIn, make_trainable_project, oddest, write_picture
from tests.terminal import in_terminal

A, B = "20260101-000000-a", "20260102-000000-b"


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(make_trainable_project(tmp_path / "project"))


def test_real_runs_that_differ(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project")
    assert kohyatpl("run", root, "--name", "a").code == 0
    write_picture(root / "image_dir" / "1_ohwx cat" / "3.png", 3)
    words = ("--set", "learning_rate=0.5", "--set", "output_name=second", "--set", "max_train_steps=9")
    assert kohyatpl("run", root, "--name", "b", *words).code == 0
    done = kohyatpl("runs", "diff", "a", "b", "--project", root)
    assert (done.code, done.stderr) == (0, "")
    for piece in (
        "  learning_rate: 0.0001 → 0.5\n", "  output_name: lora → second  (harmless)\n",
        "  image_dir/1_ohwx cat: 2 pictures → 3 pictures\n", "  total_steps: 6 → 9\n", "  A  █", "  B  █",
        "Over the 6 steps of both (1 to 6) the loss is the same to the last digit.",
    ):  # fmt: skip
        assert piece in done.stdout
    data = kohyatpl("runs", "diff", "a", "--json", "--project", root).envelope["data"]
    found = {one["key"]: one for one in data["differences"]}
    assert (found["learning_rate"]["now"], found["learning_rate"]["matters"]) == ("0.5", True)
    events = [
        json.loads(line) for line in next((root / "log").glob("*-b/events.jsonl")).read_text("utf-8").splitlines()
    ]
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert (data["curves"]["steps"], data["curves"]["shared_steps"]) == ([6, 9], 6)
    assert data["curves"]["sparks"][1] == pytest.approx(losses)
    assert data["curves"]["mean_distance"] == 0


def test_curves_that_differ_are_told(project: ProjectPaths) -> None:
    a_run(project, A, events=step_events([1.0, 0.5, 0.5]))
    a_run(project, B, events=step_events([1.0, 0.25, 0.25]))
    text = " ".join(kohyatpl("runs", "diff", "a", "b", cwd=project.root_dir).stdout.split())
    assert "B's loss is 0.1667 lower than A's on average; step by step they are 0.1667 apart." in text
    assert "0.5000 on average at the end" in text
    data = kohyatpl("runs", "diff", "a", "b", "--json", cwd=project.root_dir).envelope["data"]
    assert data["curves"]["mean_difference"] == pytest.approx(-0.5 / 3)
    assert data["curves"]["average_losses"] == [0.5, 0.25]


def test_runs_without_losses_or_shared_steps(project: ProjectPaths) -> None:
    a_run(project, A)
    a_run(project, B)
    done = kohyatpl("runs", "diff", "a", "b", cwd=project.root_dir)
    assert "Settings, dataset, base model, plan and environment are the same." in done.stdout
    assert "Loss: neither of them has told any." in done.stdout
    a_run(project, "20260103-000000-c", events=step_events([0.5]))
    done = kohyatpl("runs", "diff", "a", "c", cwd=project.root_dir)
    assert "no step was told" in done.stdout
    assert "They have no step in common." in done.stdout


def test_what_is_not_known_is_said(project: ProjectPaths) -> None:
    a_run(project, A, model_sha256="a" * 64)
    a_run(project, B)
    done = kohyatpl("runs", "diff", "a", "b", cwd=project.root_dir)
    assert "It is not known whether the base model owner/name is the same" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("a", "nothing"), 2, "usage.run.unknown"),
        (("a", "damaged"), 4, "project.record.damaged"),
        (("a", "bare"), 4, "project.record.config"),
        ((), 2, "usage.arguments"),
    ],
)
def test_what_cannot_be_compared_is_told(
    project: ProjectPaths, words: tuple[str, ...], code: int, problem: str
) -> None:
    a_run(project, A)
    a_run(project, "20260103-000000-damaged").record_path.write_text("{}", encoding="utf-8")
    a_run(project, "20260104-000000-bare").config_path.unlink()
    done = kohyatpl("runs", "diff", *words, "--json", cwd=project.root_dir)
    assert (done.code, done.problem["code"]) == (code, problem)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("columns", [40, 80])
def test_lines_fit_the_terminal(project: ProjectPaths, columns: int) -> None:
    a_run(project, A, {"network_args": ["x" * 50] * 9}, events=step_events([1.0 / n for n in range(1, 200)]))
    a_run(project, B, events=step_events([1.0 / n for n in range(1, 150)]))
    code, written = in_terminal("runs", "diff", "a", "b", "--project", str(project.root_dir), size=(columns, 24))
    assert code == 0
    assert max(map(width_of, written.replace("\r", "").splitlines())) <= columns


def test_plain_terminals_get_plain_curves(project: ProjectPaths) -> None:
    for run_id in (A, B):
        a_run(project, run_id, events=step_events([1.0, 0.5, 0.25]), seed=len(run_id))
    done = kohyatpl("runs", "diff", "a", "b", cwd=project.root_dir, env={"PYTHONIOENCODING": "ascii"})
    assert "  A  #" in done.stdout
    assert done.stdout.isascii()


def test_two_hundred_thousand_steps_are_compared_in_a_moment(project: ProjectPaths) -> None:
    line = (
        '{{"event": "step", "time": 1795382700.973, "step": {0}, "loss": 0.{0:017}, "average_loss": 0.1, '
        '"lr": {{"unet": 0.001}}}}\n'
    )
    for run_id in (A, B):
        text = "".join(line.format(number) for number in range(1, 100_001))
        a_run(project, run_id).events_path.write_text(text, encoding="utf-8")
    began = time.perf_counter()
    done = kohyatpl("runs", "diff", "a", "b", cwd=project.root_dir)
    assert done.code == 0
    assert "Over the 100,000 steps of both" in done.stdout
    assert time.perf_counter() - began < 10  # under 1 s of processor time here
