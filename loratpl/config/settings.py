"""Settings: every option with its value and where that came from, checked and ready for plan and render."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from loratpl.config.block import BLOCK_KEY, Block
from loratpl.config.defaults import defaults_of
from loratpl.config.families import Family
from loratpl.config.family import family_problems, find_family
from loratpl.config.gui.keys import GUI_KEYS
from loratpl.config.gui.translation import translate
from loratpl.config.machine import Machine, this_machine
from loratpl.config.models import model_problems
from loratpl.config.modelspec import AUTHOR, AUTHOR_VARIABLE, CAN_BE_KEPT_OUT
from loratpl.config.options import ValueRefusedError, convert, explain_unknown
from loratpl.config.parts import Part, concept_parts, dataset_parts
from loratpl.config.paths import beside_config, resolved
from loratpl.config.presets import PRESET_KEY, choose_preset, preset_options
from loratpl.config.reading import RawConfig
from loratpl.config.secrets import SECRET_OPTIONS, is_secret, secrets_in
from loratpl.config.setting import COMMAND_LINE, DEFAULT, ENVIRONMENT, Setting, is_on
from loratpl.errors import Problem, UsageError
from loratpl.trainer.manifest import Manifest, load_manifest

__all__ = ["COMMAND_LINE", "DEFAULT", "OWN_KEYS", "RESERVED", "Setting", "Settings", "parse_assignment", "resolve"]

OWN_KEYS = ("family", PRESET_KEY, BLOCK_KEY, "$schema")
# Options that are kohyatpl's own business, and why.
RESERVED = {
    "config_file": "kohyatpl writes the trainer's config file itself",
    "output_config": "it makes the trainer write its options and end without training",
    "dataset_config": "kohyatpl writes the dataset file from the concept folders",
    "in_json": "kohyatpl trains concept folders; metadata files belong to fine-tuning",
    "dataset_class": "kohyatpl trains concept folders; a dataset class of one's own cannot be planned",
    "debug_dataset": "it makes the trainer show the dataset and end without training",
}
# Options that `false` leaves unset in spite of our default: no regularisation images, one file at the end, the
# precision of the training. None of them is a flag.
CAN_BE_OFF = frozenset({"reg_data_dir", "save_every_n_epochs", "save_precision"})


@dataclass(frozen=True, slots=True)
class Settings:
    """A config, resolved. `settings["network_dim"]` is the value, None where the option is unset.

    Attributes:
        family: Of the base model.
        family_source: How it is known: a file's name, `COMMAND_LINE`, "found from …" or `DEFAULT`.
        options: Every option that is set.
        block: Our own settings.
        base_dir: What relative paths count from.
        secrets: Keys and tokens, by the environment variable that hands them on; they are in neither of the others.
        preset: The one that the config names, "" for none.
        datasets: Options of each of `kohyatpl.datasets`.
        concepts: Options of single concepts, by what the config calls them.
    """

    family: Family
    family_source: str
    options: Mapping[str, Setting]
    block: Block
    base_dir: Path
    secrets: Mapping[str, Setting] = field(default_factory=dict, repr=False)
    preset: str = ""
    datasets: tuple[Part, ...] = ()
    concepts: Mapping[str, Part] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """Returns an option's value, None where it is unset."""
        setting = self.options.get(name)
        return None if setting is None else setting.value

    @property
    def caption_extension(self) -> str:
        """The extension of caption files; the trainer's misspelt name for it wins over the right one."""
        extension: str = self["caption_extention"] or self["caption_extension"]
        return extension

    def path(self, name: str) -> Path:
        """Returns an option that names a file or folder, as a path; relative ones count from the config's folder.

        One that is unset is the system's null device, in which nothing lies.
        """
        return self.base_dir / (os.devnull if self[name] is None else str(self[name]))

    def with_options(self, part: Part) -> Settings:
        """Returns the settings as they are for a part of the pictures that has options of its own."""
        if not part:
            return self
        options = {**self.options, **part}
        if "caption_extension" in part:
            options.pop("caption_extention", None)
        return replace(self, options=MappingProxyType(options))

    def secret_env(self) -> dict[str, str]:
        """Returns the secrets as the trainer's environment takes them; nothing of it may be written down."""
        return {name: str(setting.value) for name, setting in self.secrets.items()}

    def where(self, name: str) -> str:
        """Returns how a problem names the place where an option was set."""
        setting = self.options.get(name)
        return name if setting is None else setting.where


