"""Whether a run can be gone on with: each reason against it is told, with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import ExitCode, Problem, exit_code_of
from loratpl.plan.planner import TrainingPlan
from loratpl.project import ProjectPaths, open_project
from loratpl.render.prepare import judge, prepare
from loratpl.run.differences import Comparison, Difference
from loratpl.run.history import runs_of
from loratpl.run.resuming import difference_problems, repeat_problems, resume_problems
from loratpl.run.states import newest_state
from tests.given import only
from tests.run.earlier_runs import make_run, make_state
from tests.stand_in import make_trainable_project

SEED = Difference("settings", "seed", "1", "2")
TITLE = Difference("settings", "metadata_title", None, "a", matters=False, reason="it is a note")


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """Two pictures, six steps: three epochs of two batches, as the states of these tests."""
    return open_project(make_trainable_project(tmp_path / "project"))


def problems_of(project: ProjectPaths, plan: TrainingPlan | None = None) -> tuple[Problem, ...]:
    (run,) = runs_of(project)
    plan = plan or prepare(project).plan
    return resume_problems(project, run, run.whole_record(), newest_state(run.paths), plan)


def test_a_stopped_run_with_a_whole_state_can_be_gone_on_with(project: ProjectPaths) -> None:
    make_state(make_run(project, state="stopped", last_step=4))
    assert problems_of(project) == ()


def test_a_finished_run_is_trained_again_under_another_name(project: ProjectPaths) -> None:
    make_run(project)
    problem = only(problems_of(project))
    assert problem.code == "usage.resume.finished"
    assert "`kohyatpl run --from 20260102-030405-lora --name NAME`" in problem.fix
    assert exit_code_of([problem]) == ExitCode.USAGE


def test_without_a_state_there_is_nothing_to_go_on_from(project: ProjectPaths) -> None:
    make_run(project, state="lost", last_step=3)
    problem = only(problems_of(project))
    assert problem.code == "run.resume.no_state"
    assert "(lost after step 3)" in problem.message
    assert "save_state_every" in problem.fix


def test_a_state_of_the_first_version_is_said_to_be_one(project: ProjectPaths) -> None:
    paths = make_run(project, state="stopped", last_step=3, state_dir="log/x/state")
    text = paths.record_path.read_text(encoding="utf-8")
    paths.record_path.write_text(text.replace('"schema_version": 2', '"schema_version": 1'), encoding="utf-8")
    problem = only(problems_of(project))
    assert problem.code == "run.resume.no_state"
    assert "earlier version" in problem.message


def test_a_damaged_state_is_told(project: ProjectPaths) -> None:
    folder = make_state(make_run(project, state="stopped"))
    (folder / "position.bin").write_bytes(b"Place")
    assert only(problems_of(project)).code == "run.state.damaged"


@pytest.mark.parametrize(
    ("position", "code", "words"),
    [
        ({"max_train_steps": 8}, "run.resume.position", "8 steps in all then, 6 now"),
        ({"batches_per_epoch": 3}, "run.resume.position", "3 batches in an epoch then, 2 now"),
        ({"gradient_accumulation_steps": 2}, "run.resume.position", "2 batches to a step then, 1 now"),
        ({"processes": 2}, "run.resume.processes", "(2)"),
        ({"step": 6, "epoch": 3, "batches": 2}, "run.resume.at_end", "step 6 of 6"),
    ],
)
def test_a_state_of_another_plan_is_refused(
    project: ProjectPaths, position: dict[str, Any], code: str, words: str
) -> None:
    make_state(make_run(project, state="stopped"), **{"step": 4, **position})
    problem = only(problems_of(project))
    assert problem.code == code
    assert problem.severity == "error"
    assert words in problem.message
    assert problem.fix


def test_several_processes_now_are_refused_as_well(project: ProjectPaths) -> None:
    make_state(make_run(project, state="stopped"))
    plan = judge(project, processes=2).plan
    assert plan is not None
    assert only(problems_of(project, plan)).code == "run.resume.processes"


def test_a_state_that_is_not_exact_says_why(project: ProjectPaths) -> None:
    make_state(make_run(project, state="stopped"), is_exact=False, inexact_because="the workers were busy")
    problem = only(problems_of(project))
    assert (problem.code, problem.severity) == ("run.resume.inexact", "warning")
    assert "the workers were busy" in problem.message


# --- differences


def test_the_same_training_is_gone_on_with_without_a_word() -> None:
    assert difference_problems("a", Comparison(()), force=False) == ()


def test_another_training_is_refused_with_the_first_five_differences() -> None:
    comparison = Comparison(tuple(Difference("settings", f"key{number}", "1", "2") for number in range(7)))
    problem = only(difference_problems("a", comparison, force=False))
    assert (problem.code, problem.severity) == ("run.resume.differs", "error")
    assert "key0 was 1 and is 2; key1" in problem.message
    assert "key4 was 1 and is 2; and 2 more" in problem.message
    assert "key5" not in problem.message
    assert "--force" in problem.fix
    assert exit_code_of([problem]) == ExitCode.RUN


def test_force_turns_the_refusal_into_a_warning() -> None:
    problem = only(difference_problems("a", Comparison((SEED,)), force=True))
    assert (problem.code, problem.severity) == ("run.resume.differs", "warning")
    assert "seed was 1 and is 2" in problem.message


def test_what_does_not_matter_is_told_with_its_reason() -> None:
    refused, told = difference_problems("a", Comparison((SEED, TITLE)), force=False)
    assert refused.code == "run.resume.differs"
    assert "metadata_title" not in refused.message
    assert (told.code, told.severity) == ("run.resume.changed", "warning")
    assert "metadata_title is a and was unset" in told.message
    assert "it is a note" in told.message


def test_what_is_not_known_is_said() -> None:
    comparison = Comparison((), ("whether the model is the same: it was not hashed", "whether cats are"))
    problem = only(difference_problems("a", comparison, force=False))
    assert (problem.code, problem.severity) == ("run.resume.unknown", "warning")
    assert "It is not known whether the model is the same: it was not hashed; nor whether cats are." in problem.message


def test_a_training_that_is_made_again_differs_with_a_warning() -> None:
    differs, unknown = repeat_problems("a", Comparison((SEED, TITLE), ("whether the model is the same",)))
    assert (differs.code, differs.severity) == ("run.repeat.differs", "warning")
    assert "seed" in differs.message
    assert "metadata_title" not in differs.message
    assert (unknown.code, unknown.severity) == ("run.resume.unknown", "warning")
    assert repeat_problems("a", Comparison((TITLE,))) == ()
