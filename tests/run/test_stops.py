"""Runs that are stopped, by real signals to real processes: nothing is lost and nothing is left behind."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.command_line import IGNORING, eventually, kohyatpl, live_run, members_of_group
from tests.stand_in import StandIn, make_trainable_project, oddest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
# Longer than any test waits: a run that ends by itself would prove nothing.
ENDLESS = {"max_train_steps": 5000}
PROMPTLY_S = 5.0


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_a_stop_finishes_the_step_and_saves_a_state(
    tmp_path: Path, stand_in: StandIn, number: signal.Signals, code: int
) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project", step_s=0.4, **ENDLESS)
    with live_run(root, "--json") as run:
        run.wait_for_step(1)
        seen = run.last_step
        run.send(number)
        done = run.finish()
        (stopped,) = run.events("stopped")
        assert members_of_group(run.trainer_pid) == []
        record, last_step, log = run.record, run.last_step, run.log
        state_dir = run.run_dir / "state" / f"step{last_step:08d}"
    assert done.code == code
    assert seen < last_step <= seen + 2
    assert stopped["step"] == record["last_step"] == last_step
    assert log.rstrip().endswith(f"[avr_loss={1 / last_step:.3g}]")
    assert record["state"] == "stopped"
    assert record["state_dir"] == stopped["state_dir"] == str(state_dir)
    assert (state_dir / "model.safetensors").is_file()
    assert [path.name for path in state_dir.parent.iterdir()] == [state_dir.name]
    assert done.problem["code"] == "run.stopped"
    assert f"after step {last_step} of 5000" in done.problem["message"]
    assert state_dir.relative_to(root.resolve()).as_posix() in done.problem["message"]
    assert done.problem["where"] == state_dir.parent.parent.relative_to(root.resolve()).as_posix()
    assert done.problem["fix"] == "`kohyatpl run --resume` goes on from its newest state."
    assert done.envelope["data"] == record


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_a_stop_before_the_training_leaves_at_once_with_nothing_saved(
    tmp_path: Path, stand_in: StandIn, number: signal.Signals, code: int
) -> None:
    root = make_trainable_project(tmp_path / "project", fault="hang-before-training")
    with live_run(root, "--json") as run:
        run.wait_for_log("Loading dataset config")
        run.send(number)
        done = run.finish(PROMPTLY_S)
        assert members_of_group(run.trainer_pid) == []
        record = run.record
        assert not (run.run_dir / "state").exists()
    assert done.code == code
    assert (record["state"], record["state_dir"], record["last_step"]) == ("stopped", None, 0)
    assert "after step 0 of 6. No state was saved." in done.problem["message"]


def test_a_person_is_told_what_a_stop_does(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.1, **ENDLESS)
    with live_run(root) as run:
        run.wait_for_step(2)
        run.send(signal.SIGINT)
        done = run.finish()
    assert "stopping after the step in progress, with a state saved; Ctrl-C again stops at once\n" in done.stderr
    assert "error: The training was stopped after step " in done.stderr
    assert "Its state is in log/" in done.stderr
    assert done.stdout == ""


def test_a_second_stop_ends_at_once(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=45, **ENDLESS)
    with live_run(root) as run:
        run.wait_for_log("running training")
        run.send(signal.SIGINT)
        time.sleep(0.5)
        assert run.popen.poll() is None
        run.send(signal.SIGINT)
        done = run.finish(PROMPTLY_S)
        assert members_of_group(run.trainer_pid) == []
        record = run.record
    assert done.code == 130
    assert (record["state"], record["state_dir"]) == ("stopped", None)
    assert "stopping now" in done.stderr


def test_two_stops_at_the_same_moment_are_a_stop_and_no_failure(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=45, **ENDLESS)
    with live_run(root, "--json") as run:
        run.wait_for_log("running training")
        run.send(signal.SIGINT, signal.SIGTERM)
        done = run.finish()
        assert run.record["state"] == "stopped"
    assert done.code == 130
    assert done.problem["code"] == "run.stopped"


def test_a_stop_that_comes_too_late_leaves_a_finished_training(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.3, fault="slow-save")
    with live_run(root) as run:
        run.wait_for_log("saving checkpoint")
        run.send(signal.SIGTERM)
        done = run.finish()
        assert run.record["state"] == "finished"
    assert done.code == 0
    assert "Trained 6 steps as planned." in done.stdout


def test_a_state_that_cannot_be_saved_is_told_with_its_reason(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.1, fault="state-fails", **ENDLESS)
    with live_run(root, "--json") as run:
        run.wait_for_step(1)
        run.send(signal.SIGTERM)
        done = run.finish()
        record = run.record
        assert list((run.run_dir / "state").iterdir()) == []
    assert done.code == 143
    assert (record["state"], record["state_dir"]) == ("stopped", None)
    assert "No state was saved" in done.problem["message"]
    assert "No space left on device" in done.problem["message"]


@pytest.mark.parametrize("number", IGNORING)
def test_a_run_that_was_started_to_ignore_a_signal_goes_on(
    tmp_path: Path, stand_in: StandIn, number: signal.Signals
) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.1)
    with live_run(root, before=IGNORING[number]) as run:
        run.wait_for_step(1)
        run.send(number)
        done = run.finish()
        assert run.record["state"] == "finished"
    assert done.code == 0, done.stderr


def test_a_trainer_whose_kohyatpl_was_killed_saves_its_state_and_leaves(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.2, **ENDLESS)
    with live_run(root) as run:
        run.wait_for_step(1)
        trainer = run.trainer_pid
        run.send(signal.SIGKILL)
        run.finish()
        eventually(lambda: members_of_group(trainer) == [], "the trainer left")
        assert (run.run_dir / "state" / f"step{run.last_step:08d}" / "model.safetensors").is_file()
        assert [event["step"] for event in run.events("stopped")] == [run.last_step]


def test_after_a_killed_run_the_next_one_can_start(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", fault="hang-before-training")
    with live_run(root) as run:
        run.wait_for_log("Loading dataset config")
        trainer = run.trainer_pid
        run.send(signal.SIGKILL)
        run.finish()
        eventually(lambda: members_of_group(trainer) == [], "the trainer left")
    env = {"STAND_IN": "", "STAND_IN_STEP_S": "0.01"}
    done = kohyatpl("run", root, "--set", f'kohyatpl={{"env": {str(env).replace(chr(39), chr(34))}}}')
    assert done.code == 0, done.stderr
    assert (root / "output" / "lora.safetensors").is_file()


def test_a_second_run_in_the_same_project_is_refused_while_the_first_is_live(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", fault="hang-before-training")
    with live_run(root) as run:
        run.wait_for_log("Loading dataset config")
        second = kohyatpl("run", root, "--json", "--set", "output_name=other")
        assert second.code == 7
        assert second.problem["code"] == "run.busy"
        assert "works on project right now" in second.problem["message"]
        assert second.problem["where"] == ".kohyatpl/lock"
        assert second.problem["fix"]
        assert run.popen.poll() is None
        assert list(run.log_dir.iterdir()) == [run.run_dir]


def test_reading_commands_work_while_a_run_is_live(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", fault="hang-before-training")
    with live_run(root) as run:
        run.wait_for_log("Loading dataset config")
        assert kohyatpl("config", "show", root).code == 0
        assert kohyatpl("render", root).code == 0
        assert run.popen.poll() is None
