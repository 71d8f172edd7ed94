"""The options of the trainer's scripts, as their own parsers declare them (vendor/sd-scripts/options.json)."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from loratpl.resources import SD_SCRIPTS_DIR

BASE_SCRIPT = "train_network.py"
SCRIPTS = (
    BASE_SCRIPT,
    "sdxl_train_network.py",
    "sd3_train_network.py",
    "flux_train_network.py",
    "lumina_train_network.py",
    "hunyuan_image_train_network.py",
    "anima_train_network.py",
)
MANIFEST_PATH = SD_SCRIPTS_DIR / "options.json"
SCHEMA = 1

OptionType = Literal["str", "int", "float", "int_or_float", "path"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a script.

    Attributes:
        name: As in the trainer's config file, with underscores.
        type: None for a flag.
        takes_list: Whether it takes any number of values.
        choices: What it may be, empty where anything of its type goes; a choice of None is left out, since it
            cannot be written.
        default: What the trainer does without it.
        is_flag: Whether it is only on or off.
    """

    name: str
    type: OptionType | None
    takes_list: bool
    choices: tuple[str | int | float, ...]
    default: Any
    is_flag: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """All options of all scripts."""

    options_of: Mapping[str, Mapping[str, Option]]

    def scripts_with(self, name: str) -> tuple[str, ...]:
        """Returns the scripts that know an option."""
        return tuple(script for script, options in self.options_of.items() if name in options)


@functools.cache
def load_manifest(path: Path = MANIFEST_PATH) -> Manifest:
    """Returns the manifest at `path`; a sibling script has the base script's options and its own."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data["schema"] != SCHEMA:
        raise ValueError(f"{path} has schema {data['schema']}; this version reads {SCHEMA}")
    base = {row["name"]: _option(row) for row in data["scripts"][BASE_SCRIPT]}
    options_of = {
        script: MappingProxyType({**base, **{row["name"]: _option(row) for row in rows}})
        for script, rows in data["scripts"].items()
    }
    return Manifest(MappingProxyType(options_of))


def _option(row: Mapping[str, Any]) -> Option:
    choices = tuple(choice for choice in row.get("choices", ()) if choice is not None)
    is_flag = row.get("flag", False)
    # An option without a type of its own keeps the text as it is.
    kind = None if is_flag else row.get("type", "str")
    default = row.get("default", False if is_flag else None)
    return Option(row["name"], kind, "nargs" in row, choices, default, is_flag)


def manifest_text(parsed: Mapping[str, Sequence[Mapping[str, Any]]], commit: str) -> str:
    """Returns the manifest file for what inside/parsers.py found, one option a line.

    Args:
        parsed: For each script its options in the parser's order.
        commit: The trainer's commit.

    Raises:
        ValueError: A sibling lacks an option of the base script or declares it differently; the file's form rests
            on that.
    """
    base = {row["name"]: row for row in parsed[BASE_SCRIPT]}
    return "".join(_manifest_lines(parsed, base, commit))


def _manifest_lines(
    parsed: Mapping[str, Sequence[Mapping[str, Any]]], base: Mapping[str, Mapping[str, Any]], commit: str
) -> Iterator[str]:
    yield f'{{\n "schema": {SCHEMA},\n "commit": "{commit}",\n "scripts": {{\n'
    for index, script in enumerate(parsed):
        rows = {row["name"]: row for row in parsed[script]}
        changed = [name for name, row in base.items() if rows.get(name) != row]
        if changed:
            raise ValueError(f"{script} does not have {', '.join(changed)} as {BASE_SCRIPT} has them")
        own = rows.values() if script == BASE_SCRIPT else [row for row in rows.values() if row["name"] not in base]
        lines = ",\n".join("   " + json.dumps(_compact(row), ensure_ascii=False) for row in own)
        end = "" if index == len(parsed) - 1 else ","
        yield f'  "{script}": [\n{lines}\n  ]{end}\n'
    yield " }\n}\n"


def _compact(row: Mapping[str, Any]) -> dict[str, Any]:
    unsaid = {"nargs": 0, "default": False} if row.get("flag") else {"flag": False}  # the same for every one of them
    return {
        key: value
        for key, value in row.items()
        if value is not None and value != [] and not (key in unsaid and value is unsaid[key])
    }
