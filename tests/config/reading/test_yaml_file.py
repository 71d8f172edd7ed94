"""YAML configs: positions, what YAML 1.1 would take for something else, and what is refused."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.config.reading import KeyPath
from tests.config.reading.files import SCALARS, objects, problems_of, read, refused, same

FILE = "config.yaml"


def values_of(folder: Path, content: str) -> dict[str, Any]:
    return read(folder, content, FILE)[0]


@pytest.mark.parametrize("name", ["config.yaml", "my config.yml", "CONFIG.YAML"])
def test_a_config_is_read_with_the_line_of_each_key(odd_path: Path, name: str) -> None:
    content = "# mine\nnetwork_dim: 8\n\nkohyatpl:\n  launch: {\n    processes: 2}\nnetwork_args:\n  - conv_dim=4\n"
    values, lines = read(odd_path, content, name)
    assert values == {"network_dim": 8, "kohyatpl": {"launch": {"processes": 2}}, "network_args": ["conv_dim=4"]}
    assert lines == {
        ("network_dim",): 2,
        ("kohyatpl",): 4,
        ("kohyatpl", "launch"): 5,
        ("kohyatpl", "launch", "processes"): 6,
        ("network_args",): 7,
    }


class _Layout:
    """Writes YAML in block and flow style, with comments and blank lines, and notes the line of each key."""

    def __init__(self, values: dict[str, Any], rng: random.Random) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._rng = rng
        self._line = 1
        self.text = ""
        for part in self._block(values, (), "") if values else ("{}",):
            self.text += part
            self._line = self.text.count("\n") + 1

    def _scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        if re.fullmatch(r"[a-z][a-z ]*[a-z]", value) and value not in ("true", "false", "null"):
            return value if self._rng.random() < 0.5 else f"'{value}'"
        if value.isprintable() and self._rng.random() < 0.5:
            return "'" + value.replace("'", "''") + "'"
        quoted = json.dumps(value, ensure_ascii=False)
        return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in quoted)

    def _block(self, values: dict[str, Any], path: KeyPath, indent: str) -> Iterator[str]:
        for key, value in values.items():
            yield self._rng.choice(("", "", "\n", f"{indent}# key: value\n", "# {\n\n"))
            self.lines[(*path, key)] = self._line
            yield f"{indent}{self._scalar(key)}:"
            if isinstance(value, dict) and value and self._rng.random() < 0.7:
                yield "\n"
                yield from self._block(value, (*path, key), indent + "  ")
            elif isinstance(value, list) and value and self._rng.random() < 0.7:
                yield "  # a list\n"
                for item in value:
                    yield f"{indent}- "
                    yield from self._flow(item, (*path, key), indent + "    ")
                    yield "\n"
            else:
                yield " "
                yield from self._flow(value, (*path, key), indent + "  ")
                yield self._rng.choice(("\n", " # that\n", "\r\n"))

    def _flow(self, value: Any, path: KeyPath, indent: str) -> Iterator[str]:
        if isinstance(value, dict):
            yield "{"
            for index, (key, inner) in enumerate(value.items()):
                yield ("," if index else "") + self._rng.choice(("", " ", f"\n{indent}", f" # c\n{indent}"))
                self.lines[(*path, key)] = self._line
                yield f"{self._scalar(key)}: "
                yield from self._flow(inner, (*path, key), indent)
            yield "}"
        elif isinstance(value, list):
            yield "["
            for index, inner in enumerate(value):
                yield "," if index else ""
                yield from self._flow(inner, path, indent)
            yield self._rng.choice(("]", f"\n{indent}]"))
        else:
            yield self._scalar(value)


@settings(deadline=None)
@given(values=objects(SCALARS | st.none()), rng=st.randoms(use_true_random=False))
def test_values_and_lines_are_right_however_the_file_is_laid_out(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any], rng: random.Random
) -> None:
    layout = _Layout(values, rng)
    found, lines = read(tmp_path_factory.getbasetemp(), layout.text, FILE)
    assert same(found, values)
    assert lines == layout.lines


def test_the_parsers_in_c_and_in_python_tell_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a: 1\nb: {c: [x, 'y']}\n", "a: !!str 1", "a: &x {b: 1}\nc: {<<: *x}", "a: ! 12\nb: |\n  text\n  more\n"]
    found = [read(tmp_path, text, FILE) for text in texts]
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)  # as where PyYAML was built without libyaml
    assert [read(tmp_path, text, FILE) for text in texts] == found
    assert found[3][0] == {"a": "12", "b": "text\nmore\n"}
    refused(tmp_path, "a: 1\n\tb: 2", FILE, "config.syntax", "line 2", "tabs")
    refused(tmp_path, 'a:\n b: "C:\\models"', FILE, "config.syntax", "line 2", "single quotes")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("No", "No"), ("on", "on"), ("off", "off"), ("yes", "yes"), ("y", "y"),
        ("true", True), ("False", False), ("TRUE", True), ("null", None), ("~", None), ("", None),
        ("1e-4", 1e-4), ("1E5", 1e5), ("1.", 1.0), (".5", 0.5), ("-1.5e+3", -1500.0), ("+7", 7), ("0", 0), ("-0", 0),
        ("0x1F", 31), ("0o17", 15), ("1_000", "1_000"), ("1:30", "1:30"), ("190:20:30.15", "190:20:30.15"),
        ("2024-01-01", "2024-01-01"), ("2024-01-01 10:00:00", "2024-01-01 10:00:00"), ("=", "="),
        ('"1"', "1"), ("'no'", "no"), ("!!str 12", "12"), ('"0123"', "0123"), ("nan", "nan"), ("512,768", "512,768"),
        (r"C:\models\new", r"C:\models\new"), (r"'C:\models\new'", r"C:\models\new"), ("a:b", "a:b"),
    ],
)  # fmt: skip
def test_a_plain_value_is_what_yaml_1_2_says(tmp_path: Path, written: str, value: object) -> None:
    assert same(values_of(tmp_path, f"key: {written}"), {"key": value})


@pytest.mark.parametrize(
    ("number", "plain"), [("0123", "123"), ("-007", "7"), ("00", "0"), ("0_1", "1"), ("089", "89")]
)
def test_a_number_that_begins_with_zero_is_refused(tmp_path: Path, number: str, plain: str) -> None:
    problem = refused(tmp_path, f"a: 1\nseed: {number}", FILE, "config.value", "line 2", f"`{number}`")
    assert f"Write {plain} " in problem.fix


def test_keys_are_texts_as_they_are_written(tmp_path: Path) -> None:
    content = "on: 1\n2024: 2\n1e-4: 3\nnull: 4\n'no': 5\n0123: 6\n\"<<\": 7\n? k\n: 8"
    keys = ["on", "2024", "1e-4", "null", "no", "0123", "<<", "k"]
    assert values_of(tmp_path, content) == {key: number for number, key in enumerate(keys, 1)}


@pytest.mark.parametrize("key", ["[a, b]: 1", "{a: 1}: 2", "? - a\n: 1"])
def test_a_key_that_is_no_text_is_refused(tmp_path: Path, key: str) -> None:
    refused(tmp_path, f"x: 1\n{key}", FILE, "config.syntax", "line 2", "as a key")


def test_aliases_and_merge_keys_are_understood(tmp_path: Path) -> None:
    content = (
        "base: &base {lr: 1, dim: 2}\nmore: &more\n  dim: 3\n  seed: 4\n"
        "a:\n  seed: 5\n  <<: [*base, *more]\nb: *more\nc: {<<: *base, x: &x [1, 2], y: *x}\nd: {<<: {lr: 7}}"
    )
    values, lines = read(tmp_path, content, FILE)
    assert values["a"] == {"lr": 1, "dim": 2, "seed": 5}
    assert (values["b"], values["c"]) == ({"dim": 3, "seed": 4}, {"lr": 1, "dim": 2, "x": [1, 2], "y": [1, 2]})
    assert values["d"] == {"lr": 7}
    assert (lines["a", "dim"], lines["a", "seed"], lines["b",], lines["b", "seed"], lines["c", "x"]) == (1, 6, 8, 4, 9)


def test_an_own_key_wins_over_a_merged_one_and_leaves_no_line_of_it(tmp_path: Path) -> None:
    values, lines = read(tmp_path, "a: &a\n  k: {deep: 1}\nb:\n  <<: *a\n  k: 2", FILE)
    assert values["b"] == {"k": 2}
    assert ("b", "k", "deep") not in lines


@pytest.mark.parametrize("value", ["1", "*x", "[1]", "[*base, 2]"])
def test_a_merge_of_what_is_no_mapping_is_refused(tmp_path: Path, value: str) -> None:
    refused(tmp_path, f"x: &x 1\nbase: &base {{}}\na:\n  <<: {value}", FILE, "config.syntax", "line 4", "`<<`")


@pytest.mark.parametrize(
    "content",
    [
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: &a\n  <<: *a",
        "a: &a {b: {<<: *a}}",
        "a: &a {<<: [{x: 1}, *a]}",
        "&a {b: [*a]}",
    ],
)
def test_an_alias_of_itself_is_refused(tmp_path: Path, content: str) -> None:
    refused(tmp_path, content, FILE, "config.nesting", "line")


def _laughs(first: str, inner: str) -> str:
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} {inner.replace('*', f'*a{n - 1}')}" for n in range(1, 30)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "content",
    [
        _laughs("[x, x]", "[*, *]"),
        _laughs("{x: 1}", "{p: *, q: *}"),
        _laughs("{x: 1}", "{<<: [*, *, *]}"),
        f"a: &a [{'x, ' * 2000}x]\nb: [*a, *a, *a, *a, *a]",
    ],
    ids=["lists", "mappings", "merges", "wide"],
)
def test_a_few_aliases_that_stand_for_billions_are_refused(tmp_path: Path, content: str) -> None:
    refused(tmp_path, content, FILE, "config.nesting", "aliases", "10,000")


def test_a_chain_of_aliases_cannot_overflow_the_stack(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} {'[' * 20}*a{n - 1}{']' * 20}" for n in range(1, 400))]
    refused(tmp_path, "\n".join(lines), FILE, "config.nesting", "32 levels")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
@pytest.mark.parametrize("count", [33, 100_000])
def test_a_config_nested_without_end_is_refused(tmp_path: Path, opening: str, count: int) -> None:
    problems = problems_of(tmp_path, opening * count, FILE)
    assert problems[0].code in ("config.nesting", "config.syntax")


def test_every_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, "seed: 1\nb:\n  c: 1\n  'c': 2\nseed: 1\nx: &x {y: 1,\n y: 2}\nz: *x", FILE)
    assert {problem.code for problem in problems} == {"config.key.duplicate"}
    assert [(problem.where, problem.fix) for problem in problems][:3] == [
        ("config.yaml line 5: seed", "Keep the one you mean: line 1 or line 5."),
        ("config.yaml line 4: b.c", "Keep the one you mean: line 3 or line 4."),
        ("config.yaml line 7: x.y", "Keep the one you mean: line 6 or line 7."),
    ]


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!x", "!!int", "!!binary", "!!set", "!<tag:a,2000:b>"]
)
@pytest.mark.parametrize("value", ["[echo]", "1", "{a: 1}"])
def test_tags_are_refused(tmp_path: Path, tag: str, value: str) -> None:
    refused(tmp_path, f"a: 1\nb: {tag} {value}", FILE, "config.syntax", "line 2", "the tag `")


@pytest.mark.parametrize(
    ("content", "line", "fix"),
    [
        ("a: 1\n\tb: 2", 2, "no tabs"),
        ("a:\n\t- 2", 2, "no tabs"),
        ("a: 1\n---\nb: 2", 2, "`---`"),
        ("a: 1\n...\n---\nb: 2", 3, "`---`"),
        ('\nvae: "C:\\models"', 2, "single quotes"),
        ('vae: "C:\\users"', 1, "single quotes"),
        ("m: *.png", 1, "in quotes"),
        ("m: *png", 1, "in quotes"),
        ("\na: b: c", 2, "in quotes"),
        ("a: @x", 1, "in quotes"),
        ("a: `x`", 1, "in quotes"),
        ("a: %x", 1, "in quotes"),
        ('a: "x', 1, "Close"),
        ("a:\n  b: 1\n c: 2", 3, "YAML"),
        ("a: [1, 2", 1, "YAML"),
        ("a: x\x01", 1, "Take it out"),
        ("a: 1\nb: {c: 1\nd: 2", 3, ""),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_named_with_its_line(tmp_path: Path, content: str, line: int, fix: str) -> None:
    problem = refused(tmp_path, content, FILE, "config.syntax", f"config.yaml line {line}")
    assert fix in problem.fix


@pytest.mark.parametrize("content", ["# nothing yet\n", "---\n", "{}", "# a\n---\n{}\n..."])
def test_a_config_without_keys_is_one(tmp_path: Path, content: str) -> None:
    assert values_of(tmp_path, content) == {}


@pytest.mark.parametrize("content", ["seed:1", "- seed: 1", "null", "5", "hello"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    refused(tmp_path, content, FILE, "config.shape", "`key: value`")