def parse_assignment(text: str) -> tuple[str, Any]:
    """Returns key and value of a `--set KEY=VALUE`; the value is read as JSON where it is JSON, else as text.

    Raises:
        UsageError: There is no "=" in it.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(
            Problem("usage.set", f"`--set {text}` names no value.", "--set", "Write it as `--set learning_rate=1e-4`.")
        )
    try:
        parsed = json.loads(value)
    except ValueError:
        return key, value
    if parsed is False and key in CAN_BE_OFF | CAN_BE_KEPT_OUT:
        return key, parsed
    # A shell takes the quotes of `resolution="512"` away: for an option that takes a text it stays one.
    return key, value if _takes_text(key) and not isinstance(parsed, (str, type(None), list)) else parsed


def _takes_text(key: str) -> bool:
    manifest = load_manifest()
    return any(manifest.options_of[script][key].type in ("str", "path") for script in manifest.scripts_with(key))


def resolve(
    raw: RawConfig,
    *,
    project_name: str,
    overrides: Sequence[tuple[str, Any]] = (),
    manifest: Manifest | None = None,
    machine: Machine | None = None,
) -> tuple[Settings, tuple[Problem, ...]]:
    """Returns the settings of a config, and everything that is wrong with it.

    The settings leave out what was refused; whether they may be used is for the problems to say.

    Args:
        raw: The config file as read.
        project_name: Becomes `output_name` where the config gives none.
        overrides: Keys and values of the command line; they win over the file.
        manifest: The options of the scripts; the pinned trainer's unless given.
        machine: What defaults and presets are made to suit; this one unless given.

    Raises:
        ConfigError: The family is not one that this version trains: nothing else can be judged then.
    """
    manifest, machine = manifest or load_manifest(), machine or this_machine()
    translation = translate(raw, overrides)
    entries = translation.entries
    base_dir = raw.path.resolve().parent  # the trainer runs in a folder of its own
    chosen = choose_preset(entries.get(PRESET_KEY), find_family(entries, base_dir))
    family = chosen.found.family
    problems = [*translation.problems, *chosen.problems]
    names = (*OWN_KEYS, *GUI_KEYS) if translation.is_gui else OWN_KEYS
    off = {key for key in CAN_BE_OFF | CAN_BE_KEPT_OUT if key in entries and entries[key].value is False}
    written = {key: entry for key, entry in entries.items() if key not in OWN_KEYS and key not in off}
    options = _judged_all(written, family, manifest, names, problems)
    problems.extend(family_problems(family, options))
    if chosen.preset is not None:
        left = dict(preset_options(chosen.preset, options, machine))
        left = {name: entry for name, entry in left.items() if name not in translation.no_default | off}
        options |= _judged_all(left, family, manifest, OWN_KEYS, problems)
    for name, value in _missing_defaults(options, family, project_name, machine):
        if name not in translation.no_default | off:
            note = machine.title if name == "mixed_precision" else ""
            options[name] = Setting(value, DEFAULT, f"{name} (default)", note=note)
        elif name == "reg_data_dir":  # the one folder that a project may do without
            options[name] = Setting(None, DEFAULT, entries[name].where)
    options |= {key: entries[key] for key in off & CAN_BE_KEPT_OUT}  # unset they would be filled in
    options |= _from_environment(options)
    block = _block(entries.get(BLOCK_KEY), raw, problems)
    parts = (block, entries.get(BLOCK_KEY), raw, manifest.options_of[family.script], problems)
    secrets = secrets_in(options, block.env, entries.get(BLOCK_KEY))
    shown = {name: setting for name, setting in sorted(options.items()) if name not in SECRET_OPTIONS}
    env = {name: value for name, value in block.env.items() if not is_secret(name, value)}
    settings = Settings(
        family,
        chosen.found.source,
        MappingProxyType(shown),
        block.model_copy(update={"env": env}),
        base_dir,
        MappingProxyType(secrets),
        "" if chosen.preset is None else chosen.preset.name,
        dataset_parts(*parts),
        concept_parts(*parts),
    )
    settings = _with_resolved_paths(settings, problems)
    problems.extend(model_problems(settings))
    return settings, tuple(problems)


class _RefusedKeyError(Exception):
    def __init__(self, code: str, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.fix = code, reason, fix


def _judged_all(
    entries: Mapping[str, Setting],
    family: Family,
    manifest: Manifest,
    names: Sequence[str],
    problems: list[Problem],
) -> dict[str, Setting]:
    """Returns those of the options that can be used and are set, their values in the trainer's types."""
    options = {}
    for key, entry in entries.items():
        try:
            value = _judged(key, entry, family, manifest, names)
        except _RefusedKeyError as refused:
            problems.append(_problem(refused, entry))
            continue
        if value is not None:
            options[key] = replace(entry, value=value)
    return options


