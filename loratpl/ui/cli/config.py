"""`kohyatpl config …`."""

from __future__ import annotations

from pathlib import Path

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult


def show(project: Project = Path(), config: Config = None, set_: Set = None) -> CommandResult:
    """Show every setting that will be used, and where it comes from."""
    from loratpl.config.secrets import HIDDEN
    from loratpl.errors import exit_code_of
    from loratpl.project import open_project
    from loratpl.render.metadata import options_to_fill_in
    from loratpl.render.prepare import load_settings
    from loratpl.trainer.manifest import load_manifest
    from loratpl.ui.settings_text import settings_lines, trainer_default

    settings, problems = load_settings(open_project(project), config, assignments(set_))
    manifest = load_manifest()
    lines = settings_lines(settings, manifest, {name: (HIDDEN, secret) for name, secret in settings.secrets.items()})
    options = {
        name: {
            "value": s.value,
            "source": s.source,
            "trainer_default": trainer_default(settings, manifest, name),
            **({"where": s.where} if s.written_as else {}),
            **({"note": s.note} if s.note else {}),
        }
        for name, s in settings.options.items()
    }
    data = {
        "family": settings.family.name,
        "preset": settings.preset or None,
        "script": settings.family.script,
        "options": options,
        "filled_in_by_render": list(options_to_fill_in(settings)),
        "kohyatpl": settings.block.model_dump(),
        "secrets": {variable: {"source": s.source, "where": s.where} for variable, s in settings.secrets.items()},
    }
    return CommandResult("config show", data, lines, problems, exit_code_of(problems))
