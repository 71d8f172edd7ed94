"""The settings that a run was trained with, as a table: value, source, and what the trainer does without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loratpl.config.block import BLOCK_KEY
from loratpl.config.secrets import SECRET_OPTIONS, is_secret
from loratpl.records import RunRecord
from loratpl.report.story.story import SettingRow
from loratpl.run.comparison import MODEL_KEY, Meaning, meaning_of

_ENV = f"{BLOCK_KEY}.env."
_FAMILY = "family"


def setting_rows(meaning: Meaning | None, record: RunRecord, unknown: list[str]) -> tuple[SettingRow, ...]:
    """Returns the settings in the order of a run's config, those of kohyatpl last.

    Args:
        meaning: Of the config, None where that cannot be read.
        record: The run's.
        unknown: Gets a sentence for what cannot be told.
    """
    if meaning is None:
        unknown.append(f"The settings of {record.run_id} are not known: its config is missing or damaged.")
        return ()
    if not record.sources:
        unknown.append(
            f"Where the settings of {record.run_id} came from was not recorded: it was made by an earlier version."
        )
    if not meaning.defaults:
        unknown.append("The trainer's defaults are not known: nothing tells which of its scripts was run.")
    return tuple(_rows(meaning, record))


def _rows(meaning: Meaning, record: RunRecord) -> Iterator[SettingRow]:
    family = {key: value for key, value in meaning.options.items() if key == _FAMILY}
    options = {**family, MODEL_KEY: record.model, **meaning.options}
    ours = meaning_of({}, "").own
    for key, value in options.items():
        if not _is_secret(key, value):
            yield SettingRow(key, value, record.sources.get(key, ""), meaning.defaults.get(key))
    for key, value in meaning.own.items():
        if value not in (None, [], {}) and not _is_secret(key, value):
            yield SettingRow(key, value, record.sources.get(key, ""), ours.get(key))


def _is_secret(key: str, value: Any) -> bool:
    """What a run's config has was rid of secrets before; a config that was put there by hand was not."""
    name = key.removeprefix(_ENV) if key.startswith(_ENV) else ""
    return key in SECRET_OPTIONS or is_secret(name, str(value))
