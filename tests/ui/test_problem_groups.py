"""Problems as a person reads them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.errors import Problem, Severity
from loratpl.ui.console import show_problems
from loratpl.ui.problem_groups import SHOWN, grouped


def _problem(code: str, number: int, severity: Severity = "error", fix: str = "Mend it.") -> Problem:
    return Problem(code, f"{code} number {number}.", f"place {number}", fix, severity)


def test_errors_come_first_and_kinds_stay_together(capsys: pytest.CaptureFixture[str]) -> None:
    show_problems([
        _problem("plan.b", 1, "warning"), _problem("plan.a", 1), _problem("plan.c", 1),
        _problem("plan.a", 2, fix="Or so."),
    ])  # fmt: skip
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "error: plan.a number 1.", "  fix: Mend it.", "error: plan.a number 2.", "  fix: Or so.",
        "error: plan.c number 1.", "  fix: Mend it.", "warning: plan.b number 1.", "  fix: Mend it.",
    ]  # fmt: skip


def test_many_of_a_kind_are_counted_and_their_fix_stands_once(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    show_problems([_problem("plan.a", number) for number in range(5000)])
    assert time.monotonic() - began < 2
    assert capsys.readouterr().err.splitlines() == [
        "error: plan.a number 0.", "error: plan.a number 1.", "error: plan.a number 2.",
        "  and 4,997 more of this kind; `--json` names them all", "  fix: Mend it.",
    ]  # fmt: skip


def test_what_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_problems([Problem("plan.a", "1_[red]cat is wrong.", "", "Call it [bold].")])
    assert capsys.readouterr().err == "error: 1_[red]cat is wrong.\n  fix: Call it [bold].\n"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("error", "warning")))))
def test_every_problem_is_counted_once(kinds: list[tuple[str, Severity]]) -> None:
    groups = grouped(_problem(f"plan.{code}", number, severity) for number, (code, severity) in enumerate(kinds))
    assert sum(group.count for group in groups) == len(kinds)
    assert [group.shown[0].severity for group in groups] == sorted(group.shown[0].severity for group in groups)
    assert all(1 <= len(group.shown) <= SHOWN + 1 for group in groups)
