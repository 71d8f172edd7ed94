"""Whole runs with the stand-in trainer: what each kind of end leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import ProjectError, RunError
from loratpl.project import open_project
from loratpl.records import RunRecord, read_record
from loratpl.render.prepare import prepare
from loratpl.run.beginning import RunOptions
from loratpl.run.runner import RunResult, start_run
from loratpl.run.watch import Step, Unwatched, Watcher
from loratpl.trainer.environment import locked_versions
from loratpl.trainer.pin import ENVIRONMENT_LOCK_PATH, load_pin
from tests.command_line import Done, kohyatpl, live_run, members_of_group
from tests.stand_in import StandIn, make_trainable_project, oddest


def train(root: Path, stand_in: StandIn, watcher: Watcher | None = None, **options: Any) -> RunResult:
    prepared = prepare(open_project(root))
    return start_run(prepared, stand_in.status, load_pin(), watcher or Unwatched(), RunOptions(**options))


def only_record(root: Path) -> RunRecord:
    (path,) = (root / "log").glob("*/run.json")
    return read_record(path)


# --- a run that ends well


def test_a_run_ends_with_a_proven_lora(odd_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(odd_path / "project")
    result = train(root, stand_in)
    record = read_record(result.paths.record_path)
    assert record == result.record
    assert record.state == "finished"
    assert record.last_step == 6
    assert [output.ss_steps for output in record.outputs] == [6]
    assert (root / "output" / "lora.safetensors").is_file()
    assert "running training" in result.paths.trainer_log_path.read_text(encoding="utf-8")


def test_the_record_says_what_was_trained_with_what(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", seed=7)
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    record = train(root, stand_in).record
    model = tmp_path / "model.safetensors"
    assert record.pin == load_pin().commit
    assert record.model == str(model)
    assert record.model_sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert record.seed == 7
    assert set(record.sources) | {"kohyatpl"} == set(
        json.loads(Path(root / "log" / record.run_id / "config.json").read_bytes())
    )
    assert (record.sources["seed"], record.sources["network_dim"]) == ("config.json", "default")
    assert record.argv[0] == str(stand_in.paths.python_path)
    assert record.env["STAND_IN_STEP_S"] == "0.01"
    assert record.plan["total_steps"] == 6
    (concept,) = record.concepts
    assert (concept.folder, concept.images, concept.repeats, concept.is_reg) == ("1_ohwx cat", 2, 1, False)
    assert re.fullmatch("[0-9a-f]{64}", str(concept.content_sha256))
    (output,) = record.outputs
    assert output.sha256 == hashlib.sha256(Path(output.path).read_bytes()).hexdigest()
    assert record.returncode == 0
    assert record.ended_at is not None
    assert before <= datetime.fromisoformat(record.started_at) <= datetime.fromisoformat(record.ended_at)


@pytest.mark.parametrize("key", ["caption_extension", "caption_extention"])
def test_the_captions_that_are_trained_are_the_ones_in_the_fingerprint(
    tmp_path: Path, stand_in: StandIn, key: str
) -> None:
    hashes = []
    for caption in ("sitting", "standing"):
        root = make_trainable_project(tmp_path / caption / "project", **{key: ".caption"})
        (root / "image_dir" / "1_ohwx cat" / "1.caption").write_text(caption, encoding="utf-8")
        hashes.append(train(root, stand_in).record.concepts[0].content_sha256)
    assert hashes[0] != hashes[1]


def test_everything_about_a_run_is_kept_in_its_folder(tmp_path: Path, stand_in: StandIn) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project")
    paths = train(root, stand_in).paths
    assert {path.name for path in paths.run_dir.iterdir()} == {
        "run.json", "config.json", "train.toml", "dataset.toml", "command.txt", "trainer.log", "events.jsonl",
        "verdict.json",
    }  # fmt: skip
    assert re.fullmatch(r"\d{8}-\d{6}-lora", paths.run_id)
    assert paths.run_dir.parent == root.resolve() / "log"


@dataclass
class Notebook(Unwatched):
    """A watcher that writes down what it is told."""

    told: list[str | Step] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def phase(self, name: str) -> None:
        self.told.append(name)

    def step(self, step: Step) -> None:
        self.told.append(step)

    def note(self, text: str) -> None:
        self.told.append(text)

    def event(self, event: Mapping[str, Any]) -> None:
        self.events.append(event)


def test_whoever_watches_is_told_everything_in_order(tmp_path: Path, stand_in: StandIn) -> None:
    notebook = Notebook()
    paths = train(make_trainable_project(tmp_path / "project", step_s=0.05), stand_in, notebook).paths
    assert notebook.told == [
        "starting the trainer",
        "reading pictures and captions",
        "training",
        *(Step(number, 6, 1 / number, 1 / number) for number in range(1, 7)),
        "saving",
        "looking at what came out",
    ]
    kept = [json.loads(line) for line in paths.events_path.read_text(encoding="utf-8").splitlines()]
    assert list(notebook.events) == kept
    assert [event["event"] for event in kept if event["event"] not in ("phase", "step")] == [
        "run", "training", "memory", "epoch", "epoch", "epoch", "memory", "checkpoint", "end",
    ]  # fmt: skip


def test_samples_are_told_with_step_and_prompt_and_the_prompts_are_kept(tmp_path: Path, stand_in: StandIn) -> None:
    notebook = Notebook()
    sampling = {"sample_prompts": "prompts.txt", "sample_every_n_steps": 2, "fault_step": 6}
    root = make_trainable_project(oddest(tmp_path) / "project", fault="error-in-samples", **sampling)
    (root / "prompts.txt").write_text("a cat --d 7\na dog\n", encoding="utf-8")
    with pytest.raises(RunError):
        train(root, stand_in, notebook)
    samples = [(event["step"], event["prompt"]) for event in notebook.events if event["event"] == "sample"]
    assert samples == [(2, 0), (2, 1), (4, 0), (4, 1), (6, 0)]  # the last one was drawn before the trainer failed
    (copy,) = (root / "log").glob("*/sample_prompts.txt")
    assert copy.read_bytes() == (root / "prompts.txt").read_bytes()


def test_a_loss_that_is_no_number_ends_the_training_at_once(tmp_path: Path, stand_in: StandIn) -> None:
    notebook = Notebook()
    root = make_trainable_project(tmp_path / "project", fault="nan-loss", fault_step=4, max_train_steps=500)
    with pytest.raises(RunError) as caught:
        train(root, stand_in, notebook)
    (problem,) = caught.value.problems
    assert problem.code == "run.loss.nan"
    assert "step 4" in problem.message
    assert "learning_rate" in problem.fix
    record = only_record(root)
    assert (record.state, record.last_step, record.returncode) == ("failed", 4, 76)
    assert record.failure is not None
    assert record.failure.cause == problem.message
    assert not (root / "output" / "lora.safetensors").exists()
    (broken,) = (event for event in notebook.events if event["event"] == "broken")
    assert (broken["step"], broken["value"], broken["state_dir"]) == (4, "nan", None)


def test_checkpoints_are_proven_too(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", save_every_n_steps=2, save_every_n_epochs=None)
    record = train(root, stand_in).record
    assert [(Path(output.path).name, output.ss_steps) for output in record.outputs] == [
        ("lora-step00000002.safetensors", 2),
        ("lora-step00000004.safetensors", 4),
        ("lora-step00000006.safetensors", 6),
        ("lora.safetensors", 6),
    ]


@pytest.mark.parametrize(
    ("name", "ends_with"),
    [("first try", "-first-try"), ("a/b:c", "-a-b-c"), ("日本", "-日本"), ("x" * 300, "-" + "x" * 80)],
)
def test_a_name_ends_the_id_of_the_run(tmp_path: Path, stand_in: StandIn, name: str, ends_with: str) -> None:
    assert train(make_trainable_project(tmp_path / "project"), stand_in, name=name).paths.run_id.endswith(ends_with)


def test_two_runs_within_a_second_have_a_folder_each(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    now = datetime.now().astimezone()
    for second in range(10):
        taken = root / "log" / f"{now + timedelta(seconds=second):%Y%m%d-%H%M%S}-lora"
        taken.mkdir()
        (taken / "mine").touch()
    assert re.fullmatch(r"\d{8}-\d{6}-lora-2", train(root, stand_in).paths.run_id)


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that lists two GPUs."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nfor _ in 1 2; do echo 'NVIDIA A100, 40960, 8.0'; done\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("processes", "launcher"), [(1, []), (2, ["-m", "accelerate.commands.launch", "--multi_gpu"])])
def test_only_several_processes_are_started_through_accelerate(
    tmp_path: Path, stand_in: StandIn, processes: int, launcher: list[str]
) -> None:
    block = {"launch": {"processes": processes}}
    root = make_trainable_project(tmp_path / "project", kohyatpl=block, mixed_precision="fp16")
    data = kohyatpl("render", root, "--json").envelope["data"]
    entry = next(index for index, word in enumerate(data["argv"]) if word.endswith("entry.py"))
    python, *before = data["argv"][:entry]
    assert python == str(stand_in.paths.python_path)
    assert before[:3] == launcher
    given = dict(pairwise(before[3:]))
    assert given.get("--num_processes") == ("2" if launcher else None)
    assert given.get("--mixed_precision") == ("fp16" if launcher else None)
    # accelerate sets these for the processes that it launches; for the one that we start we do.
    assert data["env"].get("ACCELERATE_MIXED_PRECISION") == (None if launcher else "fp16")
    assert data["argv"][entry + 1] == "--events"


# --- a run that fails


def run_with(fault: str, root: Path, **changes: Any) -> Done:
    project = make_trainable_project(root, fault=fault, **changes)
    return kohyatpl("run", project, "--json")


@pytest.mark.parametrize(
    ("fault", "codes", "says"),
    [
        ("no-data", ["run.output.missing"], "No data found. Please verify arguments"),
        ("error", ["run.trainer.failed"], "ValueError: bad dimension 7"),
        ("argparse", ["run.trainer.arguments"], "unrecognized arguments: --foo"),
        ("killed", ["run.killed"], "ended from outside (SIGKILL)"),
        ("silent", ["run.silent_end"], "without a word (exit 3)"),
        ("half", ["run.steps", "run.output.steps"], "did 3 steps; 6 were planned"),
        ("no-output", ["run.output.missing"], "after step 6 of 6; there is no lora.safetensors"),
        ("nan", ["run.output.nan"], "lora.safetensors has NaN or infinite values in 1 tensors"),
        ("untrained", ["run.output.untrained"], "Nothing in lora.safetensors was changed by the training"),
        ("wrong-steps", ["run.output.steps"], "lora.safetensors says it was trained for 3 steps; 6 were planned"),
        ("cut", ["run.output.damaged"], "lora.safetensors is cut: 3 bytes are missing"),
        ("infinite-checkpoint", ["run.output.nan"] * 3, "lora-step00000002.safetensors has NaN or infinite values"),
    ],
)
def test_what_goes_wrong_is_told_and_recorded(
    tmp_path: Path, stand_in: StandIn, fault: str, codes: list[str], says: str
) -> None:
    changes = {"save_every_n_steps": 2, "save_every_n_epochs": None} if fault == "infinite-checkpoint" else {}
    done = run_with(fault, tmp_path / "project", **changes)
    assert done.code == 6
    assert [problem["code"] for problem in done.problems] == codes
    assert says in done.problems[0]["message"]
    assert all(problem["fix"] for problem in done.problems)
    record = only_record(tmp_path / "project")
    assert record.state == "failed"
    assert record.failure is not None
    assert says in record.failure.cause
    assert record.failure.fix
    assert record.ended_at is not None
    assert done.envelope["data"] == record.model_dump()


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        ("error", r"log/\d{8}-\d{6}-lora/trainer\.log"),
        ("no-output", r"output/lora\.safetensors"),
        ("cut", r"output/lora\.safetensors"),
        ("nan", r"output/lora\.safetensors"),
        ("half", r"output/lora\.safetensors"),
    ],
)
def test_a_problem_of_a_run_names_its_place_relative_to_the_project(
    tmp_path: Path, stand_in: StandIn, fault: str, where: str
) -> None:
    for problem in run_with(fault, oddest(tmp_path) / "project").problems:
        assert re.fullmatch(where, problem["where"])


@pytest.mark.parametrize("fault", ["error", "no-data", "no-output"])
def test_a_failure_names_the_log_that_says_more(tmp_path: Path, stand_in: StandIn, fault: str) -> None:
    done = run_with(fault, tmp_path / "project")
    (log,) = (tmp_path / "project" / "log").glob("*/trainer.log")
    assert log.relative_to(tmp_path / "project").as_posix() in done.problem["fix"]


def test_a_failure_says_how_far_the_training_came(tmp_path: Path, stand_in: StandIn) -> None:
    assert "while reading pictures and captions, after step 0" in run_with("error", tmp_path / "p").problem["message"]


def test_the_exit_code_of_the_trainer_is_recorded(tmp_path: Path, stand_in: StandIn) -> None:
    for fault, code in (("silent", 3), ("killed", -9), ("no-output", 0)):
        root = make_trainable_project(tmp_path / fault, fault=fault)
        with pytest.raises(RunError):
            train(root, stand_in)
        assert only_record(root).returncode == code


def test_a_lora_that_cannot_be_proven_is_a_warning(tmp_path: Path, stand_in: StandIn) -> None:
    done = run_with("", tmp_path / "project", save_model_as="ckpt")
    assert done.code == 0
    assert done.problem["code"] == "run.output.unproven"
    assert only_record(tmp_path / "project").state == "finished"


def test_what_a_process_left_behind_by_the_trainer_holds_does_not_hold_the_run(
    tmp_path: Path, stand_in: StandIn
) -> None:
    root = make_trainable_project(tmp_path / "project", fault="orphan")
    with live_run(root) as run:
        done = run.finish()
        assert done.code == 0, done.stderr
        assert members_of_group(run.trainer_pid) == []
    assert only_record(root).state == "finished"


WITH_SMALL_FILES = """
import os, resource, sys
size_bytes = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files stands in for a full disk")
def test_a_log_that_cannot_be_kept_does_not_end_the_training(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", fault="chatty")
    with live_run(root, before=(sys.executable, "-c", WITH_SMALL_FILES, "50000")) as run:
        done = run.finish()
    assert done.code == 0, done.stderr
    assert "The trainer's log could not be kept to its end: File too large." in done.stderr
    log = next((root / "log").glob("*/trainer.log")).read_bytes()
    assert len(log) == 50_000
    assert log.startswith(b"pid ")


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files stands in for a full disk")
@pytest.mark.parametrize("moment", ["the beginning", "the end"])
def test_a_record_that_cannot_be_written_is_named(tmp_path: Path, stand_in: StandIn, moment: str) -> None:
    measured = train(make_trainable_project(tmp_path / "project1"), stand_in)
    others = (measured.paths.config_path, measured.paths.train_toml_path, measured.paths.command_path)
    first = measured.record.model_copy(update={"state": "running", "outputs": [], "ended_at": None})
    assert max(path.stat().st_size for path in others) < len(first.model_dump_json(indent=1)) - 200
    sizes = {
        "the beginning": max(path.stat().st_size for path in others) + 20,
        "the end": measured.paths.record_path.stat().st_size - 20,
    }
    root = make_trainable_project(tmp_path / "project2")
    with live_run(root, "--json", before=(sys.executable, "-c", WITH_SMALL_FILES, str(sizes[moment]))) as run:
        done = run.finish()
        record_path = run.run_dir / "run.json"
    assert done.code == 4, done.stdout + done.stderr
    assert done.problem["code"] == "project.write"
    assert str(record_path) in done.problem["message"]
    assert "File too large" in done.problem["message"]
    assert "disk" in done.problem["fix"]


# --- what a run refuses


@pytest.mark.parametrize(
    ("existing", "changes"),
    [
        ("lora.safetensors", {}),
        ("lora-step00000004.safetensors", {"save_every_n_steps": 2}),
        ("lora-000002.safetensors", {"save_every_n_epochs": 1}),
    ],
)
def test_nothing_is_written_over(tmp_path: Path, stand_in: StandIn, existing: str, changes: dict[str, Any]) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project", **changes)
    (root / "output" / existing).write_bytes(b"mine")
    with pytest.raises(ProjectError) as caught:
        train(root, stand_in)
    (problem,) = caught.value.problems
    assert problem.code == "project.output.exists"
    assert problem.where == f"output/{existing}"
    assert f"output/{existing}" in problem.message
    assert "--set output_name=NAME" in problem.fix
    assert (root / "output" / existing).read_bytes() == b"mine"
    assert list((root / "log").iterdir()) == []


def test_a_second_run_of_the_same_name_is_refused_and_another_name_is_not(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", save_every_n_steps=3)
    assert kohyatpl("run", root).code == 0
    files = {path.name: path.read_bytes() for path in (root / "output").iterdir()}
    again = kohyatpl("run", root, "--json")
    assert again.code == 4
    assert again.problem["code"] == "project.output.exists"
    assert "lora-step00000003.safetensors and 2 more" in again.problem["message"]
    assert {path.name: path.read_bytes() for path in (root / "output").iterdir()} == files
    assert len(list((root / "log").iterdir())) == 1
    assert kohyatpl("run", root, "--set", "output_name=other").code == 0
    assert (root / "output" / "other.safetensors").is_file()


@pytest.mark.parametrize("place", ["log", "output"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, stand_in: StandIn, place: str) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project")
    shutil.rmtree(root / place)
    (root / place).write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        train(root, stand_in)
    (problem,) = caught.value.problems
    assert problem.code == "project.write"
    assert str(root.resolve() / place) in problem.message
    assert "disk" in problem.fix


def test_a_trainer_that_is_not_ready_is_no_trainer(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project")
    done = kohyatpl("run", root, "--json")
    assert done.code == 5
    assert done.problem["code"] == "trainer.missing"
    assert "trainer install" in done.problem["fix"]
    assert list((root / "log").iterdir()) == []


def test_a_changed_trainer_is_no_trainer(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    marker = json.loads(stand_in.paths.marker_path.read_bytes())
    marker["hashes"] = {"train_network.py": "0" * 40}
    stand_in.paths.marker_path.write_text(json.dumps(marker), encoding="utf-8")
    done = kohyatpl("run", root, "--json")
    assert done.code == 5
    assert done.problem["code"] == "trainer.unhealthy"
    assert "train_network.py" in done.problem["message"]
    assert list((root / "log").iterdir()) == []


def test_a_trainer_whose_interpreter_is_gone_is_no_trainer(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    stand_in.paths.python_path.unlink()
    done = kohyatpl("run", root, "--json")
    assert done.code == 5
    assert done.problem["code"].startswith("trainer.")
    assert str(stand_in.paths.python_path) in done.problem["message"]
    assert "trainer install" in done.problem["fix"]


def test_an_environment_of_other_versions_is_a_warning_after_the_run(tmp_path: Path, stand_in: StandIn) -> None:
    """It is asked while the trainer starts: the run has been proven by what came out."""
    marker = json.loads(stand_in.paths.marker_path.read_bytes())
    lock = ENVIRONMENT_LOCK_PATH.read_text(encoding="utf-8")
    marker["packages"] = {
        name: locked_versions(lock)[name] for name in ("torch", "tensorboard")
    }  # which the interpreter of the tests has not
    stand_in.paths.marker_path.write_text(json.dumps(marker), encoding="utf-8")
    done = kohyatpl("run", make_trainable_project(tmp_path / "project"), "--json")
    assert done.code == 0
    assert (done.problem["code"], done.problem["severity"]) == ("trainer.unhealthy", "warning")
    assert "torch" in done.problem["message"]
    assert "trainer install" in done.problem["fix"]
