"""A value set in the text of a JSON file: everything else stays, character by character."""

from __future__ import annotations

import difflib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.config.json_text import with_value

WEIGHT = ("kohyatpl", "concepts", "foo", "weight")


# ruff: noqa: ISC004
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", '{"kohyatpl": {"concepts": {"foo": {"weight": 2}}}}'),
        ('{"a":1}\n', '{"a":1, "kohyatpl": {"concepts": {"foo": {"weight": 2}}}}\n'),
        (
            '{\n    "a": 1\n}\n',
            '{\n    "a": 1,\n    "kohyatpl": {\n        "concepts": {\n            "foo": {\n'
            '                "weight": 2\n            }\n        }\n    }\n}\n',
        ),
        (
            '{\n\t"kohyatpl": {\n\t\t"concepts": {\n\t\t\t"bar": {"weight": 3}\n\t\t}\n\t},\n\t"z": 1\n}',
            '{\n\t"kohyatpl": {\n\t\t"concepts": {\n\t\t\t"bar": {"weight": 3},\n\t\t\t"foo": {\n\t\t\t\t"weight": 2\n'
            '\t\t\t}\n\t\t}\n\t},\n\t"z": 1\n}',
        ),
        (
            '{\n  "kohyatpl": {"concepts": {"foo": {"match": "}"}}}\n}',
            '{\n  "kohyatpl": {"concepts": {"foo": {"match": "}", "weight": 2}}}\n}',
        ),
        (
            '\ufeff{\r\n  "b": [1,\r\n2]\r\n}\r\n',
            '\ufeff{\r\n  "b": [1,\r\n2],\r\n  "kohyatpl": {\r\n    "concepts": {\r\n      "foo": {\r\n'
            '        "weight": 2\r\n      }\r\n    }\r\n  }\r\n}\r\n',
        ),
        ('{"kohyatpl": null}', '{"kohyatpl": {"concepts": {"foo": {"weight": 2}}}}'),
        ('{"kohyatpl": {"concepts": {"foo": {"weight": 1}}}, "a": "\\"{"}',
         '{"kohyatpl": {"concepts": {"foo": {"weight": 2}}}, "a": "\\"{"}'),
    ],
)  # fmt: skip
def test_what_is_new_looks_like_its_neighbours(text: str, expected: str) -> None:
    assert with_value(text, WEIGHT, 2) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["a", "kohyatpl", "é"]), JSON | st.just({"concepts": {"bar": {}}})),
    st.sampled_from([None, 0, 1, 2, 4, "\t"]),
    st.booleans(),
    st.booleans(),
    st.text(min_size=1, max_size=6),
)
def test_the_value_is_there_and_all_others_are(
    values: dict[str, Any], indent: int | str | None, is_ascii: bool, has_crlf: bool, name: str
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=is_ascii)
    text = text.replace("\n", "\r\n") if has_crlf else text
    changed = with_value(text, ("kohyatpl", "concepts", name, "weight"), 2)
    expected = json.loads(text)
    block = expected["kohyatpl"] = expected["kohyatpl"] if isinstance(expected.get("kohyatpl"), dict) else {}
    concepts = block["concepts"] = block["concepts"] if isinstance(block.get("concepts"), dict) else {}
    concept = concepts[name] = concepts[name] if isinstance(concepts.get(name), dict) else {}
    concept["weight"] = 2
    assert json.loads(changed) == expected
    assert list(json.loads(changed)) == list(expected)
    if isinstance(json.loads(text).get("kohyatpl", {}), dict) and has_crlf:
        assert "\n" not in changed.replace("\r\n", "")


def test_a_name_that_is_no_unicode_is_escaped() -> None:
    changed = with_value('{"a": "ñ"}', ("kohyatpl", "\udcff"), 2)
    assert changed == '{"a": "ñ", "kohyatpl": {"\\udcff": 2}}'
    assert json.loads(changed)["kohyatpl"] == {"\udcff": 2}


def test_lines_are_only_added() -> None:
    text = json.dumps({f"key {number}": number for number in range(300)}, indent=2)
    changes = list(difflib.ndiff(text.splitlines(), with_value(text, WEIGHT, 2).splitlines()))
    assert [line for line in changes if line.startswith("- ")] == ['-   "key 299": 299']
