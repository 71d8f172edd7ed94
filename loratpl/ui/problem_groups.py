"""Problems in the order in which a person reads them: the worst first, those of one kind together, none too often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loratpl.errors import Problem

# A person reads as many of a kind; `--json` has them all.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems of one kind.

    Attributes:
        shown: The first few of them.
        count: How many there are.
        fix: What mends all that are shown; "" where each has a fix of its own.
    """

    shown: tuple[Problem, ...]
    count: int
    fix: str

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.shown)


def grouped(problems: Iterable[Problem]) -> tuple[ProblemGroup, ...]:
    """Returns the problems by severity and code: errors before warnings, otherwise in the order of their first."""
    kinds: dict[tuple[bool, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.severity != "error", problem.code), []).append(problem)
    found = []
    for kind in sorted(kinds, key=lambda kind: kind[0]):
        members = kinds[kind]
        # One that is left out takes a line as well.
        shown = members if len(members) <= SHOWN + 1 else members[:SHOWN]
        fixes = {problem.fix for problem in shown}
        is_shared = len(shown) > 1 and len(fixes) == 1
        found.append(ProblemGroup(tuple(shown), len(members), fixes.pop() if is_shared else ""))
    return tuple(found)
