"""The settings of runs as a table: those that differ first, then those that the user wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loratpl.config.secrets import HIDDEN, is_secret, without_secrets
from loratpl.ui.plan_words import shown

if TYPE_CHECKING:
    from loratpl.report.story.story import RunStory, SettingRow
    from loratpl.ui.pages.report_places import Places

DEFAULT, PRESET = "default", "preset "
MAX_VALUE_CHARS = 600
UNSET = "-"


@dataclass(frozen=True, slots=True)
class PageSetting:
    """A setting of all runs of the page.

    Attributes:
        key: Its name.
        values: One for each run, in a text; "-" where it is unset.
        source: Where it came from, "" where that is not known; where the runs differ in that, all of it.
        default: The trainer's own.
        is_default: Whether every run has what the trainer does without it.
        differs: Whether that is not the same for all runs.
    """

    key: str
    values: tuple[str, ...]
    source: str
    default: str
    is_default: bool
    differs: bool


@dataclass(frozen=True, slots=True)
class SettingGroup:
    """Settings that belong together; `is_open` says whether they are shown at once."""

    heading: str
    settings: tuple[PageSetting, ...]
    is_open: bool


def setting_groups(
    stories: Sequence[RunStory], differing_keys: Sequence[str], places: Places
) -> tuple[SettingGroup, ...]:
    """Returns the settings in the order in which they matter to a reader.

    Args:
        stories: Of the runs.
        differing_keys: The settings that are not the same in all, the most important first.
        places: What must not be named.
    """
    rows = list(_settings(stories, frozenset(differing_keys), places))
    order = {key: index for index, key in enumerate(differing_keys)}
    differing = sorted((row for row in rows if row.differs), key=lambda row: order.get(row.key, 0))
    same = [row for row in rows if not row.differs]
    is_known = any(row.source for row in rows)
    written = [row for row in same if is_written(row.source)]
    preset = [row for row in same if not is_written(row.source) and row.source.startswith(PRESET)]
    others = [row for row in same if not is_written(row.source) and not row.source.startswith(PRESET)]
    groups = [SettingGroup("What differs", tuple(differing), True), SettingGroup("What you set", tuple(written), True)]
    if is_known:
        groups += [
            SettingGroup("From the preset", tuple(preset), False),
            SettingGroup("Defaults of kohyatpl and what it worked out", tuple(others), False),
        ]
    else:  # a record of before that was written down
        changed = [row for row in others if not row.is_default]
        usual = [row for row in others if row.is_default]
        groups += [
            SettingGroup("Not as the trainer does it by itself", tuple(changed), True),
            SettingGroup("As the trainer does it by itself", tuple(usual), False),
        ]
    return tuple(group for group in groups if group.settings)


def is_written(source: str) -> bool:
    """Returns whether a source means that the user wrote the value, for at least one of the runs.

    >>> [is_written(source) for source in ("config.json", "command line", "default", "preset sdxl", "")]
    [True, True, False, False, False]
    """
    parts = [part for part in source.split(" / ") if part]
    return any(not part.startswith((DEFAULT, PRESET)) for part in parts)


def _settings(stories: Sequence[RunStory], differing: frozenset[str], places: Places) -> Iterator[PageSetting]:
    by_key = [{row.key: row for row in story.settings} for story in stories]
    for key in dict.fromkeys(key for rows in by_key for key in rows):
        found = [rows.get(key) for rows in by_key]
        known = [row for row in found if row is not None]
        sources = dict.fromkeys(row.source for row in known if row.source)
        yield PageSetting(
            shown(key),
            tuple(UNSET if row is None else setting_text(key, row.value, places) for row in found),
            shown(places.text(" / ".join(sources))),
            value_text(known[0].default, places),
            all(row is None or _is_default(row) for row in found),
            key in differing,
        )


def setting_text(key: str, value: Any, places: Places) -> str:
    """Returns a setting's value as the page shows it; a secret that somebody put into a run's config is hidden."""
    name = key.rpartition(".")[2]
    value = without_secrets(key, value)
    is_hidden = value is not None and is_secret(name, str(value))
    return HIDDEN if is_hidden else value_text(value, places)


def value_text(value: Any, places: Places) -> str:
    """Returns a setting's value as the page shows it, "-" where it is unset."""
    if value is None:
        return UNSET
    plain = places.value(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, default=str)
    text = shown(text) or '""'
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"


def _is_default(row: SettingRow) -> bool:
    return (None if row.value is False else row.value) == (None if row.default is False else row.default)
