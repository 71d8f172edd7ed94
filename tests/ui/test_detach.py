"""`run --detach`: the terminal goes, the training stays."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Done, eventually, kohyatpl
from tests.stand_in import StandIn, make_trainable_project, oddest
from tests.terminal import terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


def record_of(root: Path) -> dict[str, Any]:
    (path,) = (root / "log").glob("*/run.json")
    return dict(json.loads(path.read_bytes()))


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


@contextmanager
def detached(root: Path, *options: str) -> Iterator[Done]:
    done = kohyatpl("run", root, "--detach", "--json", *options)
    try:
        yield done
    finally:
        pid = done.envelope["data"].get("pid")
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def test_it_returns_when_the_run_has_begun_and_the_run_goes_on(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(oddest(tmp_path) / "-project", step_s=0.2)
    with detached(root, "--set", "max_train_steps=8", "--name", "-odd name") as done:
        data = done.envelope["data"]
        assert done.code == 0
        assert record_of(root)["state"] == "running"
        assert is_alive(data["pid"])
        assert os.getsid(data["pid"]) == data["pid"]
        assert data["run_id"].endswith("--odd-name")
        eventually(lambda: record_of(root)["state"] == "finished", "the run ended")
        assert record_of(root)["last_step"] == 8
        eventually(lambda: not is_alive(data["pid"]), "it left")
        said = Path(data["output"]).read_text(encoding="utf-8").splitlines()
        assert json.loads(said[-1])["data"] == record_of(root)


def test_a_person_is_told_how_to_follow_and_to_stop_it(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.2, max_train_steps=5000)
    done = kohyatpl("run", root, "--detach")
    pid = int(done.stdout.partition("kill ")[2].split()[0])
    try:
        run_id = record_of(root)["run_id"]
        assert done.code == 0
        assert done.stdout.splitlines()[0] == f"Training goes on in the background: {run_id}, 5,000 steps."
        assert f"kohyatpl runs follow {run_id} --project {root.resolve()}" in done.stdout
    finally:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not is_alive(pid), "it stopped")
    record = record_of(root)
    assert record["state"] == "stopped"
    assert kohyatpl("runs", "follow", "--project", root).code == 6


def test_it_outlives_the_terminal_that_it_was_started_from(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.2, max_train_steps=10)
    with terminal("run", root, "--detach") as opened:
        code, written = opened.finish()
        opened.close()
    assert code == 0
    assert "Training goes on in the background" in written
    assert record_of(root)["state"] == "running"
    eventually(lambda: record_of(root)["state"] == "finished", "the run ended")


def test_a_stop_of_it_saves_a_state(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.1, max_train_steps=5000)
    with detached(root) as done:
        pid = done.envelope["data"]["pid"]
        events = next((root / "log").glob("*/events.jsonl"))
        eventually(lambda: b'"step"' in events.read_bytes(), "a step")
        os.kill(pid, signal.SIGHUP)  # as when a session ends: meant for others
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not is_alive(pid), "it stopped")
    record = record_of(root)
    said = Path(done.envelope["data"]["output"]).read_text(encoding="utf-8").splitlines()
    assert record["state"] == "stopped"
    assert json.loads(said[-1])["exit_code"] == 143
    assert record["state_dir"] is not None


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [(("--set", "lerning_rate=1"), 3, "config.key.unknown"), (("--dry-run",), 2, "usage.arguments")],
)
def test_what_keeps_a_run_from_beginning_is_told_as_in_the_foreground(
    tmp_path: Path, stand_in: StandIn, options: tuple[str, ...], code: int, problem: str
) -> None:
    root = make_trainable_project(tmp_path / "project")
    with detached(root, *options) as done:
        assert done.code == code
        assert done.problem["code"] == problem
    assert list((root / "log").iterdir()) == []
    shown = kohyatpl("run", root, "--detach", *options)
    assert shown.code == code
    assert "error: " in shown.stderr


def test_a_second_one_is_told_that_the_project_is_busy(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.2, max_train_steps=5000)
    with detached(root):
        second = kohyatpl("run", root, "--detach", "--json", "--set", "output_name=other")
        assert second.code == 7
        assert second.problem["code"] == "run.busy"


def test_what_earlier_ones_said_is_cleared_away(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    folder = root / ".kohyatpl" / "detached"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"20250101-000000-{number:06d}.jsonl").touch()
    with detached(root, "--set", "lerning_rate=1") as done:
        assert done.code == 3
    kept = sorted(path.name for path in folder.iterdir())
    assert len(kept) == 20
    assert kept[0] == "20250101-000000-000011.jsonl"
