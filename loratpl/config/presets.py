"""Presets: what the field trains a family with, for one size of GPU or one purpose; templates/presets/ has them.

A preset is a YAML file of the trainer's options, each with its source in a comment, and three keys of its own:
`family`, `about` (what it is for) and `based_on` (a preset whose settings it has as well, where it does not say
otherwise). Its values stand between those of the config and our defaults, and adapt to the machine as defaults do.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from loratpl.config.defaults import defaults_of
from loratpl.config.families import FAMILIES
from loratpl.config.family import FoundFamily
from loratpl.config.machine import Machine
from loratpl.config.options import nearest
from loratpl.config.reading import read_config
from loratpl.config.setting import DEFAULT, Setting, is_on
from loratpl.errors import Problem
from loratpl.resources import TEMPLATES_DIR

PRESET_KEY = "preset"
_PRESETS_DIR = TEMPLATES_DIR / "presets"
_SUFFIX = ".yaml"
_CACHED_TEXT = "cache_text_encoder_outputs"
_FAMILY, _ABOUT, _BASED_ON = "family", "about", "based_on"

# What means something beside another option of the same preset alone: it is left out where that one is.
_BELONGS_TO = MappingProxyType({
    "optimizer_args": "optimizer_type",
    "max_grad_norm": "optimizer_type",
    "lr_scheduler_num_cycles": "lr_scheduler",
    "lr_warmup_steps": "lr_scheduler",
    "lr_scheduler_args": "lr_scheduler",
    "cache_text_encoder_outputs_to_disk": "cache_text_encoder_outputs",
    "zero_terminal_snr": "v_parameterization",
})  # fmt: skip
# What needs a GPU (check/machine/gpus.py says why), and what it becomes without one.
_WITHOUT_GPU: Mapping[str, Any] = MappingProxyType({
    "xformers": False, "fp8_base": False, "fp8_base_unet": False, "fp8_scaled": False, "fp8_vl": False,
    "full_bf16": False, "full_fp16": False, "cpu_offload_checkpointing": False, "blocks_to_swap": 0,
})  # fmt: skip
_OPTIMIZER_WITHOUT_GPU = MappingProxyType({
    "AdamW8bit": "AdamW", "PagedAdamW": "AdamW", "PagedAdamW8bit": "AdamW", "PagedAdamW32bit": "AdamW",
    "Lion8bit": "Lion", "PagedLion8bit": "Lion", "SGDNesterov8bit": "SGDNesterov",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preset:
    """One preset.

    Attributes:
        name: Its file's, without the suffix.
        family: Of the base models that it is for.
        about: What it is for, in one sentence.
        options: What it sets, in the order of its file; values not yet judged.
    """

    name: str
    family: str
    about: str
    options: Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class ChosenPreset:
    """What a config's `preset` leads to: the preset, the family it may decide, or why it cannot be."""

    preset: Preset | None
    found: FoundFamily
    problems: tuple[Problem, ...] = ()


@functools.cache
def preset_names(family: str | None = None) -> tuple[str, ...]:
    """Returns the presets there are, those of one family where one is named."""
    names = tuple(sorted(path.stem for path in _PRESETS_DIR.glob(f"*{_SUFFIX}")))
    return names if family is None else tuple(name for name in names if family_in(name) == family)


def plain_preset(family: str) -> str | None:
    """Returns the family's preset for no special GPU or purpose; it is called like the family."""
    return family if family in preset_names() else None


def nearest_preset(name: str) -> str | None:
    """Returns the preset that a name was meant to be, None where it is near none."""
    near = nearest(name.replace("_", "-"), preset_names())
    return near[0] if near else None


def read_preset(name: str) -> Preset:
    """Returns the preset of that name, which is one of `preset_names`."""
    return _read(name)


@functools.cache
def _read(name: str) -> Preset:
    raw = read_config(_PRESETS_DIR / f"{name}{_SUFFIX}")
    base = raw.values.get(_BASED_ON)
    options = dict(_read(base).options) if base else {}
    for key, value in raw.values.items():
        if key not in (_FAMILY, _ABOUT, _BASED_ON):
            where = raw.where(key).replace(raw.path.name, f"preset {name}", 1)
            options[key] = Setting(value, DEFAULT, where)
    source = f"preset {name}"
    return Preset(
        name,
        raw.values[_FAMILY],
        raw.values[_ABOUT],
        MappingProxyType({key: replace(entry, source=source, preset=name) for key, entry in options.items()}),
    )


