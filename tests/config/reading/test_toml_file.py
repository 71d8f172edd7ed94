"""TOML configs: positions, sections as the trainer understands them, and what is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.config.reading import KeyPath
from tests.config.reading.files import SCALARS, objects, problems_of, read, refused, same

FILE = "config.toml"
BLOCK = "kohyatpl"


@pytest.mark.parametrize("name", ["config.toml", "my Config.TOML"])
def test_a_config_is_read_with_the_line_of_each_key(odd_path: Path, name: str) -> None:
    content = (
        "seed = 1  # [x]\n\n[Model]\nvae = 'C:\\models'\nargs.deep = {a = 1, b = [\n{c = 2},\n{d = 3}]}\n"
        "[[subsets]]\nnum = 1\n[kohyatpl.concepts.'sks \"dog\"']\nweight = 2\n[network_args]\nconv_dim = 4\n"
    )
    values, lines = read(odd_path, content, name)
    assert values == {
        "seed": 1,
        "vae": "C:\\models",
        "args": {"deep": {"a": 1, "b": [{"c": 2}, {"d": 3}]}},
        "subsets": [{"num": 1}],
        "kohyatpl": {"concepts": {'sks "dog"': {"weight": 2}}},
        "network_args": {"conv_dim": 4},
    }
    assert lines == {
        ("seed",): 1,
        ("vae",): 4,
        ("args",): 5,
        ("args", "deep"): 5,
        ("args", "deep", "a"): 5,
        ("args", "deep", "b"): 5,
        ("args", "deep", "b", "c"): 6,
        ("args", "deep", "b", "d"): 7,
        ("subsets",): 8,
        ("subsets", "num"): 9,
        (BLOCK,): 10,
        (BLOCK, "concepts"): 10,
        (BLOCK, "concepts", 'sks "dog"'): 10,
        (BLOCK, "concepts", 'sks "dog"', "weight"): 11,
        ("network_args",): 12,
        ("network_args", "conv_dim"): 13,
    }


@pytest.mark.parametrize(
    "content",
    [
        "[a]\nseed = 1\nlr = '1'\n[b]\nx = [1]\n",
        "a.seed = 1\nb = {x = 2}\n",
        "[a.deep]\nx = 1\n[[b]]\ny = 2\n",
        "[a]\n[b]\nx = {y = {z = 1}}",
    ],
)
def test_sections_are_flattened_by_one_level_as_the_trainer_does(tmp_path: Path, content: str) -> None:
    meant: dict[str, Any] = {}
    for key, value in toml.loads(content).items():  # the trainer's own reader, and its rule
        meant.update(value if isinstance(value, dict) else {key: value})
    assert read(tmp_path, content, FILE)[0] == meant


@pytest.mark.parametrize("name", ["network_args", "optimizer_args", "lr_scheduler_args", "kohyatpl"])
@pytest.mark.parametrize("content", ["[{}]\nx = 1", "{}.x = 1", "{} = {{x = 1}}", "[section.{}]\nx = 1"])
def test_a_table_that_is_one_value_stays_one(tmp_path: Path, name: str, content: str) -> None:
    values, lines = read(tmp_path, content.format(name), FILE)
    assert values == {name: {"x": 1}}
    assert lines[name, "x"] == content.count("\n") + 1


class _Layout:
    """Writes keys into any sections, in every form that TOML has for them, and notes the line of each."""

    def __init__(self, values: dict[str, Any], rng: random.Random) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._rng = rng
        self._line = 1
        self.text = ""
        for part in self._parts(values):
            self.text += part
            self._line = self.text.count("\n") + 1

    def _key(self, key: str) -> str:
        if key.isascii() and key.replace("_", "a").replace("-", "a").isalnum() and self._rng.random() < 0.7:
            return key
        return self._text(key)

    def _text(self, text: str) -> str:
        if text.isprintable() and "'" not in text and self._rng.random() < 0.4:
            return f"'{text}'"
        quoted = json.dumps(text, ensure_ascii=False)
        return "".join(c if self._rng.random() < 0.7 or c.isascii() else f"\\U{ord(c):08x}" for c in quoted)

    def _parts(self, values: dict[str, Any]) -> Iterator[str]:
        left = [(key, value) for key, value in values.items() if not isinstance(value, dict)]
        inside = [(key, value) for key, value in values.items() if isinstance(value, dict)]
        split = self._rng.randint(0, len(left))
        for key, value in left[:split]:
            yield from self._pair(key, value, ())
        yield '[ "a section" ]  # key = 1\n'
        for key, value in left[split:]:
            yield from self._pair(key, value, ())
        if BLOCK in values:
            self.lines[BLOCK,] = self._line
            yield f"[{BLOCK}]\n"
            for key, value in values[BLOCK].items():
                yield from self._pair(key, value, (BLOCK,))
        yield "['another'.section]\n"
        self.lines["section",] = self._line - 1
        for key, value in inside:
            if key != BLOCK:
                yield from self._pair(key, value, ("section",))

    def _pair(self, key: str, value: Any, path: KeyPath) -> Iterator[str]:
        yield self._rng.choice(("", "\n", "# x = 1\n", "  ", "\r\n"))
        self.lines[(*path, key)] = self._line
        yield self._key(key) + self._rng.choice((" = ", "=", "  =\t"))
        yield from self._value(value, (*path, key))
        yield self._rng.choice(("\n", " # ] }\n", "\r\n"))

    def _value(self, value: Any, path: KeyPath) -> Iterator[str]:
        if isinstance(value, dict):
            yield "{"
            for index, (key, inner) in enumerate(value.items()):
                yield ", " if index else ""
                self.lines[(*path, key)] = self._line
                yield f"{self._key(key)} = "
                yield from self._value(inner, (*path, key))
            yield "}"
        elif isinstance(value, list):
            yield "["
            for inner in value:
                yield self._rng.choice(("", "\n  ", "# [ x = 1\n"))
                yield from self._value(inner, path)
                yield ","
            yield self._rng.choice(("]", "\n]"))
        elif isinstance(value, str):
            yield from self._any_text(value)
        else:
            yield json.dumps(value)

    def _any_text(self, value: str) -> Iterator[str]:
        if self._rng.random() < 0.7 or "\r" in value:
            yield self._text(value)
        elif "'" not in value:
            yield f"'''\n{value}'''"
        else:
            yield '"""\n' + value.replace("\\", "\\\\").replace('"', '\\"') + '"""'


@settings(deadline=None)
@given(values=objects(SCALARS), block=objects(SCALARS) | st.none(), rng=st.randoms(use_true_random=False))
def test_values_and_lines_are_right_however_the_file_is_laid_out(
    tmp_path_factory: pytest.TempPathFactory,
    values: dict[str, Any],
    block: dict[str, Any] | None,
    rng: random.Random,
) -> None:
    if block is not None:
        values = {**values, BLOCK: block}
    layout = _Layout(values, rng)
    found, lines = read(tmp_path_factory.getbasetemp(), layout.text, FILE)
    section = found.pop("section")
    assert {key: found.get(key, section.get(key)) for key in values} == values
    for key, value in values.items():
        assert same(found[key] if key in found else section[key], value)
    assert len(found) + len(section) == len(values)
    assert lines == layout.lines


@pytest.mark.parametrize(
    ("content", "key", "lines"),
    [
        ("seed = 1\n\nseed = 2", "seed", (1, 3)),
        ("[s]\nseed = 1\nx = 1\n'seed' = [\n2]", "s.seed", (2, 4)),
        ("[a]\nx = 1\n[b]\n[a]\ny = 2", "a", (1, 4)),
        ("[q]\nk = 1\n[q.z]\n[q]", "q", (1, 4)),
        ("b = 1\na = {x = 1, x = 2}", "a.x", (2, 2)),
        ("a = 1\na.b = 2", "a", (1, 2)),
        ("a.b = 1\n\na = 2", "a", (1, 3)),
        ("a = {x = 1}\n[a]\ny = 1", "a", (1, 2)),
        ("seed = 1\n[s]\nseed = 2", "seed", (1, 3)),
        ("[s]\nseed = 1\n[t]\nseed = 1", "seed", (2, 4)),
        ("[s.kohyatpl]\nx = 1\n[kohyatpl]\ny = 1", "kohyatpl", (1, 3)),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(
    tmp_path: Path, content: str, key: str, lines: tuple[int, int]
) -> None:
    problem = refused(tmp_path, content, FILE, "config.key.duplicate", f"`{key}`")
    first, second = lines
    assert problem.where.startswith(f"config.toml line {second}: ")
    assert f"on line {first} as well" in problem.message or (first == second and "twice on it" in problem.message)


def test_keys_of_several_entries_of_a_list_are_not_twice_the_same(tmp_path: Path) -> None:
    values, _ = read(tmp_path, "[[a]]\nx = 1\n[[a]]\nx = 2\n[s]\nb = [{x = 1}, {x = 2}]", FILE)
    assert values == {"a": [{"x": 1}, {"x": 2}], "b": [{"x": 1}, {"x": 2}]}


@pytest.mark.parametrize("value", ["2024-01-01", "10:30:00", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00"])
def test_dates_are_refused(tmp_path: Path, value: str) -> None:
    for content in (f"a = 1\noutput_name = {value}", f"a = 1\noutput_name = [{{x = [{value}]}}]"):
        problem = refused(tmp_path, content, FILE, "config.value", "line 2", "date or time")
        assert "in quotes" in problem.fix


@pytest.mark.parametrize(
    ("content", "line", "fix"),
    [
        ('a = 1\nvae = "C:\\models"', 2, "single quotes"),
        ('vae = "C:\\users"', 1, "single quotes"),
        ('a = """x\ny\\q"""', 2, "single quotes"),
        ("a = 1\nb = cat", 2, "in quotes"),
        ("a = True", 1, "true and false"),
        ("a = None", 1, "left out"),
        ("a =", 1, ""),
        ("a: 1", 1, "`key = value`"),
        ("a = 1 b = 2", 1, "`key = value`"),
        ("\nhello", 2, "`key = value`"),
        ('{"a": 1}', 1, ".json"),
        ("a = 'x", 1, "quote"),
        ('a = "x\ny"', 1, "quote"),
        ("a = [1,\n2\n", 2, ""),
        ("[a\nb = 1", 1, ""),
    ],
)
def test_what_is_no_toml_is_named_with_its_line(tmp_path: Path, content: str, line: int, fix: str) -> None:
    problem = refused(tmp_path, content, FILE, "config.syntax", f"config.toml line {line}")
    assert fix in problem.fix


@pytest.mark.parametrize("opening", ["[", "{a = ", "[\n", "[{a = "])
@pytest.mark.parametrize("count", [33, 50_000])
def test_a_config_nested_without_end_is_refused(tmp_path: Path, opening: str, count: int) -> None:
    refused(tmp_path, f"x = 1\na = {opening * count}", FILE, "config.nesting", "32 levels")


@pytest.mark.parametrize("content", ["{}=1", "[{}]", "[[{}]]", "a = {{{} = 1}}"])
@pytest.mark.parametrize("count", [33, 50_000])
def test_a_key_of_too_many_parts_is_refused(tmp_path: Path, content: str, count: int) -> None:
    refused(tmp_path, content.format(".".join("a" * count)), FILE, "config.nesting", "line 1", "32 levels")


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, f"a = 1\nseed = {'9' * 5000}", FILE)
    assert [(problem.code, problem.where) for problem in problems] == [("config.value", "config.toml line 2")]


def test_a_byte_order_mark_costs_no_key(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfseed = 1\r\nlr = 2", FILE) == (
        {"seed": 1, "lr": 2},
        {("seed",): 1, ("lr",): 2},
    )


@pytest.mark.parametrize("content", ["# nothing yet", "[empty]"])
def test_a_config_without_keys_is_one(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content, FILE) == ({}, {})
