"""A trainer that says nothing: how long is too long."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.run.watchdog.silence import LEAST_SILENCE_S, SILENCE_BEFORE_STEPS_S, SILENCE_OF
from tests.run.watchdog.watched import Watched


def test_a_hang_between_steps_is_told_again_at_each_doubling(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    assert run.train(1, 10) == []
    assert run.wait(LEAST_SILENCE_S - 1) == []
    (finding,) = run.wait(2)
    assert finding.action == "dump_stacks"
    assert finding.problem.code == "run.silent"
    assert finding.problem.severity == "warning"
    for text in ("for 2 min while training, after step 10, where a step usually takes 1 s", "trainer.log"):
        assert text in finding.problem.message
    assert "--resume" in finding.problem.fix
    assert run.wait(LEAST_SILENCE_S - 5) == []
    assert len(run.wait(10)) == 1
    assert len(run.wait(2 * LEAST_SILENCE_S)) == 1


def test_slow_steps_are_no_silence(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 5, step_s=60.0)
    assert run.wait(29 * 60) == []
    assert len(run.wait(2 * 60)) == 1


def test_before_the_first_step_and_while_saving_it_may_take_long(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.tell("phase", phase="loading the base model")
    assert run.wait(SILENCE_BEFORE_STEPS_S - 5) == []
    (finding,) = run.wait(10)
    assert "while loading the base model, before its first step" in finding.problem.message
    run.train(1, 5)
    for phase, allowed_s in SILENCE_OF.items():
        run.tell("phase", phase=phase)
        assert run.wait(allowed_s - 5) == []
        assert len(run.wait(10)) == 1


def test_what_the_trainer_writes_is_a_sign_of_life(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    for _ in range(20):
        run.dog.line()
        assert run.wait(60) == []


def test_the_stacks_that_it_was_asked_for_are_none(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    assert len(run.wait(LEAST_SILENCE_S + 1)) == 1
    run.dog.line()  # the stacks
    (finding,) = run.wait(LEAST_SILENCE_S + 2)
    assert "for 4 min" in finding.problem.message
    run.wait(10)
    run.dog.line()
    assert run.wait(LEAST_SILENCE_S - 5) == []


def test_a_silence_that_ended_by_itself_makes_the_next_one_usual(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    assert len(run.wait(150)) == 1
    assert run.train(4, 5) == []
    assert run.wait(250) == []
    assert len(run.wait(100)) == 1


def test_a_machine_that_slept_was_not_silent(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    assert run.wait(8 * 3600, look_every_s=2 * 3600) == []
    assert run.wait(LEAST_SILENCE_S - 30) == []


def test_its_own_words_are_no_sign_of_life(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    run.wait(LEAST_SILENCE_S / 2)
    run.tell("problem", code="run.memory", severity="warning", where="", message="", fix="", step=3)
    assert len(run.wait(LEAST_SILENCE_S / 2 + 1)) == 1


def test_after_the_trainer_has_ended_nothing_is_expected_of_it(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    run.tell("phase", phase="looking at what came out")
    assert run.wait(3600) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_stacks_are_asked_for_only_where_they_can_be_had(tmp_path: Path, processes: int) -> None:
    run = Watched(tmp_path, {"kohyatpl": {"launch": {"processes": processes}}})
    run.train(1, 3)
    (finding,) = run.wait(LEAST_SILENCE_S + 1)
    assert finding.action == ("dump_stacks" if processes == 1 else "tell")
    assert ("trainer.log" in finding.problem.message) == (processes == 1)
