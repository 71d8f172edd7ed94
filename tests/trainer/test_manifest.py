"""The options of the trainer's scripts, written and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.errors import TrainerError
from loratpl.resources import SD_SCRIPTS_DIR
from loratpl.trainer.manifest import BASE_SCRIPT, MANIFEST_PATH, SCRIPTS, Option, load_manifest, manifest_text
from loratpl.trainer.pin import load_pin
from tests.given import refusal

COUNTS = dict(zip(SCRIPTS, (193, 196, 218, 215, 213, 214, 220), strict=True))

_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_CHOICES = st.none() | st.lists(st.none() | st.text() | st.integers(), min_size=1, max_size=4)
# What inside/parsers.py writes of an option: a flag, or a value of a type.
_FLAG = st.fixed_dictionaries(
    {
        "name": st.text(min_size=1),
        "type": st.none(),
        "nargs": st.just(0),
        "choices": st.none(),
        "default": st.just(False),
        "flag": st.just(True),
    }
)
_VALUE = st.fixed_dictionaries(
    {
        "name": st.text(min_size=1),
        "type": st.none() | st.sampled_from(("str", "int", "float", "int_or_float", "path")),
        "nargs": st.sampled_from((None, "*")),
        "choices": _CHOICES,
        "default": _VALUES,
        "flag": st.just(False),
    }
)
_ROWS = st.lists(_FLAG | _VALUE, min_size=1, max_size=6, unique_by=lambda row: str(row["name"]))


def _option(row: dict[str, Any]) -> Option:
    choices = tuple(choice for choice in row["choices"] or () if choice is not None)
    # argparse keeps the text of an option that has no type.
    kind: Any = None if row["flag"] else row["type"] or "str"
    takes_list = row["nargs"] is not None and not row["flag"]
    return Option(row["name"], kind, takes_list, choices, row["default"], row["flag"])


def _same(one: Option, other: Option) -> bool:
    """Equality that tells 0 from False and from None."""
    return one == other and repr(one) == repr(other)


@settings(deadline=None)
@given(rows=_ROWS, split=st.integers(1, 6))
def test_a_manifest_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], split: int
) -> None:
    parsed = {script: rows[:split] if script == BASE_SCRIPT else rows[::-1] for script in SCRIPTS}
    path = tmp_path_factory.mktemp("manifest") / "options.json"
    path.write_text(manifest_text(parsed, "0" * 40), encoding="utf-8")
    manifest = load_manifest(path)
    for script, expected in parsed.items():
        options = manifest.options_of[script]
        assert options.keys() == {row["name"] for row in expected}
        assert all(_same(options[row["name"]], _option(row)) for row in expected)


def test_the_shipped_manifest_is_written_the_same_again() -> None:
    data = json.loads(MANIFEST_PATH.read_text(encoding="utf-8"))
    base = data["scripts"][BASE_SCRIPT]
    parsed = {script: rows if script == BASE_SCRIPT else [*base, *rows] for script, rows in data["scripts"].items()}
    assert manifest_text(parsed, data["commit"]) == MANIFEST_PATH.read_text(encoding="utf-8")


def test_the_shipped_manifest_has_the_options_of_every_script() -> None:
    manifest = load_manifest()
    assert {script: len(options) for script, options in manifest.options_of.items()} == COUNTS
    assert json.loads(MANIFEST_PATH.read_text(encoding="utf-8"))["commit"] == load_pin().commit


def test_options_that_are_known_are_as_the_trainer_declares_them() -> None:
    options = load_manifest().options_of[BASE_SCRIPT]
    assert options["network_dim"] == Option("network_dim", "int", False, (), None, False)
    assert options["enable_bucket"].is_flag
    assert options["network_args"].takes_list
    assert options["lr_warmup_steps"].type == "int_or_float"
    assert options["mixed_precision"].choices == ("no", "fp16", "bf16")
    assert options["max_token_length"].choices == (150, 225)
    assert (options["max_train_steps"].default, options["learning_rate"].default) == (1600, 2e-6)
    assert options["keep_tokens"].default == 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_the_options_of_the_base_script_as_they_are(script: str) -> None:
    manifest = load_manifest()
    base, options = manifest.options_of[BASE_SCRIPT], manifest.options_of[script]
    assert all(options[name] == option for name, option in base.items())
    assert all(option.is_flag == (option.type is None and not option.choices) for option in base.values())


def test_the_scripts_that_know_an_option_are_named() -> None:
    manifest = load_manifest()
    assert manifest.scripts_with("network_dim") == SCRIPTS
    assert manifest.scripts_with("clip_g") == ("sd3_train_network.py",)
    assert manifest.scripts_with("nothing") == ()


_ROW = {"name": "network_dim", "type": "int", "nargs": None, "choices": None, "default": None, "flag": False}


@pytest.mark.parametrize("rows", [[], [{**_ROW, "type": "float"}], [{**_ROW, "default": 4}], [{**_ROW, "name": "dim"}]])
def test_a_sibling_without_an_option_of_the_base_script_is_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"flux_train_network\.py does not have network_dim as train_network\.py"):
        manifest_text({BASE_SCRIPT: [_ROW], "flux_train_network.py": rows}, "0" * 40)


def _refused(path: Path, code: str, *named: str) -> None:
    with pytest.raises(TrainerError) as caught:
        load_manifest(path)
    problem = refusal(caught.value, TrainerError, code, str(path), *named)
    assert "kohyatpl trainer pin --original" in problem.fix


def test_a_manifest_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    path.write_text('{"schema": 2, "scripts": {}}', encoding="utf-8")
    _refused(path, "trainer.pin.newer", "schema 2", "Update kohyatpl")
    path.write_text('{"schema": 0, "scripts": {}}', encoding="utf-8")
    _refused(path, "trainer.pin.damaged", "schema is 0")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"null",
        b'{"schema": 1}',
        b'{"schema": "1"}',
        b'{"schema": 1, "scripts": {}}',
        b'{"schema": 1, "scripts": {"train_network.py": [1]}}',
        b'{"schema": 1, "scripts": {"train_network.py": null}}',
        b'{"schema": 1, "scripts": {"train_network.py": [{"type": "int"}]}}',
        b'{"schema": 1, "scripts": {"train_network.py": [{"name": "v2"}]}}',
    ],
)
def test_a_damaged_manifest_is_refused(odd_path: Path, content: bytes) -> None:
    (odd_path / "options.json").write_bytes(content)
    _refused(odd_path / "options.json", "trainer.pin.damaged")


def test_a_manifest_that_is_not_there_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path / "options.json", "trainer.pin.damaged", "No such file")


def test_another_manifest_at_the_same_path_is_read_anew(tmp_path: Path) -> None:
    path, text = tmp_path / "options.json", MANIFEST_PATH.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    assert load_manifest(path) is load_manifest(path)
    (tmp_path / "new").write_text(text.replace("network_dim", "network_tim"), encoding="utf-8")
    (tmp_path / "new").replace(path)
    assert "network_tim" in load_manifest(path).options_of[BASE_SCRIPT]


def test_the_manifest_has_one_option_a_line() -> None:
    lines = (SD_SCRIPTS_DIR / "options.json").read_text(encoding="utf-8").splitlines()
    siblings = [count - COUNTS[BASE_SCRIPT] for script, count in COUNTS.items() if script != BASE_SCRIPT]
    assert sum('"name"' in line for line in lines) == COUNTS[BASE_SCRIPT] + sum(siblings)
    assert not any("help" in line for line in lines)
