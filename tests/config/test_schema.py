"""The JSON schema: what kohyatpl takes is valid by it, what is misspelt is not."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from loratpl.config.block import Block
from loratpl.config.families import FAMILIES
from loratpl.config.gui.keys import GUI_KEYS
from loratpl.config.modelspec import CAN_BE_KEPT_OUT
from loratpl.config.reading.raw import RawConfig
from loratpl.config.schema import config_schema, our_default, schema_text, write_schema
from loratpl.config.settings import CAN_BE_OFF, OWN_KEYS, RESERVED, resolve
from loratpl.project import read_template, template_names
from loratpl.trainer.manifest import Option, load_manifest
from tests.command_line import kohyatpl
from tests.config.random_options import option_sets
from tests.given import write_config

ALL = config_schema()
VALIDATOR = jsonschema.Draft202012Validator(ALL)
OF_FAMILY = {family: jsonschema.Draft202012Validator(config_schema(family)) for family in FAMILIES}
NATIVE: dict[str, Any] = ALL["$defs"]["config"]["properties"]
EVERY_FAMILY = pytest.mark.parametrize("family", FAMILIES)


def problems_of(folder: Path, values: dict[str, Any]) -> list[str]:
    """Returns the codes of what is wrong with a config; missing models are no matter of its form."""
    folder.mkdir(exist_ok=True)
    _, problems = resolve(RawConfig(folder / "config.json", values, {}), project_name="cats")
    return [problem.code for problem in problems if not problem.code.startswith("config.model")]


def is_valid(values: dict[str, Any]) -> bool:
    verdicts = {VALIDATOR.is_valid(values)}
    family = values.get("family")
    if family in OF_FAMILY:
        verdicts.add(OF_FAMILY[family].is_valid(values))
    return verdicts == {True}


@pytest.mark.parametrize("schema", [ALL, *(config_schema(family) for family in FAMILIES)], ids=["all", *FAMILIES])
def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_it_has_every_option_and_every_key_of_ours() -> None:
    options = {name for options in load_manifest().options_of.values() for name in options}
    assert set(NATIVE) == options | set(OWN_KEYS)
    assert all(NATIVE[name]["description"] for name in options)


@EVERY_FAMILY
def test_one_of_a_family_has_its_options_alone(family: str) -> None:
    schema = config_schema(family)
    properties = schema["$defs"]["config"]["properties"]
    assert set(properties) == set(load_manifest().options_of[FAMILIES[family].script]) | set(OWN_KEYS)
    assert properties["family"]["anyOf"][0] == {"enum": [family]}
    for name, value in ((name, our_default(name, family)) for name in properties):
        assert properties[name].get("default") == value


def test_our_own_keys_are_those_of_the_model() -> None:
    block = ALL["$defs"]["Block"]
    assert set(block["properties"]) == set(Block.model_fields)
    assert ALL["$defs"]["Balance"]["properties"]["tolerance"]["default"] == 0.05
    assert "title" not in json.dumps(block)


def test_descriptions_say_what_a_value_is_for_whom_and_the_defaults() -> None:
    shift = NATIVE["discrete_flow_shift"]["description"]
    assert shift.startswith(
        "A number. For flux, chroma, lumina, hunyuan-image, anima. kohyatpl's default: 3.1582 (flux)"
    )
    assert "The trainer's own: 3.0 (flux, chroma); 6.0 (lumina)" in shift
    assert NATIVE["seed"] == {
        "description": "A whole number. kohyatpl's default: 42.",
        "anyOf": [{"type": "integer"}, {"$ref": "#/$defs/number_in_quotes"}, {"$ref": "#/$defs/left_out"}],
        "default": 42,
    }


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_what_cannot_be_set_can_only_be_left_out(name: str) -> None:
    assert VALIDATOR.is_valid({name: None})
    assert not VALIDATOR.is_valid({name: "x"})


@pytest.mark.parametrize("name", sorted(CAN_BE_OFF | CAN_BE_KEPT_OUT))
def test_what_can_be_off_is_valid(tmp_path: Path, name: str) -> None:
    assert problems_of(tmp_path, {name: False}) == []
    assert VALIDATOR.is_valid({name: False})


@EVERY_FAMILY
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_what_resolves_without_a_problem_is_valid(tmp_path: Path, family: str, data: st.DataObject) -> None:
    values = {"family": family, **data.draw(option_sets(FAMILIES[family].script, as_written=True))}
    assume(problems_of(tmp_path, values) == [])
    assert is_valid(values), [error.message for error in VALIDATOR.iter_errors(values)]


@EVERY_FAMILY
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_misspelt_option_is_not(family: str, data: st.DataObject) -> None:
    options = load_manifest().options_of[FAMILIES[family].script]
    name = data.draw(st.sampled_from(sorted(options)))
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    misspelt = data.draw(st.sampled_from([name[:at] + letter + name[at:], name[:at] + name[at + 1 :]]))
    assume(misspelt not in NATIVE and misspelt not in GUI_KEYS)
    assert not is_valid({"family": family, misspelt: None})


def sample_of(option: Option) -> Any:
    """Returns a value that an option takes for sure."""
    value = option.choices[0] if option.choices else {None: True, "str": "a", "path": "a"}.get(option.type, 1)
    return [value] if option.takes_list else value


@EVERY_FAMILY
def test_a_value_of_the_wrong_type_is_not_valid(family: str) -> None:
    for option in load_manifest().options_of[FAMILIES[family].script].values():
        if option.name in RESERVED or option.name.endswith("_args"):
            continue
        assert is_valid({"family": family, option.name: sample_of(option)}), option.name
        assert not is_valid({"family": family, option.name: {"a": 1}}), option.name
        if option.choices:
            assert not is_valid({"family": family, option.name: "no such choice"}), option.name


@pytest.mark.parametrize(
    "values",
    [
        {"famly": "sdxl"},
        {"family": "sdxxl"},
        {"preset": "sdxl-9gb"},
        {"kohyatpl": {"lunch": {}}},
        {"kohyatpl": {"balance": {"tolerance": "little"}}},
        {"learning_rate": "1e-4x"},
        {"cache_latents": "true"},
        {"max_train_epochs": 1.5},
    ],
)
def test_what_is_wrong_with_our_own_keys_and_with_values_is_seen(values: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(values)


@pytest.mark.parametrize("name", [name for name in template_names() if read_template(name).settings is not None])
def test_a_config_of_the_gui_is_valid_and_its_keys_are_known(name: str) -> None:
    values = dict(read_template(name).settings or {})
    assert VALIDATOR.is_valid(values)
    assert not VALIDATOR.is_valid({**values, "max_resolutoin": "512"})


# --- where editors find it


def test_a_new_project_names_its_schema_and_is_valid_by_it(odd_path: Path) -> None:
    done = kohyatpl("new", odd_path / "cats", "--family", "sdxl", "--json")
    assert done.code == 0
    config = json.loads((odd_path / "cats" / "config.json").read_text(encoding="utf-8"))
    assert list(config)[:3] == ["$schema", "family", "preset"]
    schema = json.loads((odd_path / "cats" / config["$schema"]).read_text(encoding="utf-8"))
    assert schema == ALL
    jsonschema.validate(config, schema)


def test_a_tree_that_is_adopted_has_it_too(tmp_path: Path) -> None:
    write_config(tmp_path / "models", {})  # a model beside
    (tmp_path / "cats" / "img" / "10_ohwx cat").mkdir(parents=True)
    (tmp_path / "cats" / "img" / "10_ohwx cat" / "1.png").write_bytes(b"x")
    assert kohyatpl("new", tmp_path / "cats", "--adopt").code == 0
    config = json.loads((tmp_path / "cats" / "config.json").read_text(encoding="utf-8"))
    assert (tmp_path / "cats" / config["$schema"]).is_file()


def test_the_schema_is_shown_as_it_is_written(tmp_path: Path) -> None:
    write_schema(tmp_path / "deep" / "schema.json")
    assert json.loads((tmp_path / "deep" / "schema.json").read_text(encoding="utf-8")) == ALL
    shown = kohyatpl("config", "schema", "--family", "flux")
    assert json.loads(shown.stdout) == config_schema("flux")
    assert shown.stdout == schema_text(config_schema("flux"))
    out = tmp_path / "new" / "flux.json"
    done = kohyatpl("config", "schema", "--family", "flux", "--out", out, "--json")
    assert done.envelope["data"] == {"schema": config_schema("flux"), "out": str(out)}
    assert json.loads(out.read_text(encoding="utf-8")) == config_schema("flux")


def test_a_schema_that_cannot_be_written_or_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = kohyatpl("config", "schema", "--out", tmp_path / "file" / "schema.json", "--json")
    assert (done.code, done.problem["code"]) == (4, "project.write")
    done = kohyatpl("config", "schema", "--family", "sdxxl", "--json")
    assert (done.code, done.problem["code"]) == (2, "usage.family")
    assert "Did you mean sdxl?" in done.problem["fix"]
