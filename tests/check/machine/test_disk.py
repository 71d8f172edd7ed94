"""Room on the disks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.machine.disk import Need, Room, disk_problems, planned_needs, room_at, standing_needs
from loratpl.errors import ExitCode, exit_code_of
from loratpl.plan.disk.need import DiskNeed
from tests.check.given_rules import codes, settings_for
from tests.given import only

GB = 1_000_000_000


def rooms(**free_gb: float) -> dict[str, Room]:
    return {name: Room(number, int(free * GB)) for number, (name, free) in enumerate(free_gb.items())}


def need(folder: str, size_gb: float, what: str = "checkpoints", option: str = "output_dir") -> Need:
    return Need(Path("/", folder, "x"), int(size_gb * GB), what, option, f"config.json line 3: {option}")


def found(needs: list[Need], **free_gb: float) -> list[tuple[str, str]]:
    by_name = rooms(**free_gb)
    return codes(disk_problems(needs, lambda folder: by_name.get(folder.parts[1])))


@pytest.mark.parametrize(
    ("needs", "free", "expected"),
    [
        ([need("a", 5)], {"a": 20}, []),
        ([need("a", 5)], {"a": 4.9}, [("error", "machine.disk")]),
        ([need("a", 5)], {"a": 5}, [("warning", "machine.disk.tight")]),
        ([need("a", 5)], {"a": 5.99}, [("warning", "machine.disk.tight")]),
        ([need("a", 18.5)], {"a": 20}, [("warning", "machine.disk.tight")]),  # more than a GB, but not a tenth
        ([need("a", 17.5)], {"a": 20}, []),
        ([need("a", 0)], {"a": 0}, []),
        ([need("a", 0.005)], {"a": 0.5}, []),  # a small disk for small files
        ([need("a", 0.005)], {"a": 0.05}, [("warning", "machine.disk.tight")]),
        ([need("a", 0.2)], {"a": 1.1}, [("warning", "machine.disk.tight")]),
        ([need("a", 0.005)], {"a": 0}, [("error", "machine.disk")]),
        ([need("a", 3), need("a", 3)], {"a": 5}, [("error", "machine.disk")]),
        ([need("a", 3), need("b", 3)], {"a": 5, "b": 5}, []),
        (
            [need("a", 3), need("b", 3)],
            {"a": 2, "b": 3},
            [("error", "machine.disk"), ("warning", "machine.disk.tight")],
        ),
        ([need("unknown", 3)], {"a": 1}, []),
    ],
)
def test_what_is_written_must_fit_the_disk_it_is_written_to(
    needs: list[Need], free: dict[str, float], expected: list[tuple[str, str]]
) -> None:
    assert found(needs, **free) == expected


def test_a_full_disk_is_told_with_folders_sizes_and_what_to_free() -> None:
    needs = [need("a", 3), need("a", 1.5, "latent caches", "train_data_dir")]
    problem = only(disk_problems(needs, lambda _: Room(1, 2 * GB)))
    assert exit_code_of([problem]) is ExitCode.TRAINER
    assert problem.where == "config.json line 3: output_dir"
    for text in (
        "No space",
        "output_dir",
        "train_data_dir",
        "3.0 GB of checkpoints",
        "1.5 GB of latent caches",
        "2.0 GB",
    ):
        assert text in problem.message
    assert "Free 3.5 GB" in problem.fix
    assert "save_last_n_epochs" in problem.fix


def test_many_folders_of_one_option_are_one_number() -> None:
    needs = [need(f"f{number}", 0.1, "latent caches", "train_data_dir") for number in range(50)]
    problem = only(disk_problems(needs, lambda _: Room(1, GB)))
    assert "5.0 GB of latent caches" in problem.message
    assert problem.message.count("train_data_dir") == 1
    assert "cache_latents_to_disk" in problem.fix


def test_every_training_keeps_a_record_and_temporary_files(odd_path: Path) -> None:
    settings = settings_for(odd_path, logging_dir="log")
    record, temporary = standing_needs(settings, {"TMPDIR": str(odd_path / "tmp")})
    assert (record.folder, record.option) == (odd_path / "log", "logging_dir")
    assert (temporary.folder, temporary.option) == (odd_path / "tmp", "TMPDIR")
    problems = list(disk_problems((record, temporary), lambda folder: Room(hash(folder), 1_000_000)))
    assert codes(problems) == [("error", "machine.disk")] * 2
    assert "logging_dir" in problems[0].message
    assert "another disk in `TMPDIR`" in problems[1].fix
    assert standing_needs(settings, {})[1].folder.is_dir()


def test_the_room_of_a_folder_to_come_is_that_of_the_folder_it_will_lie_in(odd_path: Path) -> None:
    here = room_at(odd_path)
    assert here is not None
    assert here.device == odd_path.stat().st_dev
    assert here.free_bytes > 0
    later = room_at(odd_path / "not" / "yet")
    assert later is not None
    assert later.device == here.device


def test_no_room_is_told_of_a_name_that_no_system_takes(tmp_path: Path) -> None:
    assert room_at(tmp_path / "a\0b") is None
    (tmp_path / "file").touch()
    assert room_at(tmp_path / "file" / "below") is None


_PLANNED = DiskNeed(
    lora_bytes=10, checkpoints_bytes=40, checkpoints_peak_bytes=50, state_bytes=20, states_bytes=20,
    states_peak_bytes=40, resume_states_bytes=40, samples_bytes=7, latent_caches_bytes=300, text_caches_bytes=0,
    peak_bytes=427, unknown="",
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"checkpoints and states": 80, "sample pictures": 7, "latent caches": 300, "states to resume from": 40}),
        ({"samples_bytes": 0, "resume_states_bytes": 0, "text_caches_bytes": 5, "peak_bytes": 385},
         {"checkpoints and states": 80, "latent caches": 300, "caches of text encoders' outputs": 5}),
        ({"peak_bytes": None, "states_peak_bytes": None, "samples_bytes": None},
         {"checkpoints": 50, "latent caches": 300, "states to resume from": 40}),
    ],
)  # fmt: skip
def test_what_a_plan_writes_lies_in_these_folders(
    tmp_path: Path, changes: dict[str, Any], expected: dict[str, int]
) -> None:
    settings = settings_for(tmp_path, output_dir="out", train_data_dir="images", logging_dir="log")
    folder_of = {"output_dir": "out", "train_data_dir": "images", "logging_dir": "log"}
    needs = planned_needs(settings, replace(_PLANNED, **changes))
    assert {item.what: item.size_bytes for item in needs} == expected
    for item in needs:
        assert item.folder == tmp_path / folder_of[item.option]
        option = "logging_dir" if "resume" in item.what else "train_data_dir" if "caches" in item.what else "output_dir"
        assert item.option == option
