"""The tree of errors and the exit codes that follow from problems."""

from __future__ import annotations

import ast
import inspect
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import loratpl
from loratpl import errors
from loratpl.errors import (
    EXIT_CODE_OF,
    BusyError,
    ConfigError,
    KohyatplError,
    Problem,
    ProjectError,
    RunError,
    StoppedError,
    TrainerError,
    UsageError,
    error_from,
    exit_code_of,
    raise_errors,
)

_SOURCE_DIR = Path(loratpl.__file__).parent
_KINDS: dict[str, type[KohyatplError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, KohyatplError)
}
_PROBLEMS = st.builds(
    Problem,
    code=st.sampled_from([f"{word}.x" for word in EXIT_CODE_OF]),
    message=st.text(),
    severity=st.sampled_from(("error", "warning")),
)
_CODES = [
    (UsageError, 2),
    (ConfigError, 3),
    (ProjectError, 4),
    (TrainerError, 5),
    (RunError, 6),
    (BusyError, 7),
]


@pytest.mark.parametrize(("kind", "code"), _CODES)
def test_each_kind_of_error_has_the_exit_code_that_the_docs_promise(kind: type[KohyatplError], code: int) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, KohyatplError)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__ is not None
    drawn = {word for word in errors.__doc__.split() if word.endswith("Error")}
    assert drawn == set(_KINDS)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (1, 129)])
def test_a_stop_exits_like_its_signal(number: int, code: int) -> None:
    assert StoppedError(number).stop_code == code


def test_an_error_reads_like_its_problems_and_keeps_its_data() -> None:
    error = RunError(Problem("run.a", "One."), Problem("run.b", "Two."), data={"state": "failed"})
    assert str(error) == "One.\nTwo."
    assert [problem.code for problem in error.problems] == ["run.a", "run.b"]
    assert error.data == {"state": "failed"}
    assert RunError().data == {}


@settings(deadline=None)
@given(problems=st.lists(_PROBLEMS, max_size=5))
def test_the_lowest_code_of_the_errors_wins_and_warnings_do_not_count(problems: list[Problem]) -> None:
    codes = [EXIT_CODE_OF[p.code.split(".")[0]] for p in problems if p.severity == "error"]
    assert exit_code_of(problems) == (min(codes) if codes else 0)
    if codes:
        error = error_from(problems)
        assert error.exit_code == min(codes)
        assert error.problems == tuple(problems)


@settings(deadline=None)
@given(problems=st.lists(_PROBLEMS, max_size=5))
def test_problems_are_raised_all_together_when_one_of_them_is_an_error(problems: list[Problem]) -> None:
    if all(problem.severity == "warning" for problem in problems):
        raise_errors(iter(problems))
        return
    with pytest.raises(KohyatplError) as caught:
        raise_errors(iter(problems))
    assert caught.value.problems == tuple(problems)
    assert caught.value.exit_code == exit_code_of(problems)


def _problem_calls() -> Iterator[tuple[str, str, str | None]]:
    """Yields place, code and the error around it of each `Problem("…", …)` in our code."""
    for path in sorted(_SOURCE_DIR.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            for call in [node] if node.func.id == "Problem" else node.args:
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Problem":
                    code = call.args[0]
                    if isinstance(code, ast.Constant):
                        around = node.func.id if node.func.id in _KINDS else None
                        yield f"{path.relative_to(_SOURCE_DIR)}:{call.lineno}", str(code.value), around


_CALLS = list(_problem_calls())


def test_every_error_that_is_raised_is_of_the_kind_of_its_code() -> None:
    assert len(_CALLS) > 30
    own_code = ("BusyError", "StoppedError")  # 7, and the signal's
    wrong = {
        place: (code, around)
        for place, code, around in _CALLS
        if around and around not in own_code and EXIT_CODE_OF[code.split(".")[0]] != _KINDS[around].exit_code
    }
    assert wrong == {}


def test_every_exit_code_belongs_to_one_kind_of_error_or_to_none() -> None:
    codes = [kind.exit_code for kind in _KINDS.values() if kind is not KohyatplError and kind is not StoppedError]
    assert sorted(codes) == sorted(set(codes))
    assert all(inspect.getdoc(kind) for kind in _KINDS.values())
