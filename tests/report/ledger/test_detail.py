"""One run in full: where it comes from, what came of it, what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.errors import ProjectError
from loratpl.project import ProjectPaths
from loratpl.report.ledger.detail import RunDetail, detail_of, size_of_tree
from loratpl.run.history import find_run
from tests.report.ledger.told import a_run
from tests.run.earlier_runs import make_state

A, B, C = "20260102-000000-a", "20260103-000000-b", "20260104-000000-c"


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def detail(project: ProjectPaths, name: str) -> RunDetail:
    return detail_of(project, find_run(project, name))


def test_lineage_is_told_both_ways(project: ProjectPaths) -> None:
    a_run(project, A, state="lost")
    a_run(project, B, state="stopped", parent=A, start_step=2)
    a_run(project, C, parent=B, start_step=4)
    a_run(project, "20260105-000000-d", repeats=B)
    found = detail(project, "b")
    assert [(one.run_id, one.step) for one in found.parents] == [(A, 2)]
    assert [(one.run_id, one.step) for one in found.children] == [(C, 4)]
    assert [one.run_id for one in found.repeated_by] == ["20260105-000000-d"]
    assert [(one.run_id, one.step) for one in detail(project, "c").parents] == [(B, 4), (A, 2)]
    repeats = detail(project, "d").repeats
    assert repeats is not None
    assert (repeats.run_id, repeats.is_there) == (B, True)


def test_what_was_removed_is_still_named(project: ProjectPaths) -> None:
    a_run(project, B, parent=A, start_step=2, repeats="20250101-000000-x")
    found = detail(project, "b")
    assert [(one.run_id, one.is_there) for one in found.parents] == [(A, False)]
    assert found.as_json()["lineage"]["repeats"] == {"run_id": "20250101-000000-x", "is_there": False, "step": None}


def test_a_run_that_went_on_from_itself_ends(project: ProjectPaths) -> None:
    a_run(project, A, parent=B, start_step=1)
    a_run(project, B, parent=A, start_step=1)
    assert len(detail(project, "a").parents) == 2


def test_a_state_that_is_whole_can_be_gone_on_from(odd_path: Path) -> None:
    project = ProjectPaths(odd_path)
    make_state(a_run(project, A, state="stopped"))
    found = detail(project, "a")
    assert [(state.state.step, state.fault) for state in found.states] == [(4, "")]
    assert found.can_be_resumed
    assert found.as_json()["now"]["states"][0]["is_exact"]


def test_a_state_that_was_cut_cannot(project: ProjectPaths) -> None:
    folder = make_state(a_run(project, A, state="stopped"))
    (folder / "model.safetensors").write_bytes(b"cut")
    found = detail(project, "a")
    assert "3 bytes, and 28 were written" in found.states[0].fault
    assert not found.can_be_resumed
    (folder / "model.safetensors").unlink()
    assert detail(project, "a").states[0].fault == "model.safetensors is missing."
    (folder / "position.json").write_text("{}", encoding="utf-8")
    assert "position.json" in detail(project, "a").states[0].fault


def test_a_finished_run_is_not_gone_on_with(project: ProjectPaths) -> None:
    make_state(a_run(project, A))
    assert not detail(project, "a").can_be_resumed


def test_a_run_that_saved_nothing_goes_on_from_its_parent(project: ProjectPaths) -> None:
    make_state(a_run(project, A, state="stopped"))
    a_run(project, B, state="lost", parent=A, start_step=4)
    assert detail(project, "b").can_be_resumed


def test_a_damaged_record_is_told(project: ProjectPaths) -> None:
    a_run(project, A).record_path.write_text("{}", encoding="utf-8")
    with pytest.raises(ProjectError):
        detail(project, "a")


def test_a_size_counts_no_links(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 100_000)
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "file").write_bytes(b"12345")
    (folder / "link").symlink_to(tmp_path / "big")
    (folder / "loop").symlink_to(folder)
    assert 5 < size_of_tree(folder) < 1000
    assert size_of_tree(folder / "in" / "file") == 5
    assert size_of_tree(tmp_path / "nothing") == 0
