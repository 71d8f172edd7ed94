"""Reads what a config of the kohya_ss GUI means: its keys become the trainer's options, by the table of keys.py.

A file with one key that only the GUI has is taken for the GUI's as a whole: there 0 and "" often mean unset, and some
settings depend on each other. In any other config the GUI's own keys are understood too, all others mean what they say.
The command line counts as part of the file and wins over it: `--set use_8bit_adam=false` must do what it says.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from loratpl.config.arguments import ARGUMENT_OPTIONS, NETWORK_ARGS, ValueRefusedError
from loratpl.config.block import BLOCK_KEY
from loratpl.config.families import FAMILIES
from loratpl.config.gui.decisions import FOR_A_FILE_OF_THE_GUI, FOR_ANY_FILE
from loratpl.config.gui.draft import Draft, Mapped
from loratpl.config.gui.key import GuiKey
from loratpl.config.gui.keys import GUI_KEYS, gui_only_keys, option_names, second_generation_keys
from loratpl.config.gui.rows_families import BOXES
from loratpl.config.gui.values import Instead, shown
from loratpl.config.options import number_of
from loratpl.config.overrides import laid_over
from loratpl.config.reading import RawConfig
from loratpl.config.setting import COMMAND_LINE, Setting
from loratpl.errors import Problem

__all__ = ["Mapped", "Translation", "translate"]

# The GUI trained other things too; today's knows these keys no more.
LOST_PREFIXES = ("leco_",)
_LOST = "dropped: of another kind of training"


@dataclass(frozen=True, slots=True)
class Translation:
    """A config in the trainer's own keys.

    Attributes:
        entries: By option; values are not yet judged.
        mapping: One row for each key that was written, one for each option of `additional_parameters`.
        problems: Contradictions and refused values are errors; what had to be dropped is a warning.
        no_default: Options that are unset and must stay so.
        is_gui: Whether the file is taken for one of the GUI.
    """

    entries: Mapping[str, Setting]
    mapping: tuple[Mapped, ...]
    problems: tuple[Problem, ...]
    no_default: frozenset[str]
    is_gui: bool


def translate(raw: RawConfig, overrides: Sequence[tuple[str, Any]] = (), *, prompts_file: str = "") -> Translation:
    """Returns what a config says in the trainer's own keys; one without keys of the GUI comes out as it is.

    Args:
        raw: The config as read.
        overrides: Keys and values of the command line.
        prompts_file: Where the caller writes the prompts of a config that holds them itself, as the GUI's do.
    """
    written = {key: Setting(value, raw.path.name, raw.where(key)) for key, value in raw.values.items()}
    is_gui = not gui_only_keys().isdisjoint(written)
    is_second = not second_generation_keys().isdisjoint(written)
    written = laid_over(written, overrides)
    known = GUI_KEYS.keys() if is_gui else gui_only_keys()
    if known.isdisjoint(written):
        rows = tuple(Mapped(key, key, entry.value) for key, entry in written.items())
        return Translation(MappingProxyType(written), rows, (), frozenset(), is_gui)
    draft = Draft(
        written,
        family=_family_of(written),
        is_second=is_second,
        has_boxes=any(key in raw.values for key in BOXES),
        prompts_file=prompts_file,
    )
    return _Translator(raw, draft, known, is_gui).translated()


def _family_of(written: Mapping[str, Setting]) -> str:
    """Returns the family by which the keys of the window's parts count, before anything is judged."""
    named = written.get("family")
    if named is not None and named.value in FAMILIES and isinstance(named.value, str):
        return named.value
    boxes = [family for key, family in BOXES.items() if key in written and written[key].value is True]
    if boxes:
        model_type = written.get("model_type")
        return "chroma" if boxes[0] == "flux" and model_type and model_type.value == "chroma" else boxes[0]
    return "sd2" if "v2" in written and written["v2"].value is True else "sd15"


