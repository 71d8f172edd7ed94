"""Where the settings of a run came from, in the words of `config show`."""

from __future__ import annotations

from collections.abc import Mapping

from loratpl.config.setting import COMMAND_LINE, source_of
from loratpl.config.settings import Settings
from loratpl.records import RunRecord
from loratpl.run.again import RecordedSettings

_FAMILY = "family"


def sources_of(settings: Settings) -> dict[str, str]:
    """Returns where each option of a run's config.json came from, and its family."""
    return {_FAMILY: settings.family_source, **{name: source_of(s) for name, s in settings.options.items()}}


def sources_before(
    settings: Settings, recorded: RecordedSettings, record: RunRecord, overrides: Mapping[str, object]
) -> dict[str, str]:
    """Returns where the settings that are taken over from an earlier run came from then.

    Read from that run's config, all of them would look as if somebody had written them there.

    Args:
        settings: Those of the new run.
        recorded: Those of the earlier one.
        record: Its record; one of an older version says nothing of sources.
        overrides: What the command line says beside them.
    """
    config_name = recorded.config_path.name
    moved = {name for name, _ in recorded.overrides if name not in overrides}
    told = {_FAMILY: settings.family_source, **{name: setting.source for name, setting in settings.options.items()}}
    return {
        name: record.sources.get(name, f"run {record.run_id}")
        for name, source in told.items()
        if source == config_name or (source == COMMAND_LINE and name in moved)
    }
