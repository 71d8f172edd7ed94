"""The same comparison with a full-size SD 1 model and the script started quite bare. Minutes and 2 GB of disk.

Not part of the ordinary run: `pytest -m full_size -n 0`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from loratpl.trainer.environment import run_inside
from tests.trainer.conftest import RealTrainer, kohyatpl
from tests.trainer.test_training import max_difference, new_project


@pytest.mark.full_size
@pytest.mark.timeout(900)
def test_the_lora_of_a_full_size_model_equals_the_bare_script_s(tmp_path: Path, trainer: RealTrainer) -> None:
    model = run_inside(trainer.status.paths, "tiny_model.py", "--full-size", "--out-dir", tmp_path / "model")
    full_size = RealTrainer(trainer.status, model)
    large = {"resolution": "256,256", "min_bucket_reso": 256, "max_bucket_reso": 1024}
    project = new_project(tmp_path / "project", full_size, **large, max_train_steps=2, kohyatpl={})
    done = kohyatpl("run", project.root_dir)
    assert done.returncode == 0, done.stderr
    record_dir = next(project.log_dir.iterdir())
    by_hand = tmp_path / "by hand"
    by_hand.mkdir()
    # The files that kohyatpl wrote, given to the pinned script with nothing of ours around it.
    train_toml = (record_dir / "train.toml").read_text(encoding="utf-8")
    (by_hand / "train.toml").write_text(train_toml.replace(str(project.output_dir), str(by_hand)), encoding="utf-8")
    arguments = ["--config_file", str(by_hand / "train.toml"), "--dataset_config", str(record_dir / "dataset.toml")]
    bare = subprocess.run(
        [trainer.status.paths.python_path, "train_network.py", *arguments],
        cwd=trainer.status.paths.source_dir,
        check=False,
        capture_output=True,
        timeout=400,
    )
    if bare.returncode != 0:
        # Where torchvision has no CPU operators the bare script cannot even be imported; then with these two alone.
        assert b"torchvision::nms" in bare.stderr
        trainer.train_by_hand(arguments, by_hand, tiny=False)
    assert max_difference(trainer, project.output_dir / "lora.safetensors", by_hand / "lora.safetensors") == 0.0
