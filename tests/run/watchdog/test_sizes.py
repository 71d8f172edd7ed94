"""What is still to be written, from the plan and from what has been written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loratpl.plan.disk.lora import LoraSize, lora_size
from loratpl.plan.disk.need import disk_need
from loratpl.plan.outputs import planned_files
from loratpl.plan.planner import make_plan
from loratpl.run.watchdog.sizes import NextSaving, Sizes
from tests.given import resolved
from tests.plan.made import squares


def sizes_of(folder: Path, **values: Any) -> tuple[Sizes, int, int]:
    """Returns the sizes, and those of a file and a state as the plan has them."""
    settings, _ = resolved(folder, {"resolution": "512,512", **values})
    plan = make_plan(squares(10), settings)
    size = lora_size(settings)
    assert isinstance(size, LoraSize)
    return (
        Sizes(settings, plan, planned_files(settings, plan)),
        size.file_bytes,
        disk_need(settings, plan).state_bytes or 0,
    )


def test_files_and_states_of_a_saving_count_together(tmp_path: Path) -> None:
    sizes, file, state = sizes_of(tmp_path, max_train_epochs=3, save_every_n_epochs=1, save_state=True)
    assert file > 0
    assert state > 0
    assert sizes.next_saving(0) == NextSaving(10, file + state)
    assert sizes.next_saving(9) == NextSaving(10, file + state)
    assert sizes.next_saving(10) == NextSaving(20, file + state)
    assert sizes.next_saving(30) is None
    assert [sizes.rest_bytes(step) for step in (0, 10, 29, 30)] == [n * (file + state) for n in (3, 2, 1, 0)]


def test_what_is_removed_makes_room_for_what_comes(tmp_path: Path) -> None:
    sizes, file, _ = sizes_of(tmp_path, max_train_epochs=6, save_every_n_epochs=1, save_last_n_epochs=1)
    assert sizes.rest_bytes(0) == 2 * file
    assert sizes.rest_bytes(20) == file  # the one before goes when the next is there


def test_what_has_been_written_is_known_better(tmp_path: Path) -> None:
    sizes, _, _ = sizes_of(tmp_path, max_train_epochs=3, save_every_n_epochs=1)
    sizes.take({"event": "checkpoint", "size_bytes": 7})
    sizes.take({"event": "state", "state_dir": "s", "size_bytes": 11})
    assert sizes.next_saving(0) == NextSaving(10, 7)
    assert sizes.state_bytes == 11
    sizes.take({"event": "state", "state_dir": None, "error": "full", "size_bytes": 0})
    sizes.take({"event": "checkpoint", "size_bytes": None})
    assert (sizes.file_bytes, sizes.state_bytes) == (7, 11)


def test_a_size_that_is_not_known_is_none_until_it_is_seen(tmp_path: Path) -> None:
    settings, _ = resolved(tmp_path, {"resolution": "512,512", "network_module": "somebody.elses"})
    plan = make_plan(squares(10), settings)
    sizes = Sizes(settings, plan, planned_files(settings, plan))
    assert (sizes.file_bytes, sizes.state_bytes, sizes.rest_bytes(0)) == (0, 0, 0)
