"""`kohyatpl check --fix`, `--fix --dry-run` and `--undo-fix`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.errors import Problem
    from loratpl.fix import FixPlan, LeftOut
    from loratpl.project import ProjectPaths

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Mended:
    """What a mending did, as data, as text, and what must be said of it."""

    data: dict[str, Any]
    lines: tuple[str, ...]
    problems: tuple[Problem, ...]


def mend(
    context: typer.Context,
    paths: ProjectPaths,
    config: Path | None,
    overrides: Sequence[tuple[str, Any]],
    background: str,
) -> Mended:
    """Mends what takes no judgement, and returns what was done."""
    from loratpl.errors import Problem
    from loratpl.fix import LfsPull, apply_fixes, find_pointers, fixing, plan_pull, pull
    from loratpl.render.judging import look_at_pictures
    from loratpl.render.prepare import load_settings
    from loratpl.ui.balance_text import recovery_problems
    from loratpl.ui.console import Looking, say

    output = context.obj
    is_silent = output.quiet or output.as_json
    with fixing(paths) as settled:
        problems = [*recovery_problems(paths, settled.renames), *settled.problems]
        settings, _ = load_settings(paths, config, overrides)
        pointers = find_pointers(settings, look_at_pictures(paths, settings, "headers"))
        found = plan_pull(paths, pointers)
        if isinstance(found, LfsPull):
            if not is_silent:
                say(f"fetching {len(found.pointers)} files: git lfs pull")
            pull(paths, found)
        elif isinstance(found, Problem):
            problems.append(found)
        plan = _planned(context, paths, config, overrides, background)
        with Looking("mending", is_silent=is_silent) as progress:
            result = apply_fixes(paths, plan, progress)
    fetched = len(found.pointers) if isinstance(found, LfsPull) else 0
    data = {"fix": {**plan.as_json(paths.root_dir), "run": result.run, "fetched": fetched}}
    lines = [f"Fetched {fetched} files with git lfs pull."] if fetched else []
    lines += _shown(result.done)
    if result.done:
        count = len(result.done)
        lines.append(f"Mended: {count:,}. `kohyatpl check --undo-fix` puts the originals back.")
    elif not fetched:
        lines.append("There is nothing that can be mended without judgement.")
    return Mended(data, (*lines, *_left(result.left)), tuple(problems))


def rehearse(
    context: typer.Context,
    paths: ProjectPaths,
    config: Path | None,
    overrides: Sequence[tuple[str, Any]],
    background: str,
) -> CommandResult:
    """Returns what a mending would do; nothing is changed."""
    from loratpl.errors import Problem, ProjectError
    from loratpl.fix import LfsPull, find_pointers, interrupted_fix, plan_pull
    from loratpl.render.judging import look_at_pictures
    from loratpl.render.prepare import load_settings

    interrupted = interrupted_fix(paths)
    if interrupted is not None:
        raise ProjectError(interrupted)
    settings, _ = load_settings(paths, config, overrides)
    found = plan_pull(paths, find_pointers(settings, look_at_pictures(paths, settings, "headers")))
    plan = _planned(context, paths, config, overrides, background)
    lines = [f"{len(found.pointers)} files would be fetched with git lfs pull."] if isinstance(found, LfsPull) else []
    lines += [f"would be done: {line}" for line in _shown([action.text for action in plan.actions])]
    lines += _left(plan.left)
    if not lines:
        lines = ["There is nothing that can be mended without judgement."]
    problems = (found,) if isinstance(found, Problem) else ()
    return CommandResult("check", {"fix": plan.as_json(paths.root_dir)}, lines, problems)


def undo(paths: ProjectPaths) -> CommandResult:
    """Puts back what the newest mending replaced, and returns what was put back."""
    from loratpl.fix import fixing, undo_fixes
    from loratpl.ui.balance_text import recovery_problems

    with fixing(paths) as settled:
        undone = undo_fixes(paths)
    lines = [*_shown([f"undone: {text}" for text in undone.restored]), *_left(undone.kept)]
    lines.append(f"Undone: {len(undone.restored):,}.")
    if undone.remaining:
        lines.append(f"Earlier runs of --fix that can be undone: {undone.remaining}.")
    data = {
        "undone": list(undone.restored),
        "kept": [{"where": paths.relative(item.path), "text": item.text} for item in undone.kept],
        "remaining": undone.remaining,
    }
    problems = (*recovery_problems(paths, settled.renames), *settled.problems)
    return CommandResult("check", data, lines, problems)


def _planned(
    context: typer.Context,
    paths: ProjectPaths,
    config: Path | None,
    overrides: Sequence[tuple[str, Any]],
    background: str,
) -> FixPlan:
    from loratpl.fix import FixOptions, parse_colour, plan_fixes
    from loratpl.render.judging import look_at_pictures
    from loratpl.render.prepare import Depth, judge
    from loratpl.ui.console import Looking

    colour = parse_colour(background)
    judged = judge(paths, config, overrides, depth=Depth.PLAN)  # its plan tells caches of other buckets
    output = context.obj
    with Looking("looking at pictures", is_silent=output.quiet or output.as_json) as progress:
        tree = look_at_pictures(paths, judged.settings, "full", progress)
    return plan_fixes(paths, judged.settings, tree, FixOptions(colour), plan=judged.plan)


def _shown(texts: Sequence[str]) -> list[str]:
    more = len(texts) - _SHOWN
    return [*texts[:_SHOWN], *([f"and {more:,} more; `--json` names them all"] if more > 0 else [])]


def _left(left: Sequence[LeftOut]) -> Iterator[str]:
    for item in left[:_SHOWN]:
        yield f"left: {item.text}"
    if len(left) > _SHOWN:
        yield f"and {len(left) - _SHOWN:,} more are left; `--json` names them all"
