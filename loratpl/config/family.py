"""Which family a config is of: the one that it names, else the one that its keys or its base model tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.config.families import DEFAULT_FAMILY, FAMILIES, FAMILY_OF_MODULE, Family, nearest_family
from loratpl.config.paths import resolved
from loratpl.config.setting import DEFAULT, Setting
from loratpl.errors import ConfigError, Problem
from loratpl.weights import base_model_family

MODEL_KEY = "pretrained_model_name_or_path"
FOUND_FROM_TENSORS = "found from the tensors of"


@dataclass(frozen=True, slots=True)
class FoundFamily:
    """A config's family and how it is known: a file's name, "command line", "found from …" or "default"."""

    family: Family
    source: str


def find_family(entries: Mapping[str, Setting], base_dir: Path) -> FoundFamily:
    """Returns the family of a config; its base model is looked into only where its keys do not tell.

    Args:
        entries: The config's keys, values not yet judged.
        base_dir: What relative paths count from.

    Raises:
        ConfigError: It names a family that there is not: nothing else can be judged then.
    """
    entry = entries.get("family")
    if entry is not None and not entry.is_unset:
        return FoundFamily(_named(entry), entry.source)
    told = _told_by_keys(entries)
    if told is not None and not (told.family.name == "flux" and _may_be_chroma(entries)):
        return told
    return _told_by_model(entries, base_dir) or told or FoundFamily(FAMILIES[DEFAULT_FAMILY], DEFAULT)


def family_problems(family: Family, options: Mapping[str, Setting]) -> Iterator[Problem]:
    """Yields an error for each option that says another family than the config's."""
    for name, right in family.implied.items():
        setting = options.get(name)
        if setting is None or setting.value == right:
            continue
        stands_for = _family_with(name, setting.value)
        yield Problem(
            "config.family.conflict",
            f"{setting.where}: {name} is {_shown(setting.value)}, but the family is {family.name}.",
            setting.where,
            f"Take one of the two out; `{name}` stands for the family {stands_for}."
            if stands_for
            else f"Take it out: models of the family {family.name} are trained with {_shown(right)}.",
        )


def _named(entry: Setting) -> Family:
    if isinstance(entry.value, str) and entry.value in FAMILIES:
        return FAMILIES[entry.value]
    near = nearest_family(entry.value) if isinstance(entry.value, str) else None
    raise ConfigError(
        Problem(
            "config.family",
            f"{entry.where}: {entry.value!r} is no family of base models that kohyatpl knows: {', '.join(FAMILIES)}.",
            entry.where,
            f'Write `"family": "{near or DEFAULT_FAMILY}"`, or leave it out.',
        )
    )


def _told_by_keys(entries: Mapping[str, Setting]) -> FoundFamily | None:
    model_type = _value(entries, "model_type")
    if model_type in ("flux", "chroma"):
        return FoundFamily(FAMILIES[str(model_type)], f"found from model_type {model_type}")
    set_keys = {key for key in entries if _value(entries, key) not in (None, False)}
    for family in FAMILIES.values():
        for sign in family.signs:
            if sign <= set_keys:
                return FoundFamily(family, f"found from {' and '.join(sorted(sign))}")
    module = _value(entries, "network_module")
    if isinstance(module, str) and module in FAMILY_OF_MODULE:
        return FoundFamily(FAMILIES[FAMILY_OF_MODULE[module]], f"found from network_module {module}")
    return None


def _may_be_chroma(entries: Mapping[str, Setting]) -> bool:
    return _value(entries, "clip_l") is None and _value(entries, "model_type") is None


def _told_by_model(entries: Mapping[str, Setting], base_dir: Path) -> FoundFamily | None:
    model = _value(entries, MODEL_KEY)
    if not isinstance(model, str):
        return None
    path = Path(resolved(MODEL_KEY, model, base_dir))
    name = base_model_family(path)
    return None if name is None else FoundFamily(FAMILIES[name], f"{FOUND_FROM_TENSORS} {path.name}")


def _value(entries: Mapping[str, Setting], key: str) -> Any:
    entry = entries.get(key)
    return None if entry is None or entry.is_unset else entry.value


def _family_with(name: str, value: Any) -> str | None:
    """The one family for which an option stands at this value, None where there are several."""
    families = [family.name for family in FAMILIES.values() if family.implied.get(name) == value]
    return families[0] if len(families) == 1 else None


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