class _Translator:
    """One translation in progress: each key by itself, then what depends on several, then the collecting."""

    def __init__(self, raw: RawConfig, draft: Draft, known: AbstractSet[str], is_gui: bool) -> None:
        self._raw = raw
        self._draft = draft
        self._known = known
        self._is_gui = is_gui

    def translated(self) -> Translation:
        draft = self._draft
        for key, entry in draft.written.items():
            draft.mapped[key] = self._alone(key, entry)
        for decide in (*(FOR_A_FILE_OF_THE_GUI if self._is_gui else ()), *FOR_ANY_FILE):
            decide(draft)
        entries = self._collected()
        no_default = {key for key in self._known & draft.written.keys() if GUI_KEYS[key].no_default}
        return Translation(
            MappingProxyType(entries),
            (*draft.mapped.values(), *draft.added),
            tuple(draft.problems),
            frozenset(key for key in no_default if key in entries and entries[key].is_unset),
            self._is_gui,
        )

    def _alone(self, key: str, entry: Setting) -> Mapped:
        if key not in self._known:
            is_lost = self._is_gui and key.startswith(LOST_PREFIXES)
            return Mapped(key, None, None, _LOST) if is_lost else Mapped(key, key, entry.value)
        row = GUI_KEYS[key]
        return self._of_another_family(row) or self._by_row(row, entry)

    def _by_row(self, row: GuiKey, entry: Setting) -> Mapped:
        try:
            value = row.meaning(entry.value)
        except ValueRefusedError as error:
            self._draft.refuse(row.name, error.reason, error.fix)
            return Mapped(row.name, None, None, row.reason)
        if isinstance(value, Instead):
            return Mapped(row.name, value.becomes, value.value, row.reason)
        if row.becomes is None:
            if value not in (None, ""):
                self._draft.warn(row.name, f"`{row.name}` has no counterpart and is left out", row.instead)
            return Mapped(row.name, None, None, row.reason)
        is_plain = row.becomes == row.name and value is entry.value
        return Mapped(row.name, row.becomes, value, "" if is_plain else row.reason)

    def _of_another_family(self, row: GuiKey) -> Mapped | None:
        """Returns what becomes of a key whose part of the window is switched off, None where it is on."""
        family, entry = self._draft.family, self._draft.written[row.name]
        if not row.families or family in row.families or not self._is_gui:
            return None
        is_option = row.name in option_names()
        if is_option and (entry.source == COMMAND_LINE or not self._draft.has_boxes):
            return Mapped(row.name, row.name, entry.value)
        if not is_option and entry.source == COMMAND_LINE:
            return None
        return Mapped(row.name, None, None, f"counts for {', '.join(row.families)}; this config trains {family}")

    # --- collecting

    def _collected(self) -> dict[str, Setting]:
        """Returns the entries by option; of two keys for one option one must be silent, or say the same."""
        entries: dict[str, Setting] = {}
        for key, row in self._draft.mapped.items():
            if row.becomes is None or (row.becomes == NETWORK_ARGS and key != NETWORK_ARGS):
                continue
            written_as = "" if row.becomes == key else key
            entry = dataclasses.replace(self._draft.written[key], value=row.value, written_as=written_as)
            entries[row.becomes] = self._chosen(entries.get(row.becomes), entry, row.becomes)
        self._add_network_items(entries)
        for row in self._draft.added:
            name = str(row.becomes)
            if name not in entries or entries[name].source != COMMAND_LINE:
                # The lists of arguments are read by the rules of their own names.
                written_as = "" if name in ARGUMENT_OPTIONS else row.key
                entry = dataclasses.replace(self._draft.written[row.key], value=row.value, written_as=written_as)
                entries[name] = entry
        return self._with_block(entries)

    def _add_network_items(self, entries: dict[str, Setting]) -> None:
        """The keys of the network come before what the file itself has under `network_args`."""
        own = entries.get(NETWORK_ARGS)
        if not self._draft.items or (own is not None and own.source == COMMAND_LINE):
            return
        if own is None or own.is_unset:
            entries[NETWORK_ARGS] = dataclasses.replace(self._draft.written["LoRA_type"], value=self._draft.items)
        elif isinstance(own.value, list):
            named = {str(item).partition("=")[0] for item in own.value}
            items = [item for item in self._draft.items if item.partition("=")[0] not in named]
            entries[NETWORK_ARGS] = dataclasses.replace(own, value=[*items, *own.value])

    def _with_block(self, entries: dict[str, Setting]) -> dict[str, Setting]:
        """Returns the entries with those that are keys of ours put into our own block."""
        for name in [name for name in entries if name.startswith(f"{BLOCK_KEY}.")]:
            entry = entries.pop(name)
            if not entry.is_unset:
                path = tuple(name.split(".")[1:])
                entries[BLOCK_KEY] = self._block_with(entries.get(BLOCK_KEY), path, entry)
        return entries

    def _chosen(self, first: Setting | None, second: Setting, name: str) -> Setting:
        if first is None:
            return second
        if first.source != second.source:
            override, other = (first, second) if first.source == COMMAND_LINE else (second, first)
            # `--set use_8bit_adam=false` is no word against an `optimizer_type` of the file.
            return other if override.is_unset and override.written_as else override
        if first.is_unset or second.is_unset:
            return second if first.is_unset else first
        if _plain(name, first.value) != _plain(name, second.value):
            given = [self._draft.written.get(entry.written_as or name, entry).value for entry in (first, second)]
            message = (
                f"{first.where} is {shown(given[0])} and {second.where} is {shown(given[1])}: they are two names of "
                "one setting."
            )
            self._draft.problems.append(
                Problem("config.gui.conflict", message, second.where, "Take one of the two out.")
            )
        return first

    def _block_with(self, block: Setting | None, path: tuple[str, ...], entry: Setting) -> Setting:
        """Returns our own block with a value put in; a block that is none is left to be refused."""
        section, name = path
        if block is None or block.value is None:
            return dataclasses.replace(entry, value={section: {name: entry.value}})
        inside = block.value.get(section, {}) if isinstance(block.value, dict) else None
        if not isinstance(inside, dict):
            return block
        if inside.get(name) is not None:
            full_name = ".".join((BLOCK_KEY, *path))
            where = full_name if block.source == COMMAND_LINE else self._raw.where(BLOCK_KEY, *path)
            first = Setting(inside[name], block.source, where)
            if self._chosen(first, entry, full_name) is first:
                return block
        return dataclasses.replace(block, value={**block.value, section: {**inside, name: entry.value}})


def _plain(name: str, value: Any) -> Any:
    """Returns a value in a form in which equal settings are equal: "1" and 1.0, "512" and "512, 512"."""
    number = number_of(value)
    if name == "resolution" and isinstance(value, str):
        sides = tuple(_numbers(value.split(",")))
        return sides * 2 if len(sides) == 1 else sides
    return value if number is None else number


def _numbers(texts: Sequence[str]) -> Iterator[float | str]:
    for text in texts:
        number = number_of(text)
        yield text if number is None else number
