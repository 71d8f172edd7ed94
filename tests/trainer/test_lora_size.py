"""What was predicted of the files of a training, against what the trainer's own code makes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from loratpl.config.settings import Settings
from loratpl.dataset.scan import scan
from loratpl.plan.disk.caches import npz_bytes, text_arrays
from loratpl.plan.disk.lora import pairs_in, saved_tensors
from loratpl.plan.disk.lora_layers import TABLE_PATH, SizeUnknownError
from loratpl.plan.disk.need import disk_need
from loratpl.plan.disk.samples import planned_samples
from loratpl.plan.outputs import planned_files, planned_states
from loratpl.plan.planner import make_plan
from loratpl.render.prepare import load_settings
from loratpl.trainer.environment import run_inside
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import TrainerStatus
from tests.given import resolved
from tests.trainer.conftest import ONE_THREAD, RealTrainer, kohyatpl
from tests.trainer.network_cases import Case, cases
from tests.trainer.predicted_size import assert_size_was_predicted
from tests.trainer.test_training import new_project

ROOT_DIR = Path(__file__).parents[2]
TIMEOUT_S = 240


@pytest.mark.trainer
def test_the_table_is_what_the_pinned_trainer_makes(installed_trainer: TrainerStatus) -> None:
    paths = installed_trainer.paths
    made = run_inside(paths, "modules.py", "--source", paths.source_dir, "--commit", load_pin().commit)
    assert made == json.loads(TABLE_PATH.read_bytes())


@pytest.mark.trainer
def test_networks_are_those_of_the_trainers_own_modules(installed_trainer: TrainerStatus, tmp_path: Path) -> None:
    """Every name, element type and shape: of the families' real models, which are built without memory."""
    asked = list(cases())
    (tmp_path / "cases.json").write_text(json.dumps(asked), encoding="utf-8")
    paths = installed_trainer.paths
    arguments = ("--source", paths.source_dir, "--cases", tmp_path / "cases.json", "--out", tmp_path / "made.json")
    done = subprocess.run(
        [str(paths.python_path), "-m", "tests.trainer.made_networks", *map(str, arguments)],
        cwd=ROOT_DIR,
        env={**os.environ, **ONE_THREAD, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "made.json").read_bytes())
    assert len(made) == len(asked) > 50
    for number, (case, tensors) in enumerate(zip(asked, made, strict=True)):
        expected = {name: (dtype, tuple(shape)) for name, dtype, shape in tensors}
        assert _predicted(case, tmp_path / str(number)) == expected, case


def _predicted(case: Case, folder: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """What is predicted of a case where only the models of the trainer's code are known."""
    config = {
        "family": case["family"],
        "network_module": f"networks.{case['module']}",
        "network_dim": case["dim"],
        "network_alpha": case["alpha"],
        "network_args": [f"{name}={value}" for name, value in case["arguments"].items()],
        "network_train_unet_only": not case["text"],
        "network_train_text_encoder_only": not case["unet"],
        "save_precision": False,
    }
    settings, _ = resolved(folder, config)
    if case["family"] == "sd3":  # the table's model must be at hand
        settings = _with_transformer_of_table(settings, folder)
    return {tensor.name: (tensor.dtype, tensor.shape) for tensor in saved_tensors(settings, pairs_in(settings))}


def _with_transformer_of_table(settings: Settings, folder: Path) -> Settings:
    """Writes the header of the transformer that the table was made with, and nothing after it."""
    from tests.plan.disk.headers import write_table_model

    with pytest.raises(SizeUnknownError):
        pairs_in(settings)
    write_table_model(folder / "model.safetensors", "sd3")
    return settings


def test_what_lies_on_the_disk_after_a_training(tmp_path: Path, trainer: RealTrainer) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a cat --w 64 --h 128 --s 1\n# no prompt\n\na dog --w 64 --h 64 --s 1 --d 3\n", encoding="utf-8")
    project = new_project(
        tmp_path / "project", trainer,
        max_train_epochs=4, network_alpha=0, network_args=["conv_dim=2", "conv_alpha=0"], save_precision=False,
        cache_latents=True, cache_latents_to_disk=True, flip_aug=True,
        save_every_n_epochs=1, save_last_n_epochs=2, save_every_n_steps=3, save_last_n_steps=5,
        save_state=True, save_last_n_epochs_state=1,
        sample_prompts=str(prompts), sample_every_n_epochs=2, sample_at_first=True,
    )  # fmt: skip
    settings, problems = load_settings(project, None)
    assert [problem for problem in problems if problem.severity == "error"] == []
    plan = make_plan(scan(project.image_dir, project.reg_dir), settings)
    need = disk_need(settings, plan)

    done = kohyatpl("run", project.root_dir)
    assert done.returncode == 0, done.stderr

    size = assert_size_was_predicted(settings, project.output_dir / "lora.safetensors")
    assert size.tensor_bytes == size.parameters * 4 + size.modules * 8  # an alpha of 0 is a whole number
    files, states, samples = (
        planned_files(settings, plan),
        planned_states(settings, plan),
        planned_samples(settings, plan),
    )
    there = {path for path in project.output_dir.iterdir() if path.suffix == ".safetensors"}
    assert {file.path for file in files if file.removed_at is None} == there
    assert {file.path for file in files if file.removed_at is not None}  # some were there and are gone
    state_dirs = {path for path in project.output_dir.iterdir() if path.name.endswith("-state")}
    assert {state.path for state in states if state.removed_at is None} == state_dirs
    pictures = list((project.output_dir / "sample").glob("*.png"))
    assert len(pictures) == samples.pictures == 6

    assert need.unknown == ""
    assert need.checkpoints_bytes == pytest.approx(sum(path.stat().st_size for path in there), rel=0.01)
    real_state = sum(path.stat().st_size for path in (project.output_dir / "lora-state").iterdir())
    assert need.state_bytes == pytest.approx(real_state, rel=0.1)
    caches = sum(path.stat().st_size for path in project.root_dir.rglob("*_sd.npz"))
    assert need.latent_caches_bytes == caches > 0
    again = make_plan(scan(project.image_dir, project.reg_dir, cache_suffix="_sd.npz"), settings)
    assert disk_need(settings, again).latent_caches_bytes == 0


@pytest.mark.trainer
def test_an_archive_is_as_large_as_numpy_makes_it(installed_trainer: TrainerStatus, tmp_path: Path) -> None:
    """The arrays of FLUX.1's text encoders, with the values that the trainer has in them."""
    settings, _ = resolved(tmp_path, {"family": "flux", "mixed_precision": "bf16"})
    code = (
        "import sys; import numpy as n; n.savez(sys.argv[1], l_pooled=n.zeros(768, 'f4'), "
        "t5_out=n.zeros((512, 4096), 'f4'), txt_ids=n.zeros((512, 3), 'f4'), t5_attn_mask=n.zeros(512, 'i8'), "
        "apply_t5_attn_mask=False)"
    )
    path = tmp_path / "flux_te.npz"
    subprocess.run([str(installed_trainer.paths.python_path), "-c", code, str(path)], check=True, timeout=TIMEOUT_S)
    assert npz_bytes(text_arrays(settings)) == path.stat().st_size
