"""Checkpoints and samples as they appear."""

from __future__ import annotations

import os
from pathlib import Path

from loratpl.plan.outputs import PlannedFile
from loratpl.run.outputs_seen import OutputsSeen
from loratpl.run.samples import SampleNames

NAMES = SampleNames("lora", steps_per_epoch=4, total_steps=10)


def test_a_checkpoint_is_told_once_it_is_there(odd_path: Path) -> None:
    first, last = odd_path / "a-000001.safetensors", odd_path / "a.safetensors"
    last.write_bytes(b"of an earlier training")
    seen = OutputsSeen((PlannedFile(first, 4), PlannedFile(last, 8)), odd_path / "sample", NAMES)
    assert list(seen.new_checkpoints(8)) == []
    first.write_bytes(b"1234")
    assert list(seen.new_checkpoints(2)) == []  # a file of that name before its step is none of this training's
    (told,) = seen.new_checkpoints(3)  # it is written before its step is told
    assert told == {"event": "checkpoint", "path": str(first), "step": 4, "size_bytes": 4}
    assert list(seen.new_checkpoints(3)) == []
    last.write_bytes(b"new")
    os.utime(last, ns=(0, last.stat().st_mtime_ns + 10**9))
    assert [event["step"] for event in seen.new_checkpoints(8)] == [8]
    assert seen.last_checkpoint == last


def test_samples_are_told_by_name_and_earlier_ones_are_not(odd_path: Path) -> None:
    folder = odd_path / "sample"
    assert list(OutputsSeen((), folder, NAMES).new_samples(1)) == []
    folder.mkdir()
    (folder / "old.png").write_bytes(b"")
    seen = OutputsSeen((), folder, NAMES)
    for name in ("b.png", "a.png", "a.txt"):
        (folder / name).write_bytes(b"")
    assert [Path(event["path"]).name for event in seen.new_samples(7)] == ["a.png", "b.png"]
    assert list(seen.new_samples(7)) == []


def test_a_sample_is_told_with_its_step_and_its_prompt_where_its_name_has_them(odd_path: Path) -> None:
    seen = OutputsSeen((), odd_path, NAMES)
    for name in ("lora_000008_01_20260102030405.png", "other.png"):
        (odd_path / name).write_bytes(b"")
    assert [(event["step"], event.get("prompt")) for event in seen.new_samples(7)] == [(8, 1), (7, None)]
