"""`kohyatpl config …`."""

from __future__ import annotations

import json
from pathlib import Path

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult


def show(project: Project = Path(), config: Config = None, set_: Set = None) -> CommandResult:
    """Show every setting that will be used, and where it comes from."""
    from loratpl.errors import exit_code_of
    from loratpl.project import open_project
    from loratpl.render.prepare import load_settings

    settings, problems = load_settings(open_project(project), config, assignments(set_))
    # What was written under another key is found by that key and its line alone.
    rows = [
        (name, json.dumps(s.value, ensure_ascii=False), s.where if s.written_as else s.source)
        for name, s in settings.options.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"family  {settings.family.name}  ({settings.family.script})"]
    lines += [f"{name:<{widths[0]}}  {value:<{min(widths[1], 60)}}  {source}" for name, value, source in rows]
    options = {
        name: {"value": s.value, "source": s.source, **({"where": s.where} if s.written_as else {})}
        for name, s in settings.options.items()
    }
    data = {
        "family": settings.family.name,
        "script": settings.family.script,
        "options": options,
        "kohyatpl": settings.block.model_dump(),
    }
    return CommandResult("config show", data, lines, problems, exit_code_of(problems))
