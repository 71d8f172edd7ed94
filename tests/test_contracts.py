"""What is promised to scripts: problem codes and exit codes, the same in the code and in docs/reference.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import loratpl
from loratpl.errors import EXIT_CODE_OF, ExitCode
from loratpl.ui.cli.app import app

PACKAGE_DIR = Path(loratpl.__file__).parent
REFERENCE = PACKAGE_DIR.parent / "docs" / "reference.md"
FIRST_WORDS = {*EXIT_CODE_OF, "bug"}
CODE = re.compile(rf"(?:{'|'.join(EXIT_CODE_OF)})(?:\.[a-z][a-z_]*)+|bug")
# Texts of the same form that name files: config.json, trainer.log, …
FILE_SUFFIXES = (".json", ".log", ".toml", ".txt", ".py", ".md", ".lock")
MODULES = {
    path.relative_to(PACKAGE_DIR).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE_DIR.rglob("*.py"))
    if "inside" not in path.parts
}


def called(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def codes_of_templates(tree: ast.Module) -> Iterator[str]:
    """Yields the codes that are made of an f-string: for each text that its one name may stand for."""
    for function in functions_of(tree):
        for problem in (node for node in ast.walk(function) if called(node, "Problem")):
            template = problem.args[0] if isinstance(problem, ast.Call) else None
            if isinstance(template, ast.JoinedStr):
                (hole,) = [part.value for part in template.values if isinstance(part, ast.FormattedValue)]
                assert isinstance(hole, ast.Name), "a code may be made with a name alone"
                words = [*words_of_argument(tree, function, hole.id), *words_of_loop(tree, function, hole.id)]
                assert words, f"nobody knows what {hole.id} may be in {ast.unparse(template)}"
                yield from (ast.unparse(template)[2:-1].replace(f"{{{hole.id}}}", word) for word in words)


def functions_of(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def words_of_argument(tree: ast.Module, function: ast.FunctionDef, name: str) -> Iterator[str]:
    """Yields the texts that calls of a function hand over as one of its arguments."""
    names = [argument.arg for argument in function.args.args]
    if name in names:
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and called(call, function.name):
                yield constant(call.args[names.index(name)])


def words_of_loop(tree: ast.Module, function: ast.FunctionDef, name: str) -> Iterator[str]:
    """Yields the texts that a name has in `for name, … in generator()`."""
    for loop in (node for node in ast.walk(function) if isinstance(node, ast.comprehension)):
        targets = [element.id for element in ast.walk(loop.target) if isinstance(element, ast.Name)]
        for generator in (other for other in functions_of(tree) if called(loop.iter, other.name)):
            for node in (node.value for node in ast.walk(generator) if isinstance(node, ast.Yield)):
                assert isinstance(node, ast.Tuple)
                yield constant(node.elts[targets.index(name)])


def constant(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant), "a code may be made of constants alone"
    return str(node.value)


def codes_of_constants(tree: ast.Module) -> Iterator[str]:
    """Yields every text that has the form of a code: most stand in a Problem, some are handed to a function."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and CODE.fullmatch(text) and not text.endswith(FILE_SUFFIXES):
            yield text


CODES = {
    code for tree in MODULES.values() for codes in (codes_of_constants, codes_of_templates) for code in codes(tree)
}


def first_arguments() -> Iterator[tuple[str, ast.expr]]:
    """Yields the place of every Problem that is made, and its first argument."""
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if called(node, "Problem") and isinstance(node, ast.Call):
                yield f"{name}:{node.lineno}", node.args[0]


def test_codes_are_found_at_all() -> None:
    assert {"bug", "usage.family", "usage.template", "config.key.unknown", "run.output.nan"} <= CODES
    assert len(list(first_arguments())) > 40


def test_a_code_stands_where_it_can_be_found() -> None:
    """As a text, as a template of arguments, or as an argument or attribute that is such a text."""
    for place, argument in first_arguments():
        assert isinstance(argument, (ast.Constant, ast.JoinedStr, ast.Name, ast.Attribute)), place
        assert not isinstance(argument, ast.Constant) or argument.value in CODES, place


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_first_word_of_a_code_decides_an_exit_code(code: str) -> None:
    assert code.partition(".")[0] in FIRST_WORDS


def test_every_kind_of_code_is_used() -> None:
    assert {code.partition(".")[0] for code in CODES} == FIRST_WORDS


# --- docs/reference.md


@pytest.fixture(scope="module")
def reference() -> str:
    return REFERENCE.read_text(encoding="utf-8")


def documented_codes(reference: str) -> set[str]:
    _, _, table = reference.partition("## Problem codes")
    return set(re.findall(r"`([a-z._]+)`", "\n".join(row.split("|")[1] for row in table.splitlines() if "|" in row)))


def test_every_problem_code_is_documented(reference: str) -> None:
    assert CODES - documented_codes(reference) == set()


def test_no_other_problem_code_is_documented(reference: str) -> None:
    assert documented_codes(reference) - CODES == set()


@pytest.mark.parametrize("code", ExitCode, ids=lambda code: code.name)
def test_every_exit_code_is_documented(reference: str, code: ExitCode) -> None:
    _, _, section = reference.partition("## Exit codes")
    cells = [row.split("|")[1] for row in section.partition("\n## ")[0].splitlines() if "|" in row]
    assert str(int(code)) in re.findall(r"\d+", " ".join(cells))


def test_no_other_exit_code_is_documented(reference: str) -> None:
    _, _, section = reference.partition("## Exit codes")
    cells = [row.split("|")[1] for row in section.partition("\n## ")[0].splitlines() if "|" in row]
    assert {int(number) for number in re.findall(r"\d+", " ".join(cells))} == {int(code) for code in ExitCode}


def command_rows(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    children = getattr(node, "commands", None)
    if children is None:
        yield path, node
        return
    for name, child in children.items():
        yield from command_rows(child, (*path, name))


@pytest.mark.parametrize(
    ("path", "command"),
    list(command_rows(typer.main.get_command(app))),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_every_command_is_documented_with_what_it_takes(reference: str, path: tuple[str, ...], command: Any) -> None:
    _, _, section = reference.partition("## Commands")
    rows = [row.split("|")[1] for row in section.partition("\n## ")[0].splitlines() if row.startswith("| `")]
    (row,) = [row for row in rows if re.match(rf" `{' '.join(path)}[ `]", row)]
    common = {"--json", "--quiet", "--debug"}
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")} - common
    assert options <= set(re.findall(r"--[a-z-]+", row))
    assert set(re.findall(r"--[a-z-]+", row)) <= options


def test_no_other_command_is_documented(reference: str) -> None:
    _, _, section = reference.partition("## Commands")
    rows = [row.split("|")[1] for row in section.partition("\n## ")[0].splitlines() if row.startswith("| `")]
    assert len(rows) == len(list(command_rows(typer.main.get_command(app))))


@pytest.mark.parametrize("option", ["--json", "--quiet", "--debug"])
def test_the_common_options_are_documented(reference: str, option: str) -> None:
    assert option in reference
