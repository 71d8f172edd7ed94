"""The JSON schema of our config, for editors: made of the trainer's options and of our own models, never typed by hand.

Every config that kohyatpl takes without a problem is valid by it; not everything that is valid can be trained. What a
value is for is not in it: the trainer's help texts are the trainer's, and `kohyatpl config options` shows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from loratpl.config.arguments import ARGUMENT_OPTIONS
from loratpl.config.block import BLOCK_KEY, Block
from loratpl.config.defaults import defaults_of
from loratpl.config.families import FAMILIES
from loratpl.config.gui.keys import GUI_KEYS, gui_only_keys
from loratpl.config.gui.translation import LOST_PREFIXES
from loratpl.config.modelspec import CAN_BE_KEPT_OUT
from loratpl.config.options import TYPE_NAMES
from loratpl.config.parts import DATASET_OPTIONS, SUBSET_OPTIONS
from loratpl.config.presets import PRESET_KEY, preset_names
from loratpl.config.settings import CAN_BE_OFF, RESERVED
from loratpl.trainer.manifest import Manifest, Option, load_manifest

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DEFS = "#/$defs/"
# A number in quotes: the readers of configs take it where nothing is lost.
_NUMBER_TEXT = r"^\s*[+-]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][+-]?[0-9]+)?\s*$"
_ANY_NUMBER: list[dict[str, Any]] = [{"type": "number"}, {"$ref": f"{_DEFS}number_in_quotes"}]
_FORMS: Mapping[str | None, list[dict[str, Any]]] = {
    None: [{"type": "boolean"}],
    "int": [{"type": "integer"}, {"$ref": f"{_DEFS}number_in_quotes"}],
    "float": _ANY_NUMBER,
    "int_or_float": _ANY_NUMBER,
    "str": [{"type": "string"}],
    "path": [{"type": "string"}],
}
_LEFT_OUT = {
    "description": "As if the key were not there.",
    "anyOf": [
        {"type": "null"},
        {"type": "string", "maxLength": 0},
        {"type": "array", "maxItems": 0},
        {"type": "object", "maxProperties": 0},
    ],
}


def config_schema(family: str | None = None, manifest: Manifest | None = None) -> dict[str, Any]:
    """Returns the schema of a config: for all families, or for one.

    Args:
        family: With its options and its defaults alone.
        manifest: The options of the scripts; the pinned trainer's unless given.
    """
    manifest = manifest or load_manifest()
    families = tuple(FAMILIES) if family is None else (family,)
    own, definitions = _own_properties(families)
    options = _options(families, manifest)
    properties = {**own, **options}
    _add_parts(definitions, options)
    gui = gui_only_keys()
    return {
        "$schema": DRAFT,
        "title": "kohyatpl config" if family is None else f"kohyatpl config for {family}",
        "description": "The settings of a training: the trainer's own option names, and the keys of kohyatpl.",
        "type": "object",
        # One key that only the kohya_ss GUI has, and the file is the GUI's: its values mean what they mean there.
        "if": {"propertyNames": {"not": {"enum": sorted(gui)}}},
        "then": {"$ref": f"{_DEFS}config"},
        "else": {"$ref": f"{_DEFS}config_of_the_kohya_ss_gui"},
        "$defs": {
            **definitions,
            "left_out": _LEFT_OUT,
            "number_in_quotes": {"type": "string", "pattern": _NUMBER_TEXT},
            "config": {"type": "object", "properties": properties, "additionalProperties": False},
            "config_of_the_kohya_ss_gui": {
                "type": "object",
                "properties": {**own, **{name: _gui_key(name) for name in sorted(GUI_KEYS)}},
                "propertyNames": {
                    "anyOf": [
                        {"enum": sorted({*properties, *GUI_KEYS})},
                        *({"pattern": f"^{prefix}"} for prefix in LOST_PREFIXES),
                    ]
                },
            },
        },
    }


def write_schema(path: Path) -> None:
    """Writes the schema for all families to a file; its folder is made where it is missing (OSError)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema_text(config_schema()), encoding="utf-8")


def schema_text(schema: Mapping[str, Any]) -> str:
    """Returns a schema as the text of its file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _own_properties(families: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the properties that are our own keys, and the definitions that they refer to."""
    families = tuple(families)
    block = _without_titles(Block.model_json_schema(ref_template=_DEFS + "{model}"))
    definitions = {**block.pop("$defs"), "Block": block}
    presets = [name for family in families for name in preset_names(family)]
    own = {
        "$schema": {"description": "What editors check this file against.", "type": ["string", "null"]},
        "family": _property("The family of the base model.", [{"enum": list(families)}]),
        PRESET_KEY: _property(
            "Settings for a size of GPU or a purpose; what this file says wins.", [{"enum": presets}]
        ),
        BLOCK_KEY: {"anyOf": [{"$ref": f"{_DEFS}Block"}, {"type": "null"}]},
    }
    return own, definitions


