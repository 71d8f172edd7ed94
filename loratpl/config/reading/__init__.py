"""Reads a config and remembers on which line each key stands; the file's suffix says which format it is in."""

from __future__ import annotations

import re
from pathlib import Path

from loratpl.config.reading.json_file import parse_json
from loratpl.config.reading.judging import value_problems
from loratpl.config.reading.raw import KeyPath, Parsed, RawConfig, whole_problem
from loratpl.config.reading.text import text_of
from loratpl.config.reading.toml_file import parse_toml
from loratpl.config.reading.yaml_file import parse_yaml
from loratpl.errors import ConfigError

__all__ = ["SUFFIXES", "KeyPath", "RawConfig", "has_known_keys", "read_config"]

_PARSERS = {".json": parse_json, ".yaml": parse_yaml, ".yml": parse_yaml, ".toml": parse_toml}
SUFFIXES = tuple(_PARSERS)
# Files that hold options of the trainer by the same names and are no settings of a training, by a key that tells them.
_OTHER_FILES = {
    "datasets": "a dataset file of the trainer; kohyatpl writes its own from the concept folders",
    "compute_environment": "the config of accelerate; kohyatpl sets what it needs of it itself",
    "_class_name": "the index of a Diffusers model",
}
# What a config is that only has to be mended. Of these its keys can still be seen.
_MENDABLE = {"config.syntax", "config.key.duplicate", "config.value", "config.path.escape"}
_NAMED_KEY = re.compile(r"""(?:^|[{,])[ \t]*["']?([A-Za-z_]\w*)["']?[ \t]*[:=]""", re.MULTILINE)


def read_config(path: Path) -> RawConfig:
    """Returns the config at `path`: JSON, YAML or TOML.

    Raises:
        ConfigError: It cannot be read, is no mapping of keys to values, holds a key twice, or a value that no config
            can hold; with every problem of one kind at once.
    """
    raw = _read(path, text_of(path))
    problems = tuple(value_problems(raw))
    if problems:
        raise ConfigError(*problems)
    return raw


def has_known_keys(path: Path, known: frozenset[str]) -> bool:
    """Returns whether the file is a config: it holds at least one of the known keys, or would if it were mended."""
    try:
        text = text_of(path)
    except ConfigError:
        return False
    try:
        return not known.isdisjoint(_read(path, text).values)
    except ConfigError as error:
        named = set(_NAMED_KEY.findall(text))
        is_mendable = all(problem.code in _MENDABLE for problem in error.problems)
        return is_mendable and not known.isdisjoint(named) and named.isdisjoint(_OTHER_FILES)


def _read(path: Path, text: str) -> RawConfig:
    parsed = _parsed(path, text)
    if not isinstance(parsed.value, dict):
        kind = "a list" if isinstance(parsed.value, list) else "a single value"
        reason = f"is {kind} at its top level, where a config has keys with their values"
        fix = (
            'Start it with "{" and end it with "}".'
            if path.suffix.lower() == ".json"
            else "Write `key: value` in each line."
        )
        raise ConfigError(whole_problem(path, "config.shape", reason, fix))
    other = next((key for key in _OTHER_FILES if key in parsed.value), None)
    if other is not None:
        reason = f"is {_OTHER_FILES[other]} (it has the key `{other}`)"
        raise ConfigError(
            whole_problem(path, "config.shape", reason, "Name the file that holds the training settings.")
        )
    return RawConfig(path, parsed.value, parsed.lines)


def _parsed(path: Path, text: str) -> Parsed:
    parser = _PARSERS.get(path.suffix.lower())
    if parser is None and text.lstrip().startswith("{"):
        parser = parse_json  # YAML and TOML are not told apart as surely
    if parser is None:
        reason = "does not say by its suffix whether it is JSON, YAML or TOML"
        raise ConfigError(
            whole_problem(path, "config.suffix", reason, "Rename it so that it ends in .json, .yaml or .toml.")
        )
    if not text.strip():
        raise ConfigError(whole_problem(path, "config.shape", "is empty", "Write the settings into it."))
    return parser(text, path.name)
