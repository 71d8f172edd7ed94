"""Configs as they are written: positions, encodings, and everything that is no config."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.config.reading import KeyPath, RawConfig, has_known_keys, read_config
from loratpl.errors import ConfigError
from tests.given import refusal

BOM = b"\xef\xbb\xbf"
# Everything that could be taken for the structure of the file.
_NASTY = st.text(st.sampled_from('"\\{}[]:,/ \n\taä😀'), max_size=6) | st.text(max_size=4)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _NASTY
_OBJECTS = st.dictionaries(
    _NASTY,
    st.recursive(
        _SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NASTY, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


def _config(folder: Path, content: bytes | str, name: str = "config.json") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _refused(folder: Path, content: bytes | str, code: str, *named: str) -> str:
    """Returns the fix of the one problem of a config of this content."""
    path = _config(folder, content)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    return refusal(caught.value, ConfigError, code, "config.json", *named).fix


def test_a_config_is_read_with_the_line_of_each_key(odd_path: Path) -> None:
    raw = read_config(_config(odd_path, '{\n "network_dim": 8,\n\n "kohyatpl": {"launch":\n  {"processes": 2}}\n}'))
    assert raw.values == {"network_dim": 8, "kohyatpl": {"launch": {"processes": 2}}}
    assert raw.lines == {
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
@given(values=_OBJECTS, rng=st.randoms(use_true_random=False))
def test_values_and_lines_are_right_however_the_file_is_laid_out(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any], rng: random.Random
) -> None:
    layout = _Layout(values, rng)
    raw = read_config(_config(tmp_path_factory.getbasetemp(), layout.text))
    assert raw.values == values
    assert raw.lines == layout.lines


@pytest.mark.parametrize("mark", [b"", BOM])
def test_a_byte_order_mark_changes_nothing(tmp_path: Path, mark: bytes) -> None:
    raw = read_config(_config(tmp_path, mark + b'{\n"seed": 1}'))
    assert (raw.values, raw.lines) == ({"seed": 1}, {("seed",): 2})


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"seed": 1}'.encode("utf-16"), "byte 0"),
        ('{"seed": 1}'.encode("utf-32"), "byte 0"),
        ('{"output_name": "né"}'.encode("latin-1"), "byte 18"),
    ],
)
def test_another_encoding_is_refused(tmp_path: Path, content: bytes, place: str) -> None:
    assert "UTF-8" in _refused(tmp_path, content, "config.encoding", "UTF-8", place)


def test_a_missing_config_is_refused(odd_path: Path) -> None:
    path = odd_path / "my config.json"
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    refusal(caught.value, ConfigError, "config.unreadable", "my config.json", str(path), "No such file")


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path)
    refusal(caught.value, ConfigError, "config.unreadable", str(tmp_path))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"seed" 1}', 1),
        ('{\n "seed": 1\n "network_dim": 2}', 3),
        ('{\n\n "seed": one}', 3),
        ('{"seed": 1} {}', 1),
        ("", 1),
        (" ", 1),
    ],
)
def test_a_syntax_error_is_named_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    fix = _refused(tmp_path, content, "config.syntax", f"config.json line {line}, column ")
    assert "Mend that place" in fix


@pytest.mark.parametrize(
    "content", ["\n", "\n\n", '{"seed": 1\n', '{"seed": 1,\n', '{"seed":\n\n', '{"note": "a\u2028b"\n\n']
)
def test_a_file_that_ends_too_early_is_a_syntax_error(tmp_path: Path, content: str) -> None:
    _refused(tmp_path, content, "config.syntax", f"config.json line {content.count(chr(10)) + 1}")


@pytest.mark.parametrize("path", [r"C:\models\x.safetensors", r"D:\users\me", r"\\server\share"])
def test_a_single_backslash_is_explained(tmp_path: Path, path: str) -> None:
    fix = _refused(tmp_path, f'{{\n "vae": "{path}y\\z"}}', "config.syntax", "line 2")
    assert r"C:\\models" in fix
    assert "C:/models" in fix


def test_a_backslash_on_another_line_is_not_blamed(tmp_path: Path) -> None:
    fix = _refused(tmp_path, '{\n "vae": "C:\\\\models"\n "seed": 1}', "config.syntax", "line 3")
    assert "backslash" not in fix


@pytest.mark.parametrize("content", ['{\n "seed": 1,\n}', '{"a": {"b": 1,}}', "{seed: 1}", "{'seed': 1}"])
def test_a_trailing_comma_and_a_bare_key_are_explained(tmp_path: Path, content: str) -> None:
    fix = _refused(tmp_path, content, "config.syntax")
    assert "comma" in fix
    assert "double quotes" in fix


@pytest.mark.parametrize("content", ['{"seed": 1, "seed": 1}', '{"kohyatpl": {"a": 1, "seed": 1, "seed": 2}}'])
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, content: str) -> None:
    assert "once" in _refused(tmp_path, content, "config.value", "`seed` twice")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, number: str) -> None:
    assert "ordinary number" in _refused(tmp_path, f'{{"learning_rate": {number}}}', "config.value", number)


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path, f'{{"seed": {"9" * 5000}}}', "config.value")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_config_nested_without_end_is_refused(tmp_path: Path, opening: str) -> None:
    assert "three levels" in _refused(tmp_path, opening * 100_000, "config.nesting")


@pytest.mark.parametrize("content", ["[]", '[{"seed": 1}]', "5", '"seed"', "null", "true"])
def test_what_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    assert "{" in _refused(tmp_path, content, "config.shape")


def test_a_key_is_named_with_its_line_and_without_where_there_is_none() -> None:
    raw = RawConfig(Path("a/my.json"), {}, {("seed",): 3, ("kohyatpl", "env"): 7})
    assert raw.where("seed") == "my.json line 3: seed"
    assert raw.where("kohyatpl", "env") == "my.json line 7: kohyatpl.env"
    assert raw.where("network_dim") == "my.json: network_dim"


@pytest.mark.parametrize(
    ("content", "is_config"),
    [
        ('{"seed": 1, "x": 2}', True),
        ('{"x": 2}', False),
        ('{"x": {"seed": 1}}', False),
        ("{}", False),
        ("not JSON", False),
        ("[1]", False),
    ],
)
def test_a_file_is_a_config_when_it_holds_a_known_key(tmp_path: Path, content: str, is_config: bool) -> None:
    assert has_known_keys(_config(tmp_path, content), frozenset({"seed", "family"})) is is_config
