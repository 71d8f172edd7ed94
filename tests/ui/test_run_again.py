"""`run --resume`, `--from`, `--force`, `--overwrite` and `--dry-run`, with real processes and the stand-in trainer."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.weights import read_weights_file
from tests.command_line import Done, eventually, kohyatpl, live_run, members_of_group
from tests.stand_in import StandIn, make_trainable_project, oddest, write_picture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
STEPS = 20


def project_of(root: Path, step_s: float = 0.05, **changes: Any) -> Path:
    return make_trainable_project(root, step_s=step_s, **{"max_train_steps": STEPS, **changes})


def stopped_at(root: Path, step: int, *arguments: str) -> dict[str, Any]:
    """Returns the record of a run that was stopped by Ctrl-C after about that step."""
    before = runs_in(root)
    with live_run(root, *arguments, "--json") as run:
        run.log_dir.mkdir(exist_ok=True)
        eventually(lambda: bool(runs_in(root) - before), "a new run")
        (run_id,) = runs_in(root) - before
        eventually(lambda: last_step(root, run_id) >= step, f"step {step}")
        run.send(signal.SIGINT)
        assert run.finish().code == 130
    return record_of(root, run_id)


def runs_in(root: Path) -> set[str]:
    return {path.parent.name for path in (root / "log").glob("*/run.json")}


def record_of(root: Path, run_id: str) -> dict[str, Any]:
    return dict(json.loads((root / "log" / run_id / "run.json").read_bytes()))


def last_step(root: Path, run_id: str) -> int:
    return max((event["step"] for event in events_of(root, run_id, "step")), default=0)


def events_of(root: Path, run_id: str, kind: str) -> list[dict[str, Any]]:
    path = root / "log" / run_id / "events.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def trained(path: Path) -> tuple[str, str | None]:
    """Returns what tells one training of the stand-in from another, and the steps that the file names."""
    metadata = read_weights_file(path).metadata
    return metadata["stand_in_weight"], metadata.get("ss_steps")


def changed(root: Path, **values: Any) -> None:
    path = root / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def tree(root: Path) -> dict[str, int]:
    return {path.relative_to(root).as_posix(): path.lstat().st_mtime_ns for path in root.rglob("*")}


def codes(done: Done) -> set[str]:
    return {problem["code"] for problem in done.problems}


# --- going on


def test_a_resumed_run_ends_as_if_there_had_been_no_stop(tmp_path: Path, stand_in: StandIn) -> None:
    whole = project_of(tmp_path / "whole", step_s=0)
    assert kohyatpl("run", whole, "--json").code == 0
    root = project_of(oddest(tmp_path) / "project")
    first = stopped_at(root, 4)
    assert first["state"] == "stopped"
    assert first["last_step"] < STEPS
    assert Path(first["state_dir"]).name == f"step{first['last_step']:08d}"
    done = kohyatpl("run", root, "--resume", "--json")
    assert done.code == 0, done.stdout
    record = done.envelope["data"]
    assert (record["parent"], record["start_step"]) == (first["run_id"], first["last_step"])
    assert record["state"] == "finished"
    steps = [event["step"] for event in events_of(root, record["run_id"], "step")]
    assert steps == list(range(first["last_step"] + 1, STEPS + 1))
    assert trained(root / "output" / "lora.safetensors") == trained(whole / "output" / "lora.safetensors")
    assert trained(root / "output" / "lora.safetensors")[1] == str(STEPS)
    assert not list((root / "log" / record["run_id"]).glob("state/*"))


def test_a_run_may_be_stopped_again_and_again(tmp_path: Path, stand_in: StandIn) -> None:
    whole = project_of(tmp_path / "whole", step_s=0)
    assert kohyatpl("run", whole).code == 0
    root = project_of(tmp_path / "project")
    records = [stopped_at(root, 3)]
    for _ in range(2):
        records.append(stopped_at(root, records[-1]["last_step"] + 2, "--resume"))
    assert [record["parent"] for record in records] == [None, records[0]["run_id"], records[1]["run_id"]]
    assert kohyatpl("run", root, "--resume").code == 0
    assert trained(root / "output" / "lora.safetensors") == trained(whole / "output" / "lora.safetensors")
    again = kohyatpl("run", root, "--resume", "--json")
    assert (again.code, again.problem["code"]) == (2, "usage.resume.none")


def test_what_the_stopped_run_had_written_is_no_earlier_lora(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(tmp_path / "project", save_every_n_steps=2, save_every_n_epochs=None)
    first = stopped_at(root, 5)
    assert (root / "output" / "lora-step00000004.safetensors").is_file()
    done = kohyatpl("run", root, "--resume", "--json")
    assert done.code == 0
    assert "project.output.exists" not in codes(done)
    names = [Path(output["path"]).name for output in done.envelope["data"]["outputs"]]
    assert names == [*(f"lora-step{step:08d}.safetensors" for step in range(2, STEPS + 1, 2)), "lora.safetensors"]
    assert first["last_step"] >= 5


def test_settings_of_the_command_line_are_remembered(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(tmp_path / "project")
    stopped_at(root, 3, "--set", "output_name=other", "--set", "wandb_api_key=secret-key")
    done = kohyatpl("run", root, "--resume", "--json")
    assert done.code == 0
    assert done.envelope["data"]["overrides"] == {"output_name": "other"}
    assert (root / "output" / "other.safetensors").is_file()
    assert not any(b"secret-key" in path.read_bytes() for path in (root / "log").rglob("*") if path.is_file())


# --- what differs


@pytest.mark.parametrize(
    ("what", "named"),
    [("network", "network_dim was 16 and is 8"), ("picture", "3 pictures"), ("content", "pictures and captions of")],
)
def test_what_differs_is_refused_unless_it_is_forced(tmp_path: Path, stand_in: StandIn, what: str, named: str) -> None:
    root = project_of(tmp_path / "project", network_dim=16)
    first = stopped_at(root, 3)
    folder = root / "image_dir" / "1_ohwx cat"
    if what == "network":
        changed(root, network_dim=8)
    elif what == "picture":
        write_picture(folder / "3.png", 3)
    else:
        write_picture(folder / "2.png", 9)
    refused = kohyatpl("run", root, "--resume", "--json")
    assert refused.code == 6
    if what == "picture":  # another plan: its steps are not those of the state
        assert refused.problem["code"] == "run.resume.position"
        return
    assert refused.problem["code"] == "run.resume.differs"
    assert named in refused.problem["message"]
    assert "--force" in refused.problem["fix"]
    assert runs_in(root) == {first["run_id"]}
    forced = kohyatpl("run", root, "--resume", "--force", "--json")
    assert forced.code == 0
    assert "run.resume.differs" in codes(forced)
    assert forced.envelope["data"]["differences"]


def test_force_is_for_going_on(tmp_path: Path, stand_in: StandIn) -> None:
    done = kohyatpl("run", project_of(tmp_path / "project"), "--force", "--json")
    assert (done.code, done.problem["code"]) == (2, "usage.arguments")


def test_a_damaged_state_is_not_gone_on_with(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(tmp_path / "project")
    first = stopped_at(root, 3)
    weights = Path(first["state_dir"]) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    done = kohyatpl("run", root, "--resume", "--json")
    assert (done.code, done.problem["code"]) == (6, "run.state.damaged")


# --- a kohyatpl that was killed


def test_a_killed_kohyatpl_leaves_a_state_and_no_process(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(tmp_path / "project", step_s=0.5)
    with live_run(root) as run:
        run.wait_for_step(1)
        run.send(signal.SIGKILL)
        run.popen.wait()
        run_id = run.run_dir.name
        eventually(lambda: not members_of_group(run.trainer_pid), "the trainer has left")
    assert record_of(root, run_id)["state"] == "running"
    done = kohyatpl("run", root, "--resume", "--json", "--set", "kohyatpl.env.STAND_IN_STEP_S=0")
    assert done.code == 0
    assert "run.settled.stopped" in codes(done)
    settled = record_of(root, run_id)
    assert settled["state"] == "stopped"
    assert 1 <= settled["last_step"] < STEPS
    parent, start_step = done.envelope["data"]["parent"], done.envelope["data"]["start_step"]
    assert (parent, start_step) == (run_id, settled["last_step"])


def test_a_run_of_which_everything_was_killed_is_lost_and_goes_on_from_its_last_state(
    tmp_path: Path, stand_in: StandIn
) -> None:
    root = project_of(tmp_path / "project", step_s=0.2, kohyatpl={"run": {"save_state_every": "1 epochs"}})
    with live_run(root) as run:
        run.wait_for_step(5)
        run.send(signal.SIGKILL)
        os.killpg(run.trainer_pid, signal.SIGKILL)
        run.popen.wait()
        eventually(lambda: not members_of_group(run.trainer_pid), "nothing is left")
        run_id, seen = run.run_dir.name, run.last_step
    done = kohyatpl("run", root, "--resume", "--json")
    assert done.code == 0, done.stdout
    assert "run.settled.lost" in codes(done)
    lost = record_of(root, run_id)
    assert (lost["state"], lost["last_step"]) == ("lost", seen)
    assert seen - 2 <= done.envelope["data"]["start_step"] <= seen


# --- once more


def test_a_run_is_repeated_from_its_record(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(tmp_path / "project", step_s=0)
    first = kohyatpl("run", root, "--set", "network_dim=4", "--json").envelope["data"]
    finished = kohyatpl("run", root, "--from", "last", "--json")
    assert (finished.code, finished.problem["code"]) == (2, "usage.resume.finished")
    changed(root, network_dim=64, max_train_steps=2)
    again = kohyatpl("run", root, "--from", first["run_id"], "--name", "again", "--json")
    assert again.code == 0, again.stdout
    record = again.envelope["data"]
    assert record["repeats"] == first["run_id"]
    # Where a setting came from then, not the run's config that it is read from now.
    assert {**record["sources"], "output_name": "config.json"} == first["sources"]
    assert (record["sources"]["network_dim"], record["sources"]["output_name"]) == ("command line", "command line")
    assert record["run_id"].endswith("-again")
    assert trained(root / "output" / "again.safetensors") == trained(root / "output" / "lora.safetensors")
    write_picture(root / "image_dir" / "1_ohwx cat" / "1.png", 5)
    other = kohyatpl("run", root, "--from", first["run_id"], "--name", "third", "--json")
    assert other.code == 0
    assert "run.repeat.differs" in codes(other)


@pytest.mark.parametrize(("text", "code"), [("nothing like it", "usage.run.unknown")])
def test_a_run_that_is_not_there_is_refused(tmp_path: Path, stand_in: StandIn, text: str, code: str) -> None:
    root = project_of(tmp_path / "project", step_s=0)
    none = kohyatpl("run", root, "--from", text, "--json")
    assert (none.code, none.problem["code"]) == (2, "usage.run.none")
    assert kohyatpl("run", root).code == 0
    unknown = kohyatpl("run", root, "--from", text, "--json")
    assert (unknown.code, unknown.problem["code"]) == (2, code)


def test_an_earlier_lora_is_written_over_only_when_told_to(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(tmp_path / "project", step_s=0)
    assert kohyatpl("run", root).code == 0
    before = (root / "output" / "lora.safetensors").read_bytes()
    refused = kohyatpl("run", root, "--set", "seed=7", "--json")
    assert refused.code == 4
    assert "project.output.exists" in codes(refused)
    assert (root / "output" / "lora.safetensors").read_bytes() == before
    assert kohyatpl("run", root, "--set", "seed=7", "--overwrite", "--json").code == 0


# --- dry runs


def test_a_dry_run_shows_what_would_be_started_and_writes_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(oddest(tmp_path) / "project", step_s=0)
    assert kohyatpl("check", root).code == 0
    before = tree(root)
    done = kohyatpl("run", root, "--dry-run", "--json")
    assert done.code == 0
    data = done.envelope["data"]
    assert data["plan"]["total_steps"] == STEPS
    assert [Path(path).name for path in data["outputs"]] == ["lora.safetensors"]
    assert data["argv"][-1].endswith("dataset.toml")
    text = kohyatpl("run", root, "--dry-run")
    assert f"would train {STEPS} steps" in text.stdout
    assert tree(root) == before


def test_a_dry_resume_says_where_it_would_go_on(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(tmp_path / "project")
    first = stopped_at(root, 3)
    done = kohyatpl("run", root, "--resume", "--dry-run", "--json")
    assert (done.envelope["data"]["start_step"], done.envelope["data"]["parent"]) == (
        first["last_step"],
        first["run_id"],
    )
    assert "--go-on-from" in done.envelope["data"]["argv"]
    refused = kohyatpl("run", root, "--dry-run", "--detach", "--json")
    assert (refused.code, refused.problem["code"]) == (2, "usage.arguments")


# --- what a kill at a bad moment leaves


@pytest.mark.parametrize(("age_s", "code"), [(0.0, 0), (3600.0, 4)])
def test_a_checkpoint_whose_step_was_never_told_is_of_this_training(
    tmp_path: Path, stand_in: StandIn, age_s: float, code: int
) -> None:
    root = project_of(tmp_path / "project", save_every_n_steps=5, save_every_n_epochs=None)
    stopped_at(root, 6)
    early = root / "output" / f"lora-step{STEPS:08d}.safetensors"
    early.write_bytes((root / "output" / "lora-step00000005.safetensors").read_bytes())
    os.utime(early, (early.stat().st_mtime - age_s,) * 2)
    done = kohyatpl("run", root, "--resume", "--json")
    assert done.code == code, done.stdout
    assert ("project.output.exists" in codes(done)) == bool(code)


def test_a_checkpoint_that_somebody_took_away_is_missed(tmp_path: Path, stand_in: StandIn) -> None:
    root = project_of(tmp_path / "project", save_every_n_steps=5, save_every_n_epochs=None)
    with live_run(root, "--json") as run:
        run.wait_for_step(7)
        (root / "output" / "lora-step00000005.safetensors").unlink()
        done = run.finish()
    assert done.code == 0
    (problem,) = (problem for problem in done.problems if problem["code"] == "run.output.missing")
    assert problem["severity"] == "warning"
    assert "after step 5" in problem["message"]
