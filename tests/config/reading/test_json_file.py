"""JSON configs: positions, and why a text is no JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.config.reading import KeyPath
from tests.config.reading.files import SCALARS, objects, problems_of, read, refused, same

FILE = "config.json"


def test_a_config_is_read_with_the_line_of_each_key(odd_path: Path) -> None:
    values, lines = read(odd_path, '{\n "network_dim": 8,\n\n "kohyatpl": {"launch":\n  {"processes": 2}}\n}', FILE)
    assert values == {"network_dim": 8, "kohyatpl": {"launch": {"processes": 2}}}
    assert lines == {
        ("network_dim",): 2,
        ("kohyatpl",): 4,
        ("kohyatpl", "launch"): 4,
        ("kohyatpl", "launch", "processes"): 5,
    }


class _Layout:
    """Writes JSON with any blank space between its parts and notes the line on which each key begins."""

    def __init__(self, value: Any, rng: random.Random) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._rng = rng
        self._line = 1
        self.text = "".join(self._counted(part) for part in self._parts(value, ()))

    def _counted(self, part: str) -> str:
        self._line += part.count("\n")
        return part

    def _gap(self) -> str:
        return self._rng.choice(("", "", " ", "\n", "\r\n", "\n\n\t"))

    def _parts(self, value: Any, path: KeyPath) -> Iterator[str]:
        yield self._gap()
        if isinstance(value, dict):
            yield "{"
            for index, (key, inner) in enumerate(value.items()):
                yield ("," if index else "") + self._gap()
                self.lines[(*path, key)] = self._line
                yield json.dumps(key, ensure_ascii=self._rng.random() < 0.5) + self._gap() + ":"
                yield from self._parts(inner, (*path, key))
            yield "}"
        elif isinstance(value, list):
            yield "["
            for index, inner in enumerate(value):
                yield "," if index else ""
                yield from self._parts(inner, path)
            yield "]"
        else:
            yield json.dumps(value, ensure_ascii=self._rng.random() < 0.5)
        yield self._gap()


@settings(deadline=None)
@given(values=objects(SCALARS | st.none() | st.integers()), rng=st.randoms(use_true_random=False))
def test_values_and_lines_are_right_however_the_file_is_laid_out(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any], rng: random.Random
) -> None:
    layout = _Layout(values, rng)
    found, lines = read(tmp_path_factory.getbasetemp(), layout.text, FILE)
    assert same(found, values)
    assert lines == layout.lines


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"seed" 1}', 1),
        ('{\n "seed": 1\n "network_dim": 2}', 3),
        ('{\n\n "seed": one}', 3),
        ('{"seed": 1} {}', 1),
        ("hello", 1),
    ],
)
def test_a_syntax_error_is_named_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    problem = refused(tmp_path, content, FILE, "config.syntax", f"config.json line {line}, column ")
    assert "Mend that place" in problem.fix


@pytest.mark.parametrize("content", ['{"seed": 1\n', '{"seed": 1,\n', '{"seed":\n\n', '{"note": "a\u2028b"\n\n'])
def test_a_file_that_ends_too_early_is_a_syntax_error(tmp_path: Path, content: str) -> None:
    refused(tmp_path, content, FILE, "config.syntax", f"config.json line {content.count(chr(10)) + 1}")


@pytest.mark.parametrize("comment", ["// the seed", "/* the\n seed */", "# the seed", '// "C:\\m", {'])
def test_comments_are_refused_with_their_lines(tmp_path: Path, comment: str) -> None:
    content = f'{{\n "url": "http://a#b /* c */", {comment}\n "seed": 1\n}}\n{comment}'
    last = 5 + comment.count("\n")
    problem = refused(tmp_path, content, FILE, "config.syntax", f"lines 2 and {last} hold one each")
    assert problem.where == "config.json line 2"
    assert ".yaml" in problem.fix


def test_many_comments_are_one_problem(tmp_path: Path) -> None:
    content = "{" + "\n// x" * 20 + "\n}"
    refused(tmp_path, content, FILE, "config.syntax", "lines 2, 3, 4, 5, 6, 7, 8, 9 and 12 more")


def test_a_comment_that_is_not_closed_is_named(tmp_path: Path) -> None:
    refused(tmp_path, '{\n "seed": 1\n}\n/* ' + "/*" * 10_000, FILE, "config.syntax", "line 4 holds one")


def test_what_is_advised_for_comments_works(tmp_path: Path) -> None:
    content = '{\n "seed": 1, # the seed\n "network_args": ["conv_dim=4",],\n}'
    comments, comma = problems_of(tmp_path, content, FILE)
    assert ("no comments" in comments.message, "no comma" in comma.message) == (True, True)
    assert "lines 3 and 4" not in comma.message
    values, _ = read(tmp_path, content, "config.yaml")
    assert values == {"seed": 1, "network_args": ["conv_dim=4"]}


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('{\n "seed": 1,\n}', "line 2 ends"),
        ('{"a": {"b": 1,}}', "line 1 ends"),
        ('{"a":\n[1,\n2,\n]}', "line 3 ends"),
        ('{"a": [1,],\n"b": ",]",\n\n}', "lines 1 and 2 end"),
    ],
)
def test_a_comma_after_the_last_entry_is_explained(tmp_path: Path, content: str, lines: str) -> None:
    assert "comma" in refused(tmp_path, content, FILE, "config.syntax", lines).fix


def test_another_fault_before_a_comment_is_named_itself(tmp_path: Path) -> None:
    refused(tmp_path, '{\n "seed" 1,\n "a": 2 // b\n}', FILE, "config.syntax", "line 2, column 9")


@pytest.mark.parametrize("content", ["{seed: 1}", "{'seed': 1}"])
def test_a_key_without_double_quotes_is_explained(tmp_path: Path, content: str) -> None:
    assert "double quotes" in refused(tmp_path, content, FILE, "config.syntax", "line 1").fix


@pytest.mark.parametrize(("word", "right"), [("True", "true"), ("False", "false"), ("None", "null")])
def test_a_word_of_python_is_explained(tmp_path: Path, word: str, right: str) -> None:
    assert f"`{right}`" in refused(tmp_path, f'{{\n"a": {word}}}', FILE, "config.syntax", "line 2").fix


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (r"C:\models\x.safetensors", "C:/models/x.safetensors"),
        (r"D:\users\me", "D:/users/me"),
        (r"\\server\share", "/server/share"),
    ],
)
def test_a_single_backslash_is_explained(tmp_path: Path, path: str, meant: str) -> None:
    problem = refused(tmp_path, f'{{\n "vae": "{path}"}}', FILE, "config.syntax", "line 2", f"`{path}`")
    assert f"`{meant}`" in problem.fix
    assert r"C:\\models" in problem.fix


def test_every_single_backslash_is_named(tmp_path: Path) -> None:
    content = '{\n "vae": "C:\\models",\n "output_dir": "C:\\\\out",\n "logging_dir": "D:\\logs"}'
    assert [problem.where for problem in problems_of(tmp_path, content, FILE)] == [
        "config.json line 2",
        "config.json line 4",
    ]


@pytest.mark.parametrize("path", ["C:\\", "C:\\new\\", "D:\\\\a\\"])
@pytest.mark.parametrize("rest", ["\n}", ',\n "seed": 1}', "}", ', "seed": 1}'])
def test_a_backslash_before_the_closing_quote_is_explained(tmp_path: Path, path: str, rest: str) -> None:
    problem = refused(tmp_path, f'{{\n "train_data_dir": "{path}"{rest}', FILE, "config.syntax", "line 2")
    assert "backslash" in problem.fix or rest == ', "seed": 1}'  # there the text ends with the next quote


def test_a_backslash_on_another_line_is_not_blamed(tmp_path: Path) -> None:
    problem = refused(tmp_path, '{\n "vae": "C:\\\\models"\n "seed": 1}', FILE, "config.syntax", "line 3")
    assert "backslash" not in problem.fix


@pytest.mark.parametrize(
    ("content", "kind"),
    [("seed = 1\n", "TOML"), ("# x\n\n[net]\nseed = 1", "TOML"), ("seed: 1", "YAML"), ("---\nseed: 1", "YAML")],
)
def test_another_format_under_the_name_of_json_is_told(tmp_path: Path, content: str, kind: str) -> None:
    assert f".{kind.lower()}" in refused(tmp_path, content, FILE, "config.syntax", f"looks like {kind}").fix


def test_every_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    content = '{"seed": 1,\n "kohyatpl": {"a": 1,\n "a": 2}, "list": [{"x": 1}, {"x": 2,\n "x": 3}],\n"seed": 1}'
    problems = problems_of(tmp_path, content, FILE)
    assert {problem.code for problem in problems} == {"config.key.duplicate"}
    assert [(problem.where, problem.fix) for problem in problems] == [
        ("config.json line 3: kohyatpl.a", "Keep the one you mean: line 2 or line 3."),
        ("config.json line 4: list.x", "Keep the one you mean: line 3 or line 4."),
        ("config.json line 5: seed", "Keep the one you mean: line 1 or line 5."),
    ]


def test_a_key_that_stands_twice_on_one_line_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, '{"seed": 1, "\\u0073eed": 1}', FILE, "config.key.duplicate", "`seed` stands twice on it")


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"a":[', "[\n"])
@pytest.mark.parametrize("count", [33, 100_000])
def test_a_config_nested_without_end_is_refused(tmp_path: Path, opening: str, count: int) -> None:
    problem = refused(tmp_path, opening * count, FILE, "config.nesting", "32 levels")
    assert problem.where == f"config.json line {33 if opening.endswith(chr(10)) else 1}"
    assert "three levels" in problem.fix


def test_brackets_in_texts_are_no_nesting(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps({"a": "[{" * 1000}), FILE)[0] == {"a": "[{" * 1000}
