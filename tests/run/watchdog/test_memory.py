"""Memory that is nearly gone."""

from __future__ import annotations

from pathlib import Path

from loratpl.run.watchdog.memory import LEAST_BYTES, available_bytes
from tests.run.watchdog.watched import Watched


def test_it_is_told_once_before_the_system_kills(tmp_path: Path) -> None:
    run = Watched(tmp_path, memory_bytes=LEAST_BYTES)
    assert run.train(1, 5) == []
    run.memory_bytes = LEAST_BYTES - 1
    (finding,) = run.train(6, 20)
    assert (finding.problem.code, finding.problem.severity, finding.action) == ("run.memory", "warning", "tell")
    assert "400 MB" in finding.problem.message


def test_a_system_that_does_not_say_is_no_fault(tmp_path: Path) -> None:
    assert Watched(tmp_path, memory_bytes=None).train(1, 10) == []


def test_this_machine_is_asked_where_nothing_else_is_given() -> None:
    available = available_bytes()
    assert available is None or available > 0
