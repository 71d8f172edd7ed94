"""Runs as earlier commands left them on the disk: a record, events, states."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths, RunPaths
from loratpl.records import RunRecord, write_record

FIRST_ID = "20260102-030405-lora"


def a_record(run_id: str = FIRST_ID, **changes: Any) -> RunRecord:
    """Returns a record of 6 steps that says "finished" unless told otherwise."""
    values: dict[str, Any] = {
        "run_id": run_id, "state": "finished", "kohyatpl": "0.0", "pin": "a" * 40, "python": "3.11", "packages": {},
        "argv": [], "env": {}, "model": "owner/name", "seed": 1, "plan": {"total_steps": 6}, "concepts": [],
        "started_at": "2026-01-02T03:04:05.000+00:00",
    }  # fmt: skip
    return RunRecord.model_validate({**values, **changes})


def make_run(
    project: ProjectPaths, run_id: str = FIRST_ID, *, events: Iterable[Mapping[str, Any]] = (), **changes: Any
) -> RunPaths:
    """Returns a run on the disk; it began when its id says, taken as UTC, unless told otherwise."""
    paths = project.run(run_id)
    paths.run_dir.mkdir(parents=True)
    day, clock = run_id[:8], run_id[9:15]
    began = f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}.000+00:00"
    write_record(paths.record_path, a_record(run_id, **{"started_at": began, **changes}))
    lines = [json.dumps(event) + "\n" for event in events]
    if lines:
        paths.events_path.write_text("".join(lines), encoding="utf-8")
    return paths


def make_state(paths: RunPaths, step: int = 4, **changes: Any) -> Path:
    """Returns the folder of a whole state; two batches to an epoch, three epochs."""
    folder = paths.state_dir / f"step{step:08d}"
    folder.mkdir(parents=True)
    files = {"model.safetensors": b"weights" * step, "position.bin": b"place"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    position = {
        "schema": 1, "step": step, "epoch": step // 2 + 1, "batches": step % 2, "max_train_steps": 6,
        "batches_per_epoch": 2, "gradient_accumulation_steps": 1, "processes": 1, "workers": 0,
        "persistent_workers": False, "is_exact": True, "inexact_because": None,
        "files": {
            name: {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
        **changes,
    }  # fmt: skip
    (folder / "position.json").write_text(json.dumps(position), encoding="utf-8")
    return folder
