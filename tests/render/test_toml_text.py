"""Whatever is written is what the trainer's own reader of TOML finds in the file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.render.toml_text import NotReadableError, to_toml
from tests.given import outcome

_KEYS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz_0123456789"), min_size=1, max_size=8)
# Whatever people name their folders and write into their settings.
_ORDINARY = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
_TRICKY = st.text(st.sampled_from("""\\'" ,#=[]{}xun0\t\n\r.:-ñ😀\x85\u2028\x00\x1b\x7f"""), max_size=8)
_SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _ORDINARY | _TRICKY
_VALUES = (
    _SCALARS
    | st.lists(_ORDINARY | _TRICKY, max_size=4)
    | st.lists(st.integers(), max_size=4)
    | st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4)
)
_TABLES = st.dictionaries(_KEYS, _VALUES, max_size=5)


def _read_back(values: dict[str, Any], folder: Path) -> Any:
    path = folder / "any.toml"
    path.write_text(to_toml(values), encoding="utf-8")
    return toml.load(path)


def _same(one: Any, other: Any) -> bool:
    """Equality that tells true from 1 and 1 from 1.0, as the trainer's code does."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


@settings(deadline=None)
@given(values=_TABLES)
def test_what_is_written_is_read_back_the_same_or_refused(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    read, refused = outcome(NotReadableError, lambda: _read_back(values, tmp_path_factory.getbasetemp()))
    if refused is not None:
        assert _same(refused.value, values[refused.key])
    else:
        assert _same(read, values)


@settings(deadline=None)
@given(options=_TABLES, subsets=st.lists(_TABLES.filter(bool), min_size=1, max_size=3))
def test_lists_of_tables_are_read_back_the_same_or_refused(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, Any], subsets: list[dict[str, Any]]
) -> None:
    values = {"datasets": [{**options, "subsets": subsets}]}
    read, refused = outcome(NotReadableError, lambda: _read_back(values, tmp_path_factory.getbasetemp()))
    assert refused is not None or _same(read, values)


@settings(deadline=None)
@given(text=_ORDINARY.filter(lambda text: "'" not in text))
def test_an_ordinary_text_is_never_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    assert _read_back({"class_tokens": text}, tmp_path_factory.getbasetemp()) == {"class_tokens": text}


@settings(deadline=None)
@given(text=st.text(st.characters(categories=["L", "N", "Zs"], include_characters="-_.,()&'+ "), max_size=20))
def test_a_name_with_apostrophes_is_never_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    values = {"image_dir": f"/data/it's/{text}", "class_tokens": text}
    assert _read_back(values, tmp_path_factory.getbasetemp()) == values


@pytest.mark.parametrize(
    "text",
    [
        'it\'s a "quote"',
        r"C:\models\x\new",
        r"C:\it's\x\new",
        "# no comment",
        "'",
        "''",
        '"',
        "a = 1",
        "[table]",
        ", first",
        "日本 😀",
        "",
        " ",
        "true",
        "1e-4",
    ],
)
def test_texts_that_are_easily_misread_are_not(tmp_path: Path, text: str) -> None:
    assert _read_back({"a": text, "b": 1}, tmp_path) == {"a": text, "b": 1}


@pytest.mark.parametrize(
    "number", [1e-4, 1e-05, 5e-324, 1.7976931348623157e308, 1e22, -0.0, 0.1, 2**70, -1, True, False]
)
def test_numbers_are_read_back_as_they_are(tmp_path: Path, number: float) -> None:
    read = _read_back({"a": number, "b": [number, number]}, tmp_path)
    assert _same(read, {"a": number, "b": [number, number]})


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("text", ["a{}b", "it's{}", "{}"])
def test_a_line_end_is_refused(text: str, end: str) -> None:
    value = text.format(end)
    with pytest.raises(NotReadableError) as caught:
        to_toml({"good": "a", "output_name": value})
    assert (caught.value.key, caught.value.value) == ("output_name", value)


@pytest.mark.parametrize("value", ["\ud800", "a\udcffb", ["\ud83d"]])
def test_a_text_that_no_file_can_hold_is_refused(value: Any) -> None:
    # A folder's name that is no UTF-8 arrives like this.
    with pytest.raises(NotReadableError) as caught:
        to_toml({"image_dir": value})
    assert caught.value.key == "image_dir"


@pytest.mark.parametrize("number", [math.nan, [1.0, math.nan]])
def test_a_number_that_is_none_is_refused(number: Any) -> None:
    with pytest.raises(NotReadableError) as caught:
        to_toml({"learning_rate": number})
    assert caught.value.key == "learning_rate"


def test_a_value_deep_in_a_table_is_named() -> None:
    values = {"datasets": [{"batch_size": 1, "subsets": [{"class_tokens": "good"}, {"class_tokens": "a\nb"}]}]}
    with pytest.raises(NotReadableError) as caught:
        to_toml(values)
    assert (caught.value.key, caught.value.value) == ("class_tokens", "a\nb")
    assert repr("a\nb") in str(caught.value)


def test_lists_of_several_kinds_of_number_are_refused() -> None:
    with pytest.raises(NotReadableError):
        to_toml({"text_encoder_lr": [1e-4, 1]})
