"""What the tests of reading start from: config files, their refusals, and random configs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from loratpl.config.reading import KeyPath, read_config
from loratpl.errors import ConfigError, Problem
from tests.given import only

# Everything that could be taken for the structure of a file, or for another type than a text.
# "a:\n" is left out: a drive with a line break behind it is refused.
NASTY = (
    st.text(st.sampled_from("\"'\\{}[]:=,.#-&*!%|>/ \n\taä😀\u2028"), max_size=6).filter(lambda text: text[1:2] != ":")
    | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=4).filter(lambda text: text[1:2] != ":")
    | st.sampled_from(["no", "on", "yes", "true", "null", "~", "1e-4", "0123", "2024-01-01", "<<", "1_000", "1:30"])
)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.booleans() | NUMBERS | NASTY


def objects(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Returns configs of any shape that hold such values."""
    inner = st.recursive(
        scalars,
        lambda values: st.lists(values, max_size=3) | st.dictionaries(NASTY, values, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(NASTY, inner, max_size=5)


def config_file(folder: Path, content: bytes | str, name: str = "config.json") -> Path:
    """Returns a file of this content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: bytes | str, name: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Returns the values and lines of a config of this content."""
    raw = read_config(config_file(folder, content, name))
    return dict(raw.values), dict(raw.lines)


def problems_of(folder: Path, content: bytes | str, name: str) -> tuple[Problem, ...]:
    """Returns what is wrong with a config of this content; each names the file and says what to do."""
    path = config_file(folder, content, name)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    for problem in caught.value.problems:
        assert name in problem.message
        assert name in problem.where
        assert problem.fix
        assert problem.severity == "error"
    return caught.value.problems


def refused(folder: Path, content: bytes | str, name: str, code: str, *named: str) -> Problem:
    """Returns the one problem of a config of this content, which names all of these texts."""
    problem = only(problems_of(folder, content, name))
    assert problem.code == code
    for text in named:
        assert text in f"{problem.message}\n{problem.where}\n{problem.fix}"
    return problem


def same(found: Any, meant: Any) -> bool:
    """Returns whether two values are equal in their types as well: 1 is not true, and not 1.0."""
    if isinstance(meant, dict):
        return isinstance(found, dict) and list(found) == list(meant) and all(same(found[k], meant[k]) for k in meant)
    if isinstance(meant, list):
        return isinstance(found, list) and len(found) == len(meant) and all(map(same, found, meant))
    return type(found) is type(meant) and bool(found == meant)
