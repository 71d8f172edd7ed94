"""Short runs that measure: what they tell, and that nothing of them is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.setting import Setting
from loratpl.errors import BusyError, ProjectError, RunError
from loratpl.plan.pace.estimate import estimate_time
from loratpl.plan.pace.store import read_paces
from loratpl.project import ProjectPaths, locked, open_project
from loratpl.render.prepare import Prepared, prepare
from loratpl.render.renderer import RenderedRun, render
from loratpl.run.measure import STEPS, Measurement, _pace_of_run, measure, shortened
from loratpl.run.watch import Step, Unwatched, Watcher
from loratpl.trainer.paths import TrainerPaths, UserPaths
from loratpl.trainer.pin import load_pin
from tests.command_line import eventually, kohyatpl
from tests.given import only, refusal
from tests.stand_in import StandIn, make_trainable_project, oddest, write_picture, write_safetensors

LONG = {"max_train_steps": 3000, "step_s": 0.02, "save_every_n_steps": 500}


def measured(root: Path, stand_in: StandIn, watcher: Watcher | None = None, **options: Any) -> Measurement:
    return measure(prepare(open_project(root)), stand_in.status, load_pin(), watcher or Unwatched(), **options)


def tree(root: Path) -> dict[str, bytes | None]:
    """Every file and folder of a project but what the lock leaves, and what is known of the pictures."""
    hidden = {
        ".kohyatpl",
        *(f".kohyatpl/{name}" for name in ("lock", "trainer.lock", ".gitignore", "inspections.json")),
    }
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
        if path.relative_to(root).as_posix() not in hidden
    }


# --- what it tells


def test_a_measurement_tells_pace_memory_and_the_time_for_the_whole(odd_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(odd_path / "project", **LONG)
    before = tree(root)
    found = measured(root, stand_in)
    assert tree(root) == before
    assert (found.steps, found.pace.steps) == (20, 9)  # without the first two, and those that end an epoch
    assert 0.02 <= found.pace.low_step_s <= found.pace.median_step_s <= found.pace.high_step_s < 0.5
    assert found.steps_per_s == pytest.approx(1 / found.pace.step_s)
    assert 0 < found.start_s < 30
    assert found.memory.process_peak_bytes is not None
    assert found.memory.gpu_peak_bytes is None
    assert found.warnings == ()
    whole = found.whole
    assert whole.is_measured
    assert (whole.steps, whole.differences, whole.scale) == (3000, (), 1.0)
    assert whole.low_s < 3000 * found.pace.step_s + found.start_s <= whole.seconds < whole.high_s


def test_its_pace_is_kept_and_predicts_the_same_training(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", **LONG)
    found = measured(root, stand_in)
    history = read_paces(UserPaths.of_user())
    assert history == (found.pace,)
    prepared = prepare(open_project(root))
    later = estimate_time(prepared.settings, prepared.plan, history, "cpu")
    assert later is not None
    assert replace(later, is_measured=True) == found.whole


def test_a_measurement_is_json_and_lines_for_a_person(tmp_path: Path, stand_in: StandIn) -> None:
    found = measured(make_trainable_project(tmp_path / "project", **LONG), stand_in)
    values = found.as_json()
    assert json.loads(json.dumps(values)) == values
    assert set(values) == {
        "steps", "steps_per_s", "step_s", "low_step_s", "high_step_s", "start_s", "process_peak_bytes",
        "gpu_peak_bytes", "gpu_reserved_bytes", "whole",
    }  # fmt: skip
    first, memory, last = found.lines()
    assert first.startswith("20 steps measured: 0.0")
    assert memory.startswith("memory of the trainer at its peak: 0.")
    assert last.startswith("the whole training: about ")
    assert last.endswith("from a short run of these settings just now")


def test_the_memory_of_a_gpu_is_told_first(tmp_path: Path, stand_in: StandIn) -> None:
    found = measured(make_trainable_project(tmp_path / "project", **LONG), stand_in)
    memory = found.memory.model_copy(update={"gpu_peak_bytes": 10 * 2**30, "gpu_reserved_bytes": 12 * 2**30})
    lines = replace(found, memory=memory).lines()
    assert lines[1] == "GPU memory at its peak: 10.0 GiB, 12.0 GiB reserved"
    unknown = memory.model_copy(update={"process_peak_bytes": None, "gpu_peak_bytes": None})
    assert len(replace(found, memory=unknown).lines()) == 2


def test_whoever_watches_sees_the_steps_that_are_done(tmp_path: Path, stand_in: StandIn) -> None:
    told: list[Step] = []

    class Steps(Unwatched):
        def step(self, step: Step) -> None:
            told.append(step)

    measured(make_trainable_project(tmp_path / "project", **LONG), stand_in, Steps(), steps=12)
    assert [(step.number, step.total) for step in told] == [(number, 12) for number in range(1, 13)]


@pytest.mark.parametrize("steps", [1, 2, 6])
def test_a_short_training_is_measured_with_what_it_has(tmp_path: Path, stand_in: StandIn, steps: int) -> None:
    found = measured(make_trainable_project(tmp_path / "project", max_train_steps=steps, step_s=0.02), stand_in)
    assert (found.steps, found.whole.steps) == (steps, steps)
    assert found.pace.step_s >= 0.02
    assert read_paces(UserPaths.of_user()) == ()  # too short to tell anything of others


def test_what_is_there_already_does_not_matter(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", max_train_steps=12)
    assert kohyatpl("run", root).code == 0
    before = tree(root)
    assert measured(root, stand_in).steps == 12
    assert tree(root) == before


# --- what is run


def shortened_run(prepared: Prepared, steps: int = STEPS) -> tuple[Prepared, RenderedRun]:
    scratch = ProjectPaths(prepared.project.measure_dir)
    short = shortened(prepared, scratch, steps)
    return short, render(short.settings, short.plan, TrainerPaths(Path("trainer")), scratch.run("measure"))


ALIKE = {
    "network_dim": 8,
    "optimizer_type": "Lion",
    "gradient_checkpointing": True,
    "min_snr_gamma": 5.0,
    "noise_offset": 0.05,
    "shuffle_caption": True,
    "train_batch_size": 2,
}
LEAVING = {
    "cache_latents_to_disk": True,
    "save_state": True,
    "save_state_on_train_end": True,
    "save_every_n_epochs": 1,
    "save_every_n_steps": 100,
    "save_last_n_steps": 200,
    "sample_every_n_steps": 5,
    "sample_at_first": True,
    "sample_prompts": "prompts.txt",
    "huggingface_repo_id": "me/mine",
    "async_upload": True,
    "log_with": "wandb",
    "log_tracker_name": "mine",
    "wandb_run_name": "mine",
    "console_log_file": "console.log",
    "cache_info": True,
}


def with_options(prepared: Prepared, **values: Any) -> Prepared:
    """A prepared project with options that need more than the stand-in to be prepared with."""
    options = {name: Setting(value, "config.json", name) for name, value in values.items()}
    return replace(prepared, settings=prepared.settings.with_options(options))


def test_it_is_the_same_training_but_leaves_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", **LONG, **ALIKE)
    whole = with_options(prepare(open_project(root)), **LEAVING)
    full = render(whole.settings, whole.plan, TrainerPaths(Path("trainer")), whole.project.run("full"))
    _, short = shortened_run(whole)
    assert short.dataset == full.dataset
    assert all(short.options[name] == value for name, value in ALIKE.items())
    changed = {name for name in {*full.options, *short.options} if full.options.get(name) != short.options.get(name)}
    assert changed == {*LEAVING, "max_train_steps", "output_dir", "output_name", "logging_dir"}
    assert {name for name in LEAVING if name in short.options} == set()
    assert short.options["cache_latents"] is True
    assert short.options["max_train_steps"] == 20
    hidden = str(whole.project.measure_dir)
    assert all(str(short.options[name]).startswith(hidden) for name in ("output_dir", "logging_dir"))


def test_caches_are_kept_in_memory_where_they_were_to_be_on_disk(tmp_path: Path, stand_in: StandIn) -> None:
    whole = prepare(open_project(make_trainable_project(tmp_path / "project", **LONG, cache_latents=False)))
    _, short = shortened_run(whole)
    assert "cache_latents" not in short.options  # what was not cached is not
    on_disk = with_options(whole, cache_latents_to_disk=True, cache_text_encoder_outputs_to_disk=True)
    _, short = shortened_run(on_disk)
    assert short.options["cache_latents"] is short.options["cache_text_encoder_outputs"] is True
    assert not any(name.endswith("_to_disk") for name in short.options)


@pytest.mark.parametrize(
    ("scheduler", "warmup", "decay", "expected"),
    [
        ("cosine", 300, None, (2, None)),  # steps of 3000
        ("cosine", 0.1, None, (2, None)),
        ("constant_with_warmup", 2999, None, (19, None)),
        ("warmup_stable_decay", 1000, 1500, (6, 10)),
        ("constant", 0, None, (0, None)),
    ],
)
def test_a_warm_up_is_as_large_a_share_as_in_the_whole(
    tmp_path: Path,
    stand_in: StandIn,
    scheduler: str,
    warmup: float,
    decay: int | None,
    expected: tuple[int, int | None],
) -> None:
    changes = {"lr_scheduler": scheduler, "lr_warmup_steps": warmup}
    if decay is not None:
        changes["lr_decay_steps"] = decay
    whole = prepare(open_project(make_trainable_project(tmp_path / "project", **LONG, **changes)))
    _, short = shortened_run(whole)
    assert (short.options.get("lr_warmup_steps", 0), short.options.get("lr_decay_steps")) == expected


def test_an_epoch_may_be_shorter_than_the_measurement(tmp_path: Path, stand_in: StandIn) -> None:
    whole = prepare(
        open_project(make_trainable_project(tmp_path / "project", max_train_steps=None, max_train_epochs=50))
    )
    assert (whole.plan.steps_per_epoch, whole.plan.total_steps) == (2, 100)
    short, rendered = shortened_run(whole)
    assert (short.plan.total_steps, short.plan.epochs) == (20, 10)
    assert "max_train_epochs" not in rendered.options
    assert rendered.options["max_train_steps"] == 20


def test_no_validation_falls_into_it_and_that_is_said(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(
        tmp_path / "project", **LONG, validation_split=0.5, validation_seed=1, validate_every_n_steps=3
    )
    write_picture(root / "image_dir" / "1_ohwx cat" / "3.png", 3)
    short, rendered = shortened_run(prepare(open_project(root)))
    assert rendered.options["validate_every_n_epochs"] == short.plan.epochs + 1
    assert "validate_every_n_steps" not in rendered.options
    found = measured(root, stand_in)
    assert "validation" in found.whole.left_out
    assert found.lines()[-1].endswith("; validation not counted")


# --- how it fails


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("error", "ValueError: bad dimension 7"),
        ("killed", "SIGKILL"),
        ("silent", "exit 3"),
        ("no-data", "No data found"),
        ("half", "did 10 steps; 20 were planned"),
    ],
)
def test_a_training_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, stand_in: StandIn, fault: str, says: str
) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project", **LONG, fault=fault)
    before = tree(root)
    with pytest.raises(RunError) as caught:
        measured(root, stand_in)
    assert says in "\n".join(problem.message for problem in caught.value.problems)
    assert all("kohyatpl run" in problem.fix for problem in caught.value.problems)
    assert not any("measure" in problem.where for problem in caught.value.problems)
    assert tree(root) == before


@pytest.mark.parametrize(("fault", "code"), [("nan", "run.output.nan"), ("untrained", "run.output.untrained")])
def test_what_is_wrong_with_the_beginning_of_a_lora_is_a_warning(
    tmp_path: Path, stand_in: StandIn, fault: str, code: str
) -> None:
    root = make_trainable_project(tmp_path / "project", **LONG, fault=fault)
    before = tree(root)
    found = measured(root, stand_in)
    problem = only(found.warnings)
    assert (problem.code, problem.severity, problem.where) == (code, "warning", "")
    assert found.steps == 20
    assert tree(root) == before


def test_a_project_that_is_busy_is_not_measured(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", **LONG)
    with locked(open_project(root)), pytest.raises(BusyError) as caught:
        measured(root, stand_in)
    refusal(caught.value, BusyError, "run.busy")


def test_what_a_killed_measuring_has_left_is_removed(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", **LONG)
    before = tree(root)
    left = root / ".kohyatpl" / "measure" / "output"
    left.mkdir(parents=True)
    write_safetensors(left / "measure.safetensors", {"a": [1.0]})
    assert measured(root, stand_in).steps == 20
    assert tree(root) == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", **LONG)
    (root / ".kohyatpl").mkdir()
    (root / ".kohyatpl" / "measure").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        measured(root, stand_in)
    refusal(caught.value, ProjectError, "project.write", "measure")


def test_steps_without_a_time_are_no_measurement(tmp_path: Path, stand_in: StandIn) -> None:
    whole = prepare(open_project(make_trainable_project(tmp_path / "project", **LONG)))
    short = shortened(whole, ProjectPaths(tmp_path), STEPS)
    paths = short.project.run("measure")
    paths.run_dir.mkdir(parents=True)
    told = [{"event": "phase", "phase": "starting the trainer", "time": 1e9}]
    told += [{"event": "step", "step": number, "time": 1e9 - number} for number in range(1, 21)]  # the clock runs back
    paths.events_path.write_text("".join(f"{json.dumps(event)}\n" for event in told), encoding="utf-8")
    with pytest.raises(RunError) as caught:
        _pace_of_run(short, "measure")
    refusal(caught.value, RunError, "run.measure", "clock", "Measure again")


MEASURING = """
import sys
from pathlib import Path
from loratpl.errors import StoppedError
from loratpl.project import open_project
from loratpl.render.prepare import prepare
from loratpl.run.measure import measure
from loratpl.run.watch import Unwatched
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status
try:
    measure(prepare(open_project(Path(sys.argv[1]))), status(load_pin()), load_pin(), Unwatched())
except StoppedError as error:
    print(error.stop_code, *(f"{problem.code}: {problem.message}" for problem in error.problems))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_leaves_nothing(tmp_path: Path, stand_in: StandIn, number: signal.Signals, code: int) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project", **{**LONG, "step_s": 0.5})
    before = tree(root)
    argv = [sys.executable, "-c", MEASURING, str(root)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as child:
        try:
            events = root / ".kohyatpl" / "measure" / "log"
            eventually(
                lambda: any(b'"step"' in path.read_bytes() for path in events.glob("*/events.jsonl")), "the first step"
            )
            child.send_signal(number)
            said, _ = child.communicate(timeout=30)
        finally:
            child.kill()
    assert child.returncode == 0
    assert said.startswith(f"{code} run.stopped: The measuring was stopped after step ")
    assert said.endswith("; nothing of it is left.\n")
    assert tree(root) == before
