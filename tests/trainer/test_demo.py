"""`kohyatpl demo` with the real trainer: the one command of a newcomer."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from loratpl.records import read_record
from tests.trainer.conftest import ONE_THREAD, RealTrainer, kohyatpl


@pytest.mark.skipif("KOHYATPL_DEMO_DONE" in os.environ, reason=".ci/run has run the README's main command, this one")
def test_one_command_ends_with_a_lora(tmp_path: Path, trainer: RealTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ONE_THREAD.items():
        monkeypatch.setenv(name, value)
    root_dir = tmp_path / "my demo"
    done = kohyatpl("demo", root_dir)
    assert done.returncode == 0, done.stderr
    (run_dir,) = (root_dir / "log").iterdir()
    record = read_record(run_dir / "run.json")
    assert record.state == "finished"
    assert record.last_step == record.plan["total_steps"] == 18
    assert done.stdout.splitlines()[:3] == [
        "Trained 18 steps as planned.",
        f"  LoRA    {root_dir / 'output' / 'demo.safetensors'}",
        "  proven  264 of 264 layers changed, no NaN",
    ]
    assert not (root_dir / ".kohyatpl" / "demo-unfinished").exists()
    assert sorted(path.name for path in (root_dir / "output").iterdir()) == [
        "demo-000001.safetensors",
        "demo.safetensors",
    ]
    again = kohyatpl("demo", root_dir, "--json")
    assert again.returncode == 4
    assert json.loads(again.stdout)["problems"][0]["code"] == "project.exists"
