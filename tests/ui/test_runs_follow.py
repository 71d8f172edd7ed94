"""`kohyatpl runs follow`: another process's run, watched from here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import COMMAND, Done, eventually, kohyatpl, live_run, members_of_group
from tests.stand_in import StandIn, make_trainable_project, oddest
from tests.terminal import in_terminal, screens, terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
ENDLESS = {"max_train_steps": 5000}


def started(*words: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "runs", "follow", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def done_of(child: subprocess.Popen[bytes]) -> Done:
    stdout, stderr = child.communicate(timeout=60)
    return Done(child.returncode, stdout.decode(), stderr.decode())


def events_of(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()[:-1]]


def test_programs_get_every_event_and_the_record_when_it_ends(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project", step_s=0.05, max_train_steps=20)
    with live_run(root) as run:
        run.wait_for_step(3)
        done = done_of(started("--project", root, "--json"))
        assert run.finish().code == 0
        kept = [json.loads(line) for line in (run.run_dir / "events.jsonl").read_text(encoding="utf-8").splitlines()]
        assert done.code == 0, done.stderr
        assert events_of(done) == kept[: len(events_of(done))]
        assert events_of(done)[-1]["event"] == "end"
        assert done.envelope["data"] == run.record
        assert done.envelope["command"] == "runs follow"
        assert done.stderr == ""


def test_a_person_gets_the_same_panel_in_a_second_terminal(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.1, max_train_steps=20)
    with terminal("run", root) as first:
        eventually(lambda: "2/20" in first.written, "the second step")
        code, written = in_terminal("runs", "follow", "--project", root)
        first_code, first_written = first.finish()
    assert (code, first_code) == (0, 0)
    for text in (written, first_written):
        rows = [line for screen in screens(text) for line in screen]
        assert any(line.startswith("│ step       1") and "/20" in line for line in rows)
    assert "The run has finished after step 20." in screens(written)[-1]
    assert "│" not in "".join(screens(written)[-1])


def test_ctrl_c_ends_the_following_and_not_the_run(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.05, **ENDLESS)
    with live_run(root) as run:
        run.wait_for_step(1)
        follower = started("--project", root, "--json")
        assert follower.stdout is not None
        follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        done = done_of(follower)
        seen = run.last_step
        eventually(lambda: run.last_step > seen, "the run goes on")
        assert run.popen.poll() is None
    assert done.code == 130
    assert done.problem["code"] == "run.follow.left"
    assert "The run itself goes on." in done.problem["message"]
    assert done.envelope["data"]["state"] == "running"


@pytest.mark.parametrize("what", ["stopped", "failed"])
def test_a_run_that_does_not_finish_is_an_error_of_those_who_wait_for_it(
    tmp_path: Path, stand_in: StandIn, what: str
) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.05, **ENDLESS)
    with live_run(root) as run:
        run.wait_for_step(2)
        follower = started("--project", root)
        assert follower.stderr is not None
        assert b"following" in follower.stderr.readline()
        if what == "stopped":
            run.send(signal.SIGTERM)
        else:
            os.killpg(run.trainer_pid, signal.SIGKILL)
        run.finish()
        done = done_of(follower)
        assert run.record["state"] == what
    assert done.code == 6
    assert f"error: The run {'was stopped' if what == 'stopped' else 'failed'} after step" in done.stderr
    if what == "failed":
        assert run.record["failure"]["cause"] in " ".join(done.stderr.split("\n"))


def test_a_run_whose_kohyatpl_was_killed_is_said_to_be_lost(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.05, **ENDLESS)
    with live_run(root) as run:
        run.wait_for_step(2)
        trainer = run.trainer_pid
        follower = started("--project", root, "--json")
        run.send(signal.SIGKILL)
        run.finish()
        done = done_of(follower)
        assert members_of_group(trainer) == []
    assert done.code == 6
    assert done.problem["code"] == "run.lost"
    assert "--resume" in done.problem["fix"]


def test_the_run_that_is_named_is_followed_and_what_ended_long_ago_is_told_at_once(
    tmp_path: Path, stand_in: StandIn
) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project")
    assert kohyatpl("run", root, "--name", "first").code == 0
    assert kohyatpl("run", root, "--name", "second", "--set", "output_name=other").code == 0
    assert kohyatpl("runs", "follow", "--project", root, "--json").envelope["data"]["run_id"].endswith("second")
    done = kohyatpl("runs", "follow", "first", "--project", root)
    assert done.code == 0
    assert done.stdout.startswith("The run has finished after step 6.\n  record  ")
    assert "-first" in done.stdout


def test_where_nothing_runs_it_says_so(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    assert kohyatpl("runs", "follow", "--project", root, "--json").problem["code"] == "usage.run.none"
    assert kohyatpl("run", root).code == 0
    done = kohyatpl("runs", "follow", "nothing", "--project", root, "--json")
    assert done.code == 2
    assert done.problem["code"] == "usage.run.unknown"
    assert kohyatpl("runs", "follow", "--project", tmp_path / "nowhere").code == 4


def test_a_record_that_is_damaged_is_a_problem(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    assert kohyatpl("run", root).code == 0
    (record,) = (root / "log").glob("*/run.json")
    record.write_text("{", encoding="utf-8")
    done = kohyatpl("runs", "follow", "--project", root, "--json")
    assert done.code == 4
    assert done.problem["code"] == "project.record.damaged"
