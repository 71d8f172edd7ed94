"""The settings of a config as a table: each with its value, the trainer's default and where the value is from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loratpl.config.setting import source_of
from loratpl.ui.columns import width_of

if TYPE_CHECKING:
    from loratpl.config.setting import Setting
    from loratpl.config.settings import Settings
    from loratpl.trainer.manifest import Manifest

_HEAD = ("option", "value", "trainer's default", "from")
_FILLED_IN = "render, from folders and captions"
# A longer value pushes the rest of its own row aside, not that of all rows.
_MAX_WIDTHS = (40, 40, 17)


def settings_lines(settings: Settings, manifest: Manifest, hidden: Mapping[str, tuple[str, Setting]]) -> list[str]:
    """Returns the lines of `config show`.

    Args:
        settings: Resolved.
        manifest: For the trainer's defaults.
        hidden: What is shown in place of a value that must not be seen, by the name of its row.
    """
    from loratpl.render.metadata import options_to_fill_in

    rows = [
        (name, _shown(setting.value), _shown(trainer_default(settings, manifest, name)), source_of(setting))
        for name, setting in settings.options.items()
    ]
    rows += [(name, "-", "-", _FILLED_IN) for name in options_to_fill_in(settings)]
    rows.sort()
    rows += [(name, text, "", source_of(setting)) for name, (text, setting) in hidden.items()]
    lines = [f"family  {settings.family.name}  ({settings.family.script})"]
    if settings.preset:
        from loratpl.config.presets import read_preset

        lines.append(f"preset  {settings.preset}  ({read_preset(settings.preset).about})")
    return [*lines, "", *_table([_HEAD, *rows])]


def trainer_default(settings: Settings, manifest: Manifest, name: str) -> Any:
    """Returns what the family's script does without an option, None where it has none."""
    option = manifest.options_of[settings.family.script].get(name)
    return None if option is None else option.default


def _shown(value: Any) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)


def _table(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    widths = [min(limit, max(width_of(row[column]) for row in rows)) for column, limit in enumerate(_MAX_WIDTHS)]
    lines = []
    for row in rows:
        cells = (cell + " " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=False))
        lines.append("  ".join((*cells, row[-1])))
    return lines
