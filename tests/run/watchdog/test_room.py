"""Room on the disks, while the training goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.run.watchdog import Finding
from tests.run.watchdog.watched import MB, Watched

# 40 steps, saved after 10, 20 and 30, and at the end.
SAVED = {"max_train_steps": 40, "save_every_n_steps": 10}


def known(run: Watched, *, file_mb: int = 10, state_mb: int = 30) -> Watched:
    """Returns the run after its first steps, when the sizes of its files have been seen."""
    run.tell("checkpoint", path="x", step=0, size_bytes=file_mb * MB)
    run.tell("state", step=0, epoch=1, batches=0, state_dir="s", error=None, size_bytes=state_mb * MB, seconds=0.1)
    return run


def codes(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.problem.code, finding.action) for finding in found]


def test_where_there_is_room_nothing_is_said(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"one": 500 * MB}))
    assert run.train(1, 40, step_s=2) == []


@pytest.mark.parametrize("disks", [["one"], ["output", "log"]])
def test_it_is_stopped_before_a_saving_that_does_not_fit(odd_path: Path, disks: list[str]) -> None:
    run = known(Watched(odd_path, SAVED, dict.fromkeys(disks, 500 * MB)))
    assert run.train(1, 12, step_s=10) == []
    run.rooms[disks[0]] = 8 * MB
    found = run.train(13, 19, step_s=10)
    assert codes(found) == [("run.disk.low", "tell"), ("run.disk", "stop")]
    assert [finding.problem.severity for finding in found] == ["warning", "error"]
    stop = found[1].problem
    assert stop.where == "output"
    for text in (str(run.output_dir), "8 MB left", "after step 20 takes 10 MB"):
        assert text in stop.message
    assert "kohyatpl run --resume" in stop.fix
    assert ("without a state" in stop.message) == (disks == ["one"])
    assert run.train(20, 30, step_s=10) == []  # asked once


def test_room_for_the_state_counts_before_a_saving(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"one": 500 * MB}))
    run.train(1, 2, step_s=10)
    run.rooms["one"] = 38 * MB  # the next file fits, the four of them with a state do not
    (stop,) = run.wait(4)
    assert (stop.problem.code, stop.action) == ("run.disk", "stop")
    assert "while one still fits" in stop.problem.message
    assert "38 MB left" in stop.problem.message


def test_a_disk_that_others_fill_stops_it_while_a_state_fits(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"output": 500 * MB, "log": 300 * MB}))
    run.train(1, 2, step_s=3)
    found: list[Finding] = []
    while not found and run.rooms["log"] > 0:
        run.rooms["log"] -= 6 * MB
        found = run.wait(3)
    assert codes(found) == [("run.disk", "stop")]
    assert run.rooms["log"] >= 31 * MB
    assert run.rooms["log"] < 110 * MB
    assert "log/20260101-000000-cats" in found[0].problem.message


def test_what_the_run_itself_writes_is_nobody_filling_the_disk(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"one": 95 * MB}))
    assert run.train(1, 10, step_s=3) == []
    for step in (10, 20, 30):
        run.rooms["one"] -= 10 * MB
        run.tell("checkpoint", path="x", step=step, size_bytes=10 * MB)
        assert run.train(step + 1, step + 10, step_s=3) == []


def test_a_training_that_fits_goes_on_without_room_for_a_state(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"output": 500 * MB, "log": 20 * MB}))
    found = run.train(1, 40, step_s=3)
    assert codes(found) == [("run.disk.low", "tell")]
    assert "would cost what was trained since the last state" in found[0].problem.message
    assert found[0].problem.where == "log/20260101-000000-cats"


def test_nothing_is_judged_while_something_is_being_written(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"one": 500 * MB}))
    run.train(1, 9, step_s=3)
    run.rooms["one"] = 1
    run.tell("phase", phase="saving")
    assert run.wait(30) == []
    run.tell("phase", phase="training")
    (run.paths.state_dir / "step00000009.partial").mkdir(parents=True)
    assert run.wait(30) == []
    (run.paths.state_dir / "step00000009.partial").rmdir()
    assert codes(run.wait(4)) == [("run.disk", "stop")]


def test_what_still_fits_in_all_is_saved_even_where_no_state_fits_beside_it(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"one": 500 * MB}))
    run.train(1, 31, step_s=10)
    run.rooms["one"] = 25 * MB  # for the last file, not for a state of 30 MB
    assert codes(run.train(32, 40, step_s=10)) == [("run.disk.low", "tell")]


def test_a_large_file_of_its_own_is_nobody_filling_the_disk(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"output": 900 * MB, "log": 90 * MB}))
    run.train(1, 5, step_s=3)
    run.rooms["log"] -= 40 * MB
    run.tell("state", step=5, state_dir="s", size_bytes=30 * MB)
    assert run.train(6, 9, step_s=3) == []


def test_a_disk_that_nobody_can_ask_is_no_fault(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED))
    assert run.train(1, 40, step_s=3) == []


def test_before_the_first_step_room_is_for_the_check_to_judge(tmp_path: Path) -> None:
    run = known(Watched(tmp_path, SAVED, {"one": 1}))
    assert run.wait(60) == []


def test_the_real_disks_are_asked_where_nothing_else_is_given(tmp_path: Path) -> None:
    from loratpl.plan.outputs import planned_files
    from loratpl.plan.planner import make_plan
    from loratpl.run.watchdog import Watchdog
    from tests.plan.made import squares

    run = Watched(tmp_path)
    plan = make_plan(squares(1), run.settings)
    dog = Watchdog(run.settings, plan, planned_files(run.settings, plan), run.paths)
    dog.event({"event": "checkpoint", "size_bytes": 10**18, "path": "x", "step": 0})
    dog.event({"event": "step", "time": 1.0, "step": 0, "loss": 0.1})
    assert ("run.disk", "stop") in codes(dog.look())
