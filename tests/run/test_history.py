"""The runs of a project: in order, found by what people type, and the one to go on with."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loratpl.errors import ProjectError, UsageError
from loratpl.project import ProjectPaths, locked
from loratpl.run.history import find_run, last_unfinished, lineage, runs_of, state_to_go_on_from
from tests.given import refusal
from tests.run.earlier_runs import make_run, make_state


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def ids(project: ProjectPaths) -> list[str]:
    return [run.run_id for run in runs_of(project)]


# --- which there are


def test_a_project_that_was_never_trained_has_no_runs(project: ProjectPaths) -> None:
    assert runs_of(project) == ()
    project.root_dir.mkdir()
    project.log_dir.write_text("a file", encoding="utf-8")
    assert runs_of(project) == ()


def test_runs_come_newest_first(odd_path: Path) -> None:
    project = ProjectPaths(odd_path)
    for run_id in ("20260102-030405-b", "20260103-000000-a", "20251231-235959-c"):
        make_run(project, run_id)
    assert ids(project) == ["20260103-000000-a", "20260102-030405-b", "20251231-235959-c"]
    assert [run.name for run in runs_of(project)] == ["a", "b", "c"]


def test_runs_of_one_second_come_by_their_numbers(project: ProjectPaths) -> None:
    for suffix in ("", "-2", "-10"):
        make_run(project, f"20260102-030405-lora{suffix}")
    assert [run.name for run in runs_of(project)] == ["lora-10", "lora-2", "lora"]


def test_the_clock_of_the_wall_may_go_back(project: ProjectPaths) -> None:
    """The id has the time of the wall, which comes twice in a night of autumn; the record has UTC."""
    make_run(project, "20261025-025900-first", started_at="2026-10-25T00:59:00.000+00:00")
    make_run(project, "20261025-020100-second", started_at="2026-10-25T01:01:00.000+00:00")
    assert [run.name for run in runs_of(project)] == ["second", "first"]


def test_what_is_no_run_is_passed_over(project: ProjectPaths) -> None:
    make_run(project)
    (project.log_dir / "notes.txt").write_text("mine", encoding="utf-8")
    (project.log_dir / "20260101000000").mkdir()  # the trainer's own folder for TensorBoard
    (project.log_dir / "20260101-000000-killed-before-its-record").mkdir()
    assert ids(project) == ["20260102-030405-lora"]


@pytest.mark.parametrize("text", ["", "{}", "not JSON", '{"schema_version": 99}', "\0" * 100, '{"started_at": "x"}'])
def test_a_damaged_record_is_a_run_with_a_problem(project: ProjectPaths, text: str) -> None:
    make_run(project, "20260102-030405-whole")
    make_run(project, "20260103-030405-damaged").record_path.write_text(text, encoding="utf-8")
    damaged, whole = runs_of(project)
    assert (damaged.name, whole.name) == ("damaged", "whole")
    assert damaged.record is None
    assert damaged.problem is not None
    assert damaged.problem.code.startswith("project.record.")
    with pytest.raises(ProjectError):
        damaged.whole_record()
    assert whole.problem is None
    assert whole.whole_record().run_id == whole.run_id


def test_a_run_whose_record_was_taken_away_is_still_one(project: ProjectPaths) -> None:
    paths = make_run(project)
    paths.record_path.unlink()
    paths.trainer_log_path.write_text("running training", encoding="utf-8")
    (run,) = runs_of(project)
    assert run.problem is not None
    assert run.problem.code == "project.record.damaged"


def test_a_record_is_read_when_it_is_asked_for(project: ProjectPaths) -> None:
    paths = make_run(project)
    (run,) = runs_of(project)
    paths.record_path.unlink()
    assert run.record is None
    assert run.problem is not None


def test_a_log_folder_that_cannot_be_read_is_told(project: ProjectPaths) -> None:
    project.root_dir.mkdir()
    project.log_dir.symlink_to(project.log_dir.name)
    with pytest.raises(ProjectError) as raised:
        runs_of(project)
    refusal(raised.value, ProjectError, "project.log.unreadable", "Too many levels of symbolic links")


def test_a_thousand_runs_are_listed_at_once(project: ProjectPaths) -> None:
    for number in range(1000):
        packages = {f"package-{name}": "1.2.3" for name in range(150)}
        make_run(project, f"20260102-{number // 60:06d}-lora{number}", packages=packages)
    began = time.perf_counter()
    assert len(runs_of(project)) == 1000
    assert time.perf_counter() - began < 2  # 0.1 s here; each record read would take ten times that


# --- which is meant


def test_a_run_is_found_by_what_names_it(project: ProjectPaths) -> None:
    first = make_run(project, "20260102-030405-cat").run_id
    last = make_run(project, "20260103-030405-Dog ñandú").run_id
    for text in (first, "cat", "0102", f"log/{first}/", f"log\\{first}", "20260102"):
        assert find_run(project, text).run_id == first
    for text in (last, "last", "Dog", "dog ñ", "0103-"):
        assert find_run(project, text).run_id == last


def test_a_whole_id_and_a_whole_name_win_over_parts(project: ProjectPaths) -> None:
    for run_id in ("20260102-030405-lora", "20260102-030405-lora-2", "20260104-000000-lora-x", "20260105-000000-last"):
        make_run(project, run_id)
    assert find_run(project, "20260102-030405-lora").run_id == "20260102-030405-lora"
    assert find_run(project, "lora").run_id == "20260102-030405-lora"
    assert find_run(project, "last").name == "last"


def test_a_part_of_several_names_them(project: ProjectPaths) -> None:
    for day in range(1, 8):
        make_run(project, f"2026010{day}-000000-lora")
    with pytest.raises(UsageError) as raised:
        find_run(project, "lora")
    problem = refusal(raised.value, UsageError, "usage.run.ambiguous", "7 runs", "20260107-000000-lora", "and 2 more")
    assert "20260102-000000-lora" not in problem.message
    assert "`20260107-000000-lora`" in problem.fix


def test_a_mistyped_name_is_guessed(project: ProjectPaths) -> None:
    make_run(project, "20260102-030405-blue-house")
    with pytest.raises(UsageError) as raised:
        find_run(project, "blue-huose")
    refusal(raised.value, UsageError, "usage.run.unknown", "did you mean 20260102-030405-blue-house?")


@pytest.mark.parametrize("text", ["zzz", "", "/", "log/"])
def test_what_names_no_run_names_those_there_are(project: ProjectPaths, text: str) -> None:
    make_run(project, "20260102-030405-blue-house")
    with pytest.raises(UsageError) as raised:
        find_run(project, text)
    refusal(raised.value, UsageError, "usage.run.unknown", "20260102-030405-blue-house", "`last`")


def test_without_runs_that_is_what_is_said(project: ProjectPaths) -> None:
    with pytest.raises(UsageError) as raised:
        find_run(project, "last")
    refusal(raised.value, UsageError, "usage.run.none", "Nothing has been trained", "`kohyatpl run`")


# --- which can be gone on with


def test_the_last_run_that_did_not_finish_is_gone_on_with(project: ProjectPaths) -> None:
    for number, state in enumerate(("stopped", "lost", "failed", "finished"), 1):
        paths = make_run(project, f"2026010{number}-000000-{state}", state=state)
        if state != "finished":
            make_state(paths)
    found = last_unfinished(project)
    assert found is not None
    assert found.name == "failed"


def test_where_all_finished_there_is_none(project: ProjectPaths) -> None:
    assert last_unfinished(project) is None
    make_run(project)
    assert last_unfinished(project) is None


def test_a_run_that_is_live_is_not_gone_on_with(project: ProjectPaths) -> None:
    paths = make_run(project, state="running")
    make_state(paths)
    with locked(project):
        assert last_unfinished(project) is None
    found = last_unfinished(project)  # nobody holds the lock: its owner was killed
    assert found is not None
    assert found.run_id == paths.run_id


def test_a_run_that_failed_at_once_does_not_hide_the_one_before(project: ProjectPaths) -> None:
    make_state(make_run(project, "20260101-000000-night", state="lost"))
    make_run(project, "20260102-000000-typo", state="failed")
    found = last_unfinished(project)
    assert found is not None
    assert found.name == "night"


def test_where_nothing_left_a_state_the_last_is_named_all_the_same(project: ProjectPaths) -> None:
    make_run(project, "20260101-000000-a", state="failed")
    make_run(project, "20260102-000000-b", state="failed")
    found = last_unfinished(project)
    assert found is not None
    assert found.name == "b"
    assert state_to_go_on_from(project, found) is None


def test_a_run_that_another_has_finished_is_not_unfinished(project: ProjectPaths) -> None:
    first = make_run(project, "20260101-000000-a", state="stopped")
    second = make_run(project, "20260102-000000-a", state="stopped", parent=first.run_id)
    make_run(project, "20260103-000000-a", state="finished", parent=second.run_id)
    for paths in (first, second):
        make_state(paths)
    assert last_unfinished(project) is None


def test_a_run_that_ended_before_its_first_state_goes_on_from_that_of_its_parent(project: ProjectPaths) -> None:
    first = make_run(project, "20260101-000000-a", state="stopped")
    state_dir = make_state(first)
    make_run(project, "20260102-000000-a", state="lost", parent=first.run_id, start_step=4)
    found = last_unfinished(project)
    assert found is not None
    assert found.run_id == "20260102-000000-a"
    state = state_to_go_on_from(project, found)
    assert state is not None
    assert state.folder == state_dir


@pytest.mark.parametrize("parent", ["20260102-000000-b", "20260101-000000-a", "gone", "../outside", ""])
def test_a_lineage_ends_wherever_records_lead(project: ProjectPaths, parent: str) -> None:
    make_run(project, "20260101-000000-a", state="stopped", parent=parent)
    make_run(project, "20260102-000000-b", state="stopped", parent="20260101-000000-a")
    newest = runs_of(project)[0]
    assert [run.name for run in lineage(project, newest)] == ["b", "a"]
    assert last_unfinished(project) is not None


def test_a_damaged_record_is_not_gone_on_with(project: ProjectPaths) -> None:
    make_run(project).record_path.write_text("", encoding="utf-8")
    assert last_unfinished(project) is None