def _judged(key: str, entry: Setting, family: Family, manifest: Manifest, names: Sequence[str]) -> Any:
    if key in RESERVED and not entry.is_unset:
        raise _RefusedKeyError("config.key.reserved", f"`{key}` cannot be set: {RESERVED[key]}", "Take it out.")
    option = manifest.options_of[family.script].get(key)
    if key in SECRET_OPTIONS and not entry.is_unset and not isinstance(entry.value, str):
        raise _RefusedKeyError("config.value", f"`{key}` takes a text", "Write it in quotes.")  # and is not repeated
    if option is None:
        raise _RefusedKeyError("config.key.unknown", *explain_unknown(key, family.script, manifest, names, family.name))
    try:
        converted = convert(replace(option, name=entry.written_as or key), entry.value)
    except ValueRefusedError as error:
        raise _RefusedKeyError("config.value", error.reason, error.fix) from error
    if key in ("caption_extension", "caption_extention") and converted and not converted.startswith("."):
        return f".{converted}"
    return converted


def _problem(refused: _RefusedKeyError, entry: Setting) -> Problem:
    return Problem(
        refused.code,
        f"{entry.place}: {refused.reason}{'' if refused.reason.endswith('?') else '.'}",
        entry.where,
        refused.fix,
    )


def _missing_defaults(
    options: Mapping[str, Setting], family: Family, project_name: str, machine: Machine
) -> Iterator[tuple[str, Any]]:
    """Yields what is not set, one after the other: a default may depend on those that were taken before it."""
    for name, value in family.implied.items():
        if name not in options and value is not False:  # a flag that is off needs no word
            yield name, value
    for default in defaults_of(family.name):
        if default.name in options or any(is_on(options, name) for name in default.unless):
            continue
        if not default.needs or is_on(options, default.needs):
            yield default.name, default.value
    if "network_module" not in options:
        yield "network_module", family.network_module
    if "output_name" not in options:
        yield "output_name", project_name
    if "mixed_precision" not in options:
        yield "mixed_precision", machine.mixed_precision


def _from_environment(options: Mapping[str, Setting]) -> dict[str, Setting]:
    """Returns what the user has said once for all projects, where the config does not say it."""
    author = os.environ.get(AUTHOR_VARIABLE, "").strip()
    if not author or AUTHOR in options or is_on(options, "no_metadata"):
        return {}
    return {AUTHOR: Setting(author, f"{ENVIRONMENT} {AUTHOR_VARIABLE}", AUTHOR_VARIABLE)}


def _block(entry: Setting | None, raw: RawConfig, problems: list[Problem]) -> Block:
    if entry is None or entry.value is None:
        return Block()
    try:
        return Block.model_validate(entry.value)
    except ValidationError as error:
        for finding in error.errors(include_url=False):
            path = (BLOCK_KEY, *(str(part) for part in finding["loc"]))
            where = entry.where if entry.source == COMMAND_LINE else raw.where(*path)
            unknown = finding["type"] == "extra_forbidden"
            reason = f"unknown key `{'.'.join(path)}`" if unknown else f"`{'.'.join(path)}`: {finding['msg']}"
            known = ", ".join(Block.model_fields)
            fix = f"The keys under `{BLOCK_KEY}` are {known}; docs/config.md has them all."
            code = "config.key.unknown" if unknown else "config.value"
            problems.append(Problem(code, f"{where.partition(': ')[0]}: {reason}.", where, fix))
        return Block()


def _with_resolved_paths(settings: Settings, problems: list[Problem]) -> Settings:
    options = {}
    for name, setting in settings.options.items():
        beside = beside_config(name, setting.value, settings.base_dir)
        if beside is not None:
            problems.append(_elsewhere(name, setting, beside))
        value = resolved(name, setting.value, settings.base_dir) if beside is None else str(beside)
        options[name] = replace(setting, value=value)
    return replace(settings, options=MappingProxyType(options))


def _elsewhere(name: str, setting: Setting, beside: Path) -> Problem:
    return Problem(
        "config.path.elsewhere",
        f"{setting.place}: `{name}` is {setting.value}, a folder of another machine; the folder {beside.name} beside "
        "the config is taken for it.",
        setting.where,
        f'Write `"{name}": "{beside.name}"`.',
        "warning",
    )
