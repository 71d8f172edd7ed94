"""What strikes a run, on the real trainer: the most telling rows of tests/benchmarks/faults_of_a_run.py."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.project import ProjectPaths
from tests.stand_in import oddest
from tests.trainer.conftest import RealTrainer, kohyatpl
from tests.trainer.live_trainings import STEPS_PER_EPOCH, LiveTraining, live_training, look, make_project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
EPOCHS = 3
UNCACHED = {"cache_latents": False}


def problem_of(live: LiveTraining) -> dict[str, Any]:
    """The only error of a run that was started with `--json`."""
    envelope = json.loads(live.said_path.read_text(encoding="utf-8").splitlines()[-1])
    (problem,) = (problem for problem in envelope["problems"] if problem["severity"] == "error")
    return dict(problem)


def records_of(project: ProjectPaths) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(project.log_dir.glob("*/run.json"))]


def test_a_trainer_whose_kohyatpl_was_killed_saves_leaves_and_is_gone_on_from(
    tmp_path: Path, trainer: RealTrainer
) -> None:
    project = make_project(oddest(tmp_path) / "project", trainer.model, epochs=EPOCHS)
    with live_training(project) as live:
        live.wait_for_step(STEPS_PER_EPOCH + 2)
        live.send(signal.SIGKILL, to="kohyatpl")
        assert live.finish() == -signal.SIGKILL
        assert live.wait_until_gone() == []
        left, last_step = look(project, live.run_dir), live.last_step
    assert left.whole == ("lora-000001.safetensors",)
    assert (left.cut, left.litter, left.state_fault) == ((), (), "")
    assert left.state_step == last_step
    assert STEPS_PER_EPOCH < last_step < EPOCHS * STEPS_PER_EPOCH
    done = kohyatpl("run", project.root_dir, "--resume")
    assert done.returncode == 0, done.stderr
    killed, resumed = records_of(project)
    assert killed["state"] == "stopped"
    assert (resumed["state"], resumed["parent"], resumed["start_step"]) == ("finished", killed["run_id"], last_step)
    assert resumed["outputs"][-1]["ss_steps"] == EPOCHS * STEPS_PER_EPOCH


def test_a_killed_trainer_leaves_its_last_state_and_no_worker_process(tmp_path: Path, trainer: RealTrainer) -> None:
    project = make_project(tmp_path / "project", trainer.model, epochs=EPOCHS)
    with live_training(project, "--json") as live:
        live.wait_for_step(STEPS_PER_EPOCH + 2)
        live.send(signal.SIGKILL, to="trainer")
        assert live.finish() == 6
        assert live.wait_until_gone() == []
        left, record = look(project, live.run_dir), live.record
    assert left.whole == ("lora-000001.safetensors",)
    assert (left.cut, left.litter, left.state_fault, left.state_step) == ((), (), "", STEPS_PER_EPOCH)
    assert record["state"] == "failed"
    assert Path(record["state_dir"]).name == f"step{STEPS_PER_EPOCH:08d}"
    assert "SIGKILL" in problem_of(live)["message"]


def test_a_loss_that_is_no_number_ends_the_training_at_that_step(tmp_path: Path, trainer: RealTrainer) -> None:
    project = make_project(tmp_path / "project", trainer.model, epochs=EPOCHS, learning_rate=1e10)
    with live_training(project, "--json") as live:
        assert live.finish() == 6
        (broken,) = live.events("broken")
        left, last_step = look(project, live.run_dir), live.last_step
    problem = problem_of(live)
    assert problem["code"] == "run.loss.nan"
    assert f"step {broken['step']}" in problem["message"]
    assert broken["step"] <= last_step + 1 < EPOCHS * STEPS_PER_EPOCH
    assert "learning_rate" in problem["fix"]
    assert "lora.safetensors" not in left.whole
    assert left.cut == ()


def test_a_picture_that_is_deleted_costs_no_step(tmp_path: Path, trainer: RealTrainer) -> None:
    project = make_project(tmp_path / "project", trainer.model, epochs=EPOCHS, **UNCACHED)
    picture = max(project.image_dir.glob("*_zwx dog/*.png"))
    with live_training(project, "--json") as live:
        live.wait_for_step(STEPS_PER_EPOCH + 2)
        picture.unlink()
        assert live.finish() == 6
        assert live.wait_until_gone() == []
        left, last_step, record = look(project, live.run_dir), live.last_step, live.record
    assert picture.name in problem_of(live)["message"]
    assert left.state_step == last_step == record["last_step"] >= STEPS_PER_EPOCH + 2
    assert left.state_fault == ""
    assert record["state"] == "failed"
