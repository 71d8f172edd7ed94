"""Whole runs with the stand-in trainer: what each kind of end leaves behind."""

from __future__ import annotations

from pathlib import Path

from loratpl.project import open_project
from loratpl.records import read_record
from loratpl.render.prepare import prepare
from loratpl.run.runner import start_run
from loratpl.run.watch import Unwatched
from loratpl.trainer.pin import load_pin
from tests.stand_in import StandIn, make_trainable_project


def test_a_run_ends_with_a_proven_lora(odd_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(odd_path / "project")
    result = start_run(prepare(open_project(root)), stand_in.status, load_pin(), Unwatched())
    record = read_record(result.paths.record_path)
    assert record.state == "finished"
    assert record.last_step == 6
    assert [output.ss_steps for output in record.outputs] == [6]
    assert (root / "output" / "lora.safetensors").is_file()
    assert "running training" in result.paths.trainer_log_path.read_text(encoding="utf-8")
