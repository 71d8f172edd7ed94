"""Settings: every option with its value and where that came from, checked and ready for plan and render."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from loratpl.config.block import BLOCK_KEY, Block
from loratpl.config.defaults import DEFAULTS
from loratpl.config.families import DEFAULT_FAMILY, FAMILIES, LATER_FAMILIES, Family
from loratpl.config.machine import default_mixed_precision
from loratpl.config.options import ValueRefusedError, convert, explain_unknown
from loratpl.config.reading import RawConfig
from loratpl.errors import ConfigError, Problem, UsageError
from loratpl.trainer.manifest import Manifest, load_manifest

OWN_KEYS = ("family", BLOCK_KEY, "$schema")
COMMAND_LINE = "command line"
DEFAULT = "default"

# Options that name a file or folder; the manifest cannot tell them from other texts.
PATH_OPTIONS = frozenset({
    "train_data_dir", "reg_data_dir", "output_dir", "logging_dir", "network_weights", "sample_prompts",
    "tokenizer_cache_dir", "log_tracker_config", "base_weights", "resume",
})  # fmt: skip
# A file, a Diffusers folder, or an owner/name of the Hugging Face hub.
_MODEL_OPTIONS = frozenset({"pretrained_model_name_or_path", "vae"})
# Options that are kohyatpl's own business, and why.
RESERVED = {
    "config_file": "kohyatpl writes the trainer's config file itself",
    "output_config": "it makes the trainer write its options and end without training",
    "dataset_config": "kohyatpl writes the dataset file from the concept folders",
    "in_json": "kohyatpl trains concept folders; metadata files belong to fine-tuning",
    "dataset_class": "kohyatpl trains concept folders; a dataset class of one's own cannot be planned",
    "debug_dataset": "it makes the trainer show the dataset and end without training",
}
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


@dataclass(frozen=True, slots=True)
class Setting:
    """One option's value, where it came from, and how a problem names the place."""

    value: Any
    source: str
    where: str


@dataclass(frozen=True, slots=True)
class Settings:
    """A config, resolved. `settings["network_dim"]` is the value, None where the option is unset."""

    family: Family
    options: Mapping[str, Setting]
    block: Block
    base_dir: Path

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
        """Returns an option that names a file or folder, as a path; relative ones count from the config's folder."""
        return self.base_dir / str(self[name])

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
) -> tuple[Settings, tuple[Problem, ...]]:
    """Returns the settings of a config, and everything that is wrong with it.

    The settings leave out what was refused; whether they may be used is for the problems to say.

    Args:
        raw: The config file as read.
        project_name: Becomes `output_name` where the config gives none.
        overrides: Keys and values of the command line; they win over the file.
        manifest: The options of the scripts; the pinned trainer's unless given.

    Raises:
        ConfigError: The family is not one that this version trains: nothing else can be judged then.
    """
    manifest = manifest or load_manifest()
    entries = _entries(raw, overrides)
    family = _family(entries)
    problems: list[Problem] = []
    options: dict[str, Setting] = {}
    for key, entry in entries.items():
        if key in OWN_KEYS:
            continue
        try:
            value = _judged(key, entry.value, family, manifest)
        except _RefusedKeyError as refused:
            problems.append(_problem(refused, entry))
            continue
        if value is not None:
            options[key] = Setting(value, entry.source, entry.where)
    for name, value in _missing_defaults(options, family, project_name):
        options[name] = Setting(value, DEFAULT, f"{name} (default)")
    block = _block(entries.get(BLOCK_KEY), raw, problems)
    base_dir = raw.path.resolve().parent  # the trainer runs in a folder of its own
    settings = Settings(family, MappingProxyType(dict(sorted(options.items()))), block, base_dir)
    settings = _with_resolved_paths(settings)
    problems.extend(_family_problems(settings, entries))
    problems.extend(_model_problems(settings))
    return settings, tuple(problems)


