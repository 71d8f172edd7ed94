"""Makes a config of ours of another one: a JSON of the kohya_ss GUI, of either generation, or one of ours to tidy.

What the other file means is decided by gui/translation.py, as it is when that file is used itself; here it is only
written down in the trainer's own names. What is refused stays as it was written, for `check` to judge: left out, it
would be trained with our default and nobody would know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loratpl.config.block import BLOCK_KEY
from loratpl.config.defaults import defaults_of
from loratpl.config.families import DEFAULT_FAMILY
from loratpl.config.gui.decisions import is_prompts_text
from loratpl.config.gui.draft import Mapped
from loratpl.config.gui.translation import Translation, translate
from loratpl.config.modelspec import CAN_BE_KEPT_OUT
from loratpl.config.paths import MODEL_OPTIONS, PATH_OPTIONS, exists
from loratpl.config.reading import RawConfig
from loratpl.config.secrets import HIDDEN, SECRET_OPTIONS, is_secret, without_secrets
from loratpl.config.setting import DEFAULT, Setting
from loratpl.config.settings import CAN_BE_OFF, OWN_KEYS, Settings, resolve
from loratpl.errors import ConfigError, Problem

PROMPTS_NAME = "sample_prompts"
# What import tells of; the rest is for `check`, which knows the machine and the pictures.
_TOLD = ("config.gui.", "config.key.", "config.family", "config.value", "config.steps.")


@dataclass(frozen=True, slots=True)
class Imported:
    """A config of ours, and how it came about.

    Attributes:
        values: The config, JSON-ready.
        mapping: What each key became; secrets are hidden.
        problems: Warnings: what could not be translated, and what to do about it.
        settings: What the config means; None where it names a family that there is not.
        prompts_path: Where the prompts go that the other file held, None where it held none.
        prompts: These prompts.
    """

    values: Mapping[str, Any]
    mapping: tuple[Mapped, ...]
    problems: tuple[Problem, ...]
    settings: Settings | None
    prompts_path: Path | None = None
    prompts: str = ""


def import_config(raw: RawConfig, out_path: Path | None) -> Imported:
    """Returns a config as one of ours.

    Args:
        raw: The other config.
        out_path: Where ours will be; None where it is only to be shown, so that prompts cannot get a file.
    """
    out_dir = out_path.resolve().parent if out_path else raw.path.resolve().parent
    given = raw.values.get("sample_prompts")
    prompts = given if isinstance(given, str) and given.strip() and is_prompts_text(given) else ""
    prompts_path = _free_path(out_dir) if out_path and prompts else None
    translation = translate(raw, prompts_file=prompts_path.name if prompts_path else "")
    if not translation.is_gui:
        prompts, prompts_path = "", None
    settings = _settings(raw, translation)
    judged = _judged(raw)
    values = _Writer(raw, translation, settings, out_dir).values(judged)
    problems = (*translation.problems, *judged, *_secret_problems(raw, translation))
    mapping = tuple(_shown(row) for row in translation.mapping)
    as_warnings = tuple(replace(problem, severity="warning") for problem in problems)
    return Imported(MappingProxyType(values), mapping, as_warnings, settings, prompts_path, prompts)


def _free_path(folder: Path) -> Path:
    """Returns where the prompts can go without writing over anything."""
    names = (PROMPTS_NAME, *(f"{PROMPTS_NAME}-{number}" for number in range(2, 1000)))
    return next(path for name in names if not exists(path := folder / f"{name}.txt"))


def _settings(raw: RawConfig, translation: Translation) -> Settings | None:
    """Returns what the translated config means, None where it names a family that there is not."""
    entries = translation.entries.items()
    values = {name: False if name in translation.no_default else entry.value for name, entry in entries}
    try:
        return resolve(RawConfig(raw.path, values, raw.lines), project_name=raw.path.resolve().parent.name)[0]
    except ConfigError:
        return None


def _judged(raw: RawConfig) -> tuple[Problem, ...]:
    """Returns what is wrong with the other file beyond its translation, by its own keys and lines."""
    try:
        problems = resolve(raw, project_name=raw.path.resolve().parent.name)[1]
    except ConfigError as error:
        return error.problems
    translated = translate(raw).problems
    return tuple(problem for problem in problems if problem not in translated and problem.code.startswith(_TOLD))


def _shown(row: Mapped) -> Mapped:
    if row.becomes in SECRET_OPTIONS and row.value not in (None, ""):
        return replace(row, becomes=None, value=None, note=f"a secret: set {SECRET_OPTIONS[row.becomes]} instead")
    value = without_secrets(row.key, row.value)
    if row.key == "additional_parameters" and row.becomes is None:
        return replace(row, value=None)
    return replace(row, value=value)


def _secret_problems(raw: RawConfig, translation: Translation) -> list[Problem]:
    block = raw.values.get(BLOCK_KEY)
    env = block.get("env") if isinstance(block, dict) else None
    found = {name: translation.entries[name] for name in SECRET_OPTIONS if name in translation.entries}
    places: dict[str, tuple[str, ...]] = {
        SECRET_OPTIONS[name]: (entry.written_as or name,) for name, entry in found.items() if not entry.is_unset
    }
    for name, value in env.items() if isinstance(env, dict) else ():
        if is_secret(str(name), str(value)):
            places[str(name)] = (BLOCK_KEY, "env", str(name))
    return [
        Problem(
            "config.secret",
            f"{raw.where(*path).partition(': ')[0]}: `{'.'.join(path)}` is a secret and is left out.",
            raw.where(*path),
            f"Set the environment variable {variable} before `kohyatpl run`; the trainer reads it.",
        )
        for variable, path in places.items()
    ]


class _Writer:
    """Writes down what a translated config says."""

    def __init__(self, raw: RawConfig, translation: Translation, settings: Settings | None, out_dir: Path) -> None:
        self._raw = raw
        self._translation = translation
        self._settings = settings
        self._base_dir = raw.path.resolve().parent
        self._out_dir = out_dir
        family = settings.family.name if settings is not None else DEFAULT_FAMILY
        self._on_by_default = {default.name for default in defaults_of(family) if default.value is True}

    def values(self, judged: tuple[Problem, ...]) -> dict[str, Any]:
        """Returns the config, `family` first and our own block last."""
        entries = self._translation.entries
        values: dict[str, Any] = {}
        if self._settings is not None and (self._translation.is_gui or self._settings.family_source != DEFAULT):
            values["family"] = self._settings.family.name
        for name, entry in entries.items():
            values |= self._written(name, entry)
        values |= self._refused(judged)
        block = entries.get(BLOCK_KEY)
        if block is not None and block.value is not None:
            values.pop(BLOCK_KEY, None)
            values[BLOCK_KEY] = _block_without_secrets(block.value)
        return values

    def _written(self, name: str, entry: Setting) -> dict[str, Any]:
        if name in SECRET_OPTIONS or name == BLOCK_KEY:
            return {}
        if name in OWN_KEYS:
            keep = not entry.is_unset and (name != "family" or self._settings is None)
            return {name: entry.value} if keep else {}
        if name in CAN_BE_OFF and (name in self._translation.no_default or entry.value is False):
            return {name: False}
        if name in CAN_BE_KEPT_OUT and entry.value is False:
            return {name: False}
        return {} if entry.is_unset else self._set(name, entry)

    def _set(self, name: str, entry: Setting) -> dict[str, Any]:
        setting = self._settings.options.get(name) if self._settings is not None else None
        if setting is None or setting.source == DEFAULT:  # it was refused
            key = entry.written_as or name
            return {key: self._without_secrets(self._raw.values.get(key, entry.value))}
        if self._translation.is_gui and setting.value is False and name not in self._on_by_default:
            return {}  # the GUI writes every box that was not ticked
        if name not in PATH_OPTIONS | MODEL_OPTIONS:
            return {name: setting.value}
        is_our_file = name == "sample_prompts" and entry.value != self._raw.values.get(name)
        return {name: entry.value if is_our_file else self._path(entry.value, setting.value)}

    def _refused(self, judged: tuple[Problem, ...]) -> dict[str, Any]:
        """Returns the keys that no option came of, though they asked for something, as they were written."""
        places = {problem.where for problem in (*self._translation.problems, *judged) if problem.severity == "error"}
        values = self._raw.values
        entries = self._translation.entries
        return {
            key: self._without_secrets(value)
            for key, value in values.items()
            if self._raw.where(key) in places and key not in entries and key not in SECRET_OPTIONS
        }

    def _without_secrets(self, value: Any) -> Any:
        """Hides the secrets that stand in a piece of a command line."""
        for name in SECRET_OPTIONS:
            entry = self._translation.entries.get(name)
            if isinstance(value, str) and entry is not None and isinstance(entry.value, str) and entry.value:
                value = value.replace(entry.value, HIDDEN)
        return value

    def _path(self, written: Any, resolved: Any) -> Any:
        """Returns a path that means the same from where the new config lies."""
        if not isinstance(written, str) or not isinstance(resolved, str):
            return resolved if self._out_dir != self._base_dir else written
        path = Path(resolved)
        is_inside = path.is_relative_to(self._out_dir)
        is_beside = path.is_relative_to(self._base_dir) and exists(path)
        if is_inside and is_beside:
            return path.relative_to(self._out_dir).as_posix()
        is_relative = not Path(written).is_absolute() and path.is_relative_to(self._base_dir)
        return resolved if is_relative and is_beside and self._out_dir != self._base_dir else written


def _block_without_secrets(block: Any) -> Any:
    if not isinstance(block, Mapping) or not isinstance(block.get("env"), Mapping):
        return block
    shown = without_secrets(BLOCK_KEY, block)["env"]
    return {**block, "env": {name: value for name, value in shown.items() if value != HIDDEN}}
