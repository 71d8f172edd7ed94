"""The road from an empty folder to a LoRA, driven with the real trainer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import RunError
from loratpl.project import ProjectPaths
from loratpl.records import RunRecord, read_record
from loratpl.render.prepare import judge, prepared_from
from loratpl.run.runner import start_run
from loratpl.run.watch import Unwatched
from loratpl.selfcheck import draw_pictures, tiny_config
from loratpl.trainer.environment import run_inside
from loratpl.trainer.pin import load_pin
from tests.trainer.conftest import KOHYATPL, ONE_THREAD_BLOCK, RealTrainer, kohyatpl

EPOCHS = {"max_train_steps": None, "max_train_epochs": 2}
# The smallest pictures that the U-Net can halve as often as it does: a step takes a third of the time.
SMALL = {"resolution": "64,64", "min_bucket_reso": 64, "max_bucket_reso": 256}


def new_project(root_dir: Path, trainer: RealTrainer, **changes: Any) -> ProjectPaths:
    """A project as `new` makes it, with two concepts and a class of regularisation images."""
    done = kohyatpl("new", root_dir, "--concept", "ohwx cat", "--concept", "zwx dog", "--reg", "cat")
    assert done.returncode == 0, done.stderr
    project = ProjectPaths(root_dir)
    for number, folder in enumerate(sorted([*project.image_dir.iterdir(), *project.reg_dir.iterdir()])):
        draw_pictures(folder, 2 + number, first_number=10 * number)
    laid_out = json.loads(project.config_path.read_text(encoding="utf-8"))
    config = {**laid_out, **tiny_config(trainer.model), "max_train_epochs": None, "output_name": "lora"}
    config |= {**SMALL, "kohyatpl": ONE_THREAD_BLOCK, **changes}
    project.config_path.write_text(json.dumps(config), encoding="utf-8")
    return project


def record_of(project: ProjectPaths) -> RunRecord:
    (run_dir,) = project.log_dir.iterdir()
    return read_record(run_dir / "run.json")


def max_difference(trainer: RealTrainer, first: Path, second: Path) -> float:
    """The largest difference between two files' tensors, which must have the same names."""
    code = (
        "import sys; from safetensors.torch import load_file as load; a, b = map(load, sys.argv[1:]); "
        "assert a.keys() == b.keys() and len(a) > 700; "
        "print(max((a[k].double() - b[k].double()).abs().max().item() for k in a))"
    )
    argv = [str(trainer.status.paths.python_path), "-c", code, str(first), str(second)]
    return float(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def sorted_folder_names(folder: Path) -> tuple[str, str]:
    """Two concept folders whose order on this disk is the sorted one: the trainer's folder mode does not sort."""
    for last in ("dog", "fox", "cow", "hen", "owl", "bee", "ant", "eel", "emu", "yak"):
        names = ("2_ohwx cat", f"1_zwx {last}"), ("1_ohwx cat", f"2_zwx {last}")
        for pair in names:
            trial = folder / f"{last}{pair[0][0]}"
            for name in pair:
                (trial / name).mkdir(parents=True)
            if [entry.name for entry in trial.iterdir()] == sorted(pair):
                return pair[0], pair[1]
    pytest.fail("this file system lists no pair of folders in sorted order")


@pytest.fixture(scope="module")
def _trained_once() -> dict[str, ProjectPaths]:
    return {}


@pytest.fixture
def trained(
    _trained_once: dict[str, ProjectPaths], trainer: RealTrainer, tmp_path_factory: pytest.TempPathFactory
) -> ProjectPaths:
    """A new project that was trained once, for all the tests that only look at it; nothing in it is changed.

    One odd name is enough for a minute of training; tests/run tries all the others with the stand-in.
    """
    if "project" not in _trained_once:
        folder = tmp_path_factory.mktemp("trained")
        project = new_project(folder / 'it\'s a "quoted" 日本 project', trainer, **EPOCHS, train_batch_size=2)
        for old, new in zip(sorted(project.image_dir.iterdir()), sorted_folder_names(folder / "order"), strict=True):
            old.rename(project.image_dir / new)
        done = kohyatpl("run", project.root_dir)
        assert done.returncode == 0, done.stderr
        _trained_once["project"] = project
    return _trained_once["project"]


def test_a_new_project_becomes_a_lora_that_diffusers_uses(trained: ProjectPaths, trainer: RealTrainer) -> None:
    record = record_of(trained)
    assert record.state == "finished"
    assert [Path(output.path).name for output in record.outputs] == ["lora-000001.safetensors", "lora.safetensors"]
    assert record.outputs[-1].ss_steps == record.plan["total_steps"] == record.last_step
    assert all(concept.content_sha256 for concept in record.concepts)
    (run_dir,) = trained.log_dir.iterdir()
    assert "model saved." in (run_dir / "trainer.log").read_text(encoding="utf-8")
    assert list((run_dir / "tensorboard").rglob("events.out*"))
    loaded = run_inside(
        trainer.status.paths,
        "load.py",
        "--model",
        trainer.model["model_dir"],
        "--lora",
        trained.output_dir / "lora.safetensors",
    )["loras"][0]
    assert loaded["max_difference"] > 0
    assert loaded["layers"] == record.outputs[-1].trainable


def test_the_lora_equals_the_one_trained_by_hand_in_folder_mode(
    trained: ProjectPaths, tmp_path: Path, trainer: RealTrainer
) -> None:
    by_hand = tmp_path / "by hand"
    by_hand.mkdir()
    trainer.train_by_hand(
        [
            "--pretrained_model_name_or_path", trainer.model["model_dir"],
            "--tokenizer_cache_dir", trainer.model["tokenizer_cache_dir"],
            "--train_data_dir", str(trained.image_dir), "--reg_data_dir", str(trained.reg_dir),
            "--output_dir", str(by_hand), "--output_name", "lora", "--save_model_as", "safetensors",
            "--save_precision", "float", "--save_every_n_epochs", "1", "--caption_extension", ".txt",
            "--resolution", "64,64", "--enable_bucket", "--min_bucket_reso", "64", "--max_bucket_reso", "256",
            "--bucket_reso_steps", "64", "--train_batch_size", "2", "--max_train_epochs", "2",
            "--network_module", "networks.lora", "--network_dim", "4", "--network_alpha", "1",
            "--learning_rate", "1e-3", "--lr_scheduler", "constant", "--optimizer_type", "AdamW",
            "--max_grad_norm", "1.0", "--prior_loss_weight", "1.0", "--gradient_accumulation_steps", "1",
            "--mixed_precision", "no", "--sdpa", "--cache_latents", "--max_data_loader_n_workers", "0", "--seed", "42",
        ],
        tmp_path,
    )  # fmt: skip
    for name in ("lora-000001.safetensors", "lora.safetensors"):
        assert max_difference(trainer, trained.output_dir / name, by_hand / name) == 0.0
    # The comparison can fail: the first epoch's file is not the last one's.
    assert max_difference(trainer, by_hand / "lora-000001.safetensors", by_hand / "lora.safetensors") > 0


def test_the_plan_is_what_the_trainer_says(trained: ProjectPaths) -> None:
    """The plan as it is recorded; test_trainings_equal_plan.py and test_plan_equals_trainer.py have all the kinds."""
    plan = record_of(trained).plan
    (run_dir,) = trained.log_dir.iterdir()
    log = (run_dir / "trainer.log").read_text(encoding="utf-8")
    says = {
        "train_images": r"num train images \* repeats .*: (\d+)",
        "reg_images": r"num reg images .*: (\d+)",
        "batches_per_epoch": r"num batches per epoch .*: (\d+)",
        "epochs": r"num epochs .*: (\d+)",
        "total_steps": r"total optimization steps .*: (\d+)",
    }
    found = {name: int(re.search(pattern, log).group(1)) for name, pattern in says.items()}  # type: ignore[union-attr]
    assert found == {name: plan[name] for name in says}
    training = log.partition("[Prepare dataset 0]")[2]
    buckets = [
        tuple(map(int, row)) for row in re.findall(r"bucket \d+: resolution \((\d+), (\d+)\), count: (\d+)", training)
    ]
    planned = [(bucket["width"], bucket["height"], bucket["images"]) for bucket in plan["buckets"]]
    assert buckets[: len(planned)] == planned


def test_a_failing_trainer_is_reported_by_its_own_error(tmp_path: Path, trainer: RealTrainer) -> None:
    project = new_project(tmp_path / "project", trainer, optimizer_type="torch.nn.NoSuchOptimizer")
    done = kohyatpl("--json", "run", project.root_dir)
    assert done.returncode == 6
    (problem,) = json.loads(done.stdout.splitlines()[-1])["problems"]
    assert problem["code"] == "run.trainer.failed"
    assert "AttributeError: module 'torch.nn' has no attribute 'NoSuchOptimizer'" in problem["message"]
    assert record_of(project).state == "failed"


def test_two_processes_go_through_accelerate_and_fail_with_their_own_error(
    tmp_path: Path, trainer: RealTrainer
) -> None:
    """On a CPU the pinned accelerate cannot wrap the frozen U-Net; the launcher's report of that is longer than it."""
    launch = {"launch": {"tiny_unet": True, "processes": 2, "threads": 1}}
    project = new_project(tmp_path / "project", trainer, **EPOCHS, mixed_precision="no", kohyatpl=launch)
    # As on a machine with two GPUs: on this one the check would not let it start.
    judged = judge(project, gpu_count=lambda: 2, is_this_machine=False)
    with pytest.raises(RunError) as caught:
        start_run(prepared_from(project, judged), trainer.status, load_pin(), Unwatched())
    (problem,) = caught.value.problems
    assert "RuntimeError: DistributedDataParallel is not needed" in problem.message
    record = record_of(project)
    assert "accelerate.commands.launch" in record.argv
    log = (project.log_dir / record.run_id / "trainer.log").read_text(encoding="utf-8")
    assert "ChildFailedError" in log
    assert "num_processes=2" in log or log.count("Loading settings from") == 2


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_a_stop_saves_a_state_of_the_step_in_progress(tmp_path: Path, trainer: RealTrainer) -> None:
    project = new_project(tmp_path / "project", trainer, max_train_steps=500)
    argv = [*KOHYATPL, "--json", "run", str(project.root_dir)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if json.loads(line).get("step") == 3:
                break
        child.send_signal(signal.SIGINT)
        lines = child.stdout.read().splitlines()
        assert child.wait(60) == 130
    record = record_of(project)
    assert record.state == "stopped"
    assert record.state_dir is not None
    state = json.loads((Path(record.state_dir) / "train_state.json").read_text(encoding="utf-8"))
    assert state["current_step"] == record.last_step < 500
    assert json.loads(lines[-1])["exit_code"] == 130
    assert not list(project.output_dir.iterdir())


def test_the_command_can_be_pasted(tmp_path: Path, trainer: RealTrainer) -> None:
    project = new_project(tmp_path / "it's a project", trainer, max_train_steps=1)
    assert kohyatpl("render", project.root_dir).returncode == 0
    command = (project.render_dir / "command.txt").read_text(encoding="utf-8")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
    assert (project.output_dir / "lora.safetensors").is_file()


def test_verify_takes_less_than_a_minute(trainer: RealTrainer) -> None:
    before = os.times()
    done = kohyatpl("--json", "trainer", "verify")
    after = os.times()
    assert done.returncode == 0, done.stderr
    # Of a processor, so that what else the machine does is no matter; torch has one thread here.
    assert sum(after[2:4]) - sum(before[2:4]) < 60
    data = json.loads(done.stdout.splitlines()[-1])["data"]
    assert data["layers_trained"] == 264