def _add_parts(definitions: dict[str, Any], options: Mapping[str, Any]) -> None:
    """Adds the options of the trainer that a concept or a dataset may have of its own."""
    parts = {name: _without_default(options[name]) for name in (*DATASET_OPTIONS, *SUBSET_OPTIONS) if name in options}
    concept = definitions["ConceptSettings"]
    concept["properties"] |= parts
    concept["additionalProperties"] = False
    definitions["Block"]["properties"]["datasets"]["items"] = {
        "type": "object",
        "properties": {name: parts[name] for name in DATASET_OPTIONS if name in parts},
        "additionalProperties": False,
    }


def _without_default(option: Mapping[str, Any]) -> dict[str, Any]:
    """A default is of the whole training: what a part leaves out is as it is there."""
    return {key: value for key, value in option.items() if key != "default"}


def _options(families: Iterable[str], manifest: Manifest) -> dict[str, Any]:
    """Returns the properties that are options of the trainer, those of one name as one."""
    variants: dict[str, dict[str, Option]] = {}
    for family in families:
        for name, option in manifest.options_of[FAMILIES[family].script].items():
            variants.setdefault(name, {})[family] = option
    return {name: _option(name, variants[name], families) for name in sorted(variants)}


def _option(name: str, variants: Mapping[str, Option], families: Iterable[str]) -> dict[str, Any]:
    if name in RESERVED:
        return {"description": f"Cannot be set: {RESERVED[name]}.", "deprecated": True, "$ref": f"{_DEFS}left_out"}
    forms = []
    for option in variants.values():
        forms += [form for form in value_forms(option) if form not in forms]
    if name in CAN_BE_OFF | CAN_BE_KEPT_OUT:
        forms.append({"const": False})
    of_ours = {family: default for family in variants if (default := our_default(name, family)) is not None}
    schema = _property(" ".join(_sentences(variants, tuple(families), of_ours)), forms)
    if len(of_ours) == len(variants) and len({repr(value) for value in of_ours.values()}) == 1:
        schema["default"] = next(iter(of_ours.values()))
    return schema


def our_default(name: str, family: str) -> Any:
    """Returns our own default of an option, None where there is none or the machine decides on it."""
    return next((default.value for default in defaults_of(family) if default.name == name and not default.needs), None)


def value_forms(option: Option) -> list[dict[str, Any]]:
    """Returns the schemas of what may be written for an option; `config.options.convert` takes the same."""
    if option.name in ARGUMENT_OPTIONS:
        return [{"type": "array", "items": {"type": "string"}}, {"type": "string"}, {"type": "object"}]
    one = _FORMS[option.type]
    if option.choices:
        # A whole number in quotes is taken for the number.
        one = [{"enum": list(option.choices)}, *(form for form in one if "$ref" in form)]
    if not option.takes_list:
        return list(one)
    words = [] if {"type": "string"} in one else [{"type": "string"}]
    return [{"type": "array", "items": {"anyOf": list(one)}}, *one, *words]


def _sentences(variants: Mapping[str, Option], families: tuple[str, ...], of_ours: Mapping[str, Any]) -> Iterable[str]:
    option = next(iter(variants.values()))
    kind = TYPE_NAMES[option.type]
    if option.takes_list:
        kind = f"a list of values, each {kind}"
    yield f"{kind[0].upper()}{kind[1:]}."
    if len(variants) < len(families):
        yield f"For {', '.join(variants)}."
    if of_ours:
        yield f"kohyatpl's default: {_by_family(of_ours)}."
    trainers = {family: option.default for family, option in variants.items() if option.default is not None}
    if trainers:
        yield f"The trainer's own: {_by_family(trainers)}."


def _by_family(values: Mapping[str, Any]) -> str:
    """Returns the values in one text, with their families where they differ."""
    families: dict[str, list[str]] = {}
    for family, value in values.items():
        families.setdefault(json.dumps(value, ensure_ascii=False), []).append(family)
    if len(families) == 1:
        return next(iter(families))
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in families.items())


def _gui_key(name: str) -> dict[str, Any]:
    row = GUI_KEYS[name]
    becomes = f"becomes `{row.becomes}`" if row.becomes else "is no setting of a training"
    return {"description": f"A key of the kohya_ss GUI: {becomes}."}


def _property(description: str, forms: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"description": description, "anyOf": [*forms, {"$ref": f"{_DEFS}left_out"}]}


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """Pydantic makes titles of the names of classes and fields: nothing that is worth reading."""
    return {
        key: _without_titles(value) if isinstance(value, dict) else value
        for key, value in schema.items()
        if key != "title" or isinstance(value, dict)
    }