class _RefusedKeyError(Exception):
    def __init__(self, code: str, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.fix = code, reason, fix


def _entries(raw: RawConfig, overrides: Sequence[tuple[str, Any]]) -> dict[str, Setting]:
    entries = {key: Setting(value, raw.path.name, raw.where(key)) for key, value in raw.values.items()}
    entries |= {key: Setting(value, COMMAND_LINE, f"--set {key}") for key, value in overrides}
    return entries


def _family(entries: Mapping[str, Setting]) -> Family:
    entry = entries.get("family")
    if entry is None or entry.value in (None, ""):
        v2 = entries.get("v2")
        return FAMILIES["sd2" if v2 is not None and v2.value is True else DEFAULT_FAMILY]
    if isinstance(entry.value, str) and entry.value in FAMILIES:
        return FAMILIES[entry.value]
    known = ", ".join(FAMILIES)
    reason = (
        f"{entry.where}: this version of kohyatpl does not train the family {entry.value} yet; it trains {known}."
        if entry.value in LATER_FAMILIES
        else f"{entry.where}: {entry.value!r} is not a family of base models that kohyatpl knows: {known}."
    )
    raise ConfigError(
        Problem("config.family", reason, entry.where, f'Write `"family": "{DEFAULT_FAMILY}"`, or leave it out.')
    )


def _family_problems(settings: Settings, entries: Mapping[str, Setting]) -> Iterator[Problem]:
    v2 = entries.get("v2")
    if v2 is not None and isinstance(v2.value, bool) and v2.value != (settings.family.name == "sd2"):
        yield Problem(
            "config.family",
            f"{v2.where}: v2 is {str(v2.value).lower()}, but the family is {settings.family.name}.",
            v2.where,
            "Take one of the two out; `v2` stands for the family sd2.",
        )


def _judged(key: str, value: Any, family: Family, manifest: Manifest) -> Any:
    if key in RESERVED:
        raise _RefusedKeyError("config.key.reserved", f"`{key}` cannot be set: {RESERVED[key]}", "Take it out.")
    option = manifest.options_of[family.script].get(key)
    if option is None:
        raise _RefusedKeyError("config.key.unknown", *explain_unknown(key, family.script, manifest, OWN_KEYS))
    try:
        converted = convert(option, value)
    except ValueRefusedError as error:
        raise _RefusedKeyError("config.value", error.reason, error.fix) from error
    if key in ("caption_extension", "caption_extention") and converted and not converted.startswith("."):
        return f".{converted}"
    return converted


def _problem(refused: _RefusedKeyError, entry: Setting) -> Problem:
    place = entry.where.partition(": ")[0]
    return Problem(
        refused.code,
        f"{place}: {refused.reason}{'' if refused.reason.endswith('?') else '.'}",
        entry.where,
        refused.fix,
    )


def _missing_defaults(options: Mapping[str, Setting], family: Family, project_name: str) -> Iterator[tuple[str, Any]]:
    for default in DEFAULTS:
        if default.name not in options and not any(_is_set(options, name) for name in default.unless):
            yield default.name, default.value
    if "network_module" not in options:
        yield "network_module", family.network_module
    if "output_name" not in options:
        yield "output_name", project_name
    if "mixed_precision" not in options:
        yield "mixed_precision", default_mixed_precision()
    if family.name == "sd2" and "v2" not in options:
        yield "v2", True


def _is_set(options: Mapping[str, Setting], name: str) -> bool:
    return name in options and options[name].value is not False


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


def _with_resolved_paths(settings: Settings) -> Settings:
    """Paths count from the config's folder; ~ is the home folder; a backslash path is understood anywhere."""
    options = {
        name: Setting(_resolved(name, setting.value, settings.base_dir), setting.source, setting.where)
        for name, setting in settings.options.items()
    }
    return Settings(settings.family, MappingProxyType(options), settings.block, settings.base_dir)


def _resolved(name: str, value: Any, base_dir: Path) -> Any:
    if name in _MODEL_OPTIONS:
        path = _as_path(value, base_dir)
        return value if _is_hub_id(value) and not _exists(path) else str(path)
    if name not in PATH_OPTIONS:
        return value
    if isinstance(value, list):
        return [str(_as_path(item, base_dir)) for item in value]
    return str(_as_path(value, base_dir))


def _as_path(text: str, base_dir: Path) -> Path:
    # On Windows pathlib reads both; elsewhere a backslash in a config came from Windows, unless such a file is there.
    text = text if _exists(base_dir / text) else text.replace("\\", "/")
    try:
        return base_dir / Path(text).expanduser()
    except RuntimeError:  # ~somebody who has no home here
        return base_dir / text


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file system takes
        return False


def _is_hub_id(text: str) -> bool:
    return _HUB_ID.fullmatch(text) is not None and not text.endswith((".safetensors", ".ckpt", ".pt"))


def _model_problems(settings: Settings) -> Iterator[Problem]:
    name = "pretrained_model_name_or_path"
    model, where = settings[name], settings.where(name)
    if model is None:
        yield Problem(
            "config.model.missing",
            "The config names no base model.",
            name,
            f'Set `"{name}": "/path/to/model.safetensors"` in the config; a Diffusers folder or an owner/name of the '
            "Hugging Face hub will do as well.",
        )
    elif not _is_hub_id(model) and not _exists(Path(model)):
        yield Problem(
            "config.model.missing", f"The base model {model} does not exist.", where, f"Correct `{name}` in the config."
        )
    vae = settings["vae"]
    if vae is not None and not _is_hub_id(vae) and not _exists(Path(vae)):
        yield Problem("config.vae.missing", f"The VAE {vae} does not exist.", settings.where("vae"), "Correct `vae`.")