def family_in(name: str) -> str | None:
    """Returns the family that a preset's name begins with, None where it begins with none.

    >>> family_in("hunyuan-image-24gb"), family_in("sd3"), family_in("kandinsky-24gb")
    ('hunyuan-image', 'sd3', None)
    """
    return next((family for family in FAMILIES if name == family or name.startswith(f"{family}-")), None)


def choose_preset(entry: Setting | None, found: FoundFamily) -> ChosenPreset:
    """Returns what a config's key `preset` leads to; where nothing else tells the family, the preset decides it."""
    if entry is None or entry.is_unset:
        return ChosenPreset(None, found)
    if not isinstance(entry.value, str) or entry.value not in preset_names():
        return ChosenPreset(None, found, (_unknown(entry, found),))
    preset = read_preset(entry.value)
    if preset.family == found.family.name:
        return ChosenPreset(preset, found)
    if found.source == DEFAULT:
        return ChosenPreset(preset, FoundFamily(FAMILIES[preset.family], f"found from the preset {preset.name}"))
    return ChosenPreset(None, found, (_of_another_family(entry, preset, found),))


def preset_options(preset: Preset, written: Mapping[str, Setting], machine: Machine) -> Iterator[tuple[str, Setting]]:
    """Yields what a preset says where the config leaves it to the preset, for one machine.

    An option steps back before the user's own one of that name, before one that says the same in another way
    (`max_train_steps` before `max_train_epochs`), and with the option of the preset that it belongs to.
    """
    taken = set()
    for name, entry in preset.options.items():
        if name in written or any(is_on(written, rival) for rival in _rivals(name, preset.family)):
            continue
        if name.startswith(_CACHED_TEXT) and _is_off(written, "network_train_unet_only"):
            continue
        owner = _BELONGS_TO.get(name, "")
        if owner in preset.options and not (owner in taken or _says_the_same(written, owner, preset)):
            continue
        taken.add(name)
        yield name, _adapted(name, entry, machine)


def _rivals(name: str, family: str) -> Iterator[str]:
    """Yields what says the same as an option, or cannot be beside it; the table of defaults knows it."""
    for default in defaults_of(family):
        if default.name == name:
            yield from default.unless
        elif name in default.unless:
            yield default.name
    if name.startswith(_CACHED_TEXT):  # there is nothing to keep of what is trained
        yield from _rivals("network_train_unet_only", family)


def _is_off(options: Mapping[str, Setting], name: str) -> bool:
    return name in options and not is_on(options, name)


def _says_the_same(written: Mapping[str, Setting], name: str, preset: Preset) -> bool:
    return name in written and written[name].value == preset.options[name].value


def _adapted(name: str, entry: Setting, machine: Machine) -> Setting:
    value = entry.value
    if name == "mixed_precision" and value == "bf16":
        value = machine.mixed_precision
    elif name == "full_bf16" and machine.mixed_precision != "bf16":
        value = False
    elif not machine.has_gpu and name == "optimizer_type":
        value = _OPTIMIZER_WITHOUT_GPU.get(value, value)
    elif not machine.has_gpu and value:
        value = _WITHOUT_GPU.get(name, value)
    if value == entry.value:
        return entry
    shown = str(entry.value).lower() if isinstance(entry.value, bool) else entry.value
    return replace(entry, value=value, note=f"in place of {shown}, {machine.title}")


def _unknown(entry: Setting, found: FoundFamily) -> Problem:
    name = str(entry.value)
    near = nearest_preset(name)
    family = family_in(name) if found.source == DEFAULT else found.family.name
    guess = f"Did you mean `{near}`? " if near else ""
    return Problem(
        "config.preset",
        f"{entry.where}: there is no preset {name!r}.",
        entry.where,
        f"{guess}There are {', '.join(preset_names(family) or preset_names())}.",
    )


def _of_another_family(entry: Setting, preset: Preset, found: FoundFamily) -> Problem:
    known = preset_names(found.family.name)
    instead = f"Choose one of {', '.join(known)}" if known else f"There is none for {found.family.name}; take it out"
    return Problem(
        "config.preset",
        f"{entry.where}: the preset {preset.name} is for {preset.family}, and this config is {found.family.name} "
        f"({found.source}).",
        entry.where,
        f"{instead}, or correct the `family`.",
    )
