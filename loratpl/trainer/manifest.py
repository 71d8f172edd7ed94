"""The options of the trainer's scripts, as their own parsers declare them (options.json, beside the pin)."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from loratpl.trainer.paths import ORIGINAL_PIN, PinPaths
from loratpl.trainer.pin import damaged, read_json

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
# The manifest that kohyatpl comes with; the one in force is `load_manifest`'s.
MANIFEST_PATH = ORIGINAL_PIN.manifest_path
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


def load_manifest(path: Path | None = None) -> Manifest:
    """Returns the manifest at `path`; without one, the manifest in force.

    Raises:
        TrainerError: The file is damaged or was written by a newer version.
    """
    path = path or PinPaths.in_force().manifest_path
    try:
        found = path.stat()
    except OSError as error:
        raise damaged(path, str(error)) from error
    return _read_manifest(path, (found.st_ino, found.st_mtime_ns, found.st_size))


@functools.cache
def _read_manifest(path: Path, _state: tuple[int, int, int]) -> Manifest:
    """Reads a manifest once; another pin's at the same path is another file."""
    data = read_json(path, schema=SCHEMA)
    try:
        manifest = _manifest(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    missing = [script for script in SCRIPTS if script not in manifest.options_of]
    if missing:
        raise damaged(path, f"it lacks the options of {', '.join(missing)}")
    return manifest


def parse_manifest(text: str) -> Manifest:
    """Returns the manifest that `manifest_text` wrote."""
    return _manifest(json.loads(text))


def _manifest(data: Mapping[str, Any]) -> Manifest:
    return Manifest(MappingProxyType(_options_of(data["scripts"])))


def _options_of(scripts: Mapping[str, Any]) -> dict[str, Mapping[str, Option]]:
    """A sibling script has the base script's options and its own."""
    base = {row["name"]: _option(row) for row in scripts[BASE_SCRIPT]}
    return {
        script: MappingProxyType({**base, **{row["name"]: _option(row) for row in rows}})
        for script, rows in scripts.items()
    }


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
