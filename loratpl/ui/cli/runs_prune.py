"""`kohyatpl runs prune`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.cli.runs import ProjectOption
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.project import ProjectPaths
    from loratpl.report.ledger.pruning import PrunePlan, PruneWish, Removal
    from loratpl.report.ledger.removal import Removed

# Columns of a terminal with room for names and sizes alone.
NARROW = 64


def prune(
    context: typer.Context,
    project: ProjectOption = Path(),
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=0, help="Remove all but the newest N runs.")
    ] = None,
    older_than: Annotated[
        float | None, typer.Option("--older-than", metavar="DAYS", min=0, help="Remove runs that began earlier.")
    ] = None,
    states: Annotated[
        bool, typer.Option("--states", help="Remove their training states alone; the runs stay.")
    ] = False,
    outputs: Annotated[bool, typer.Option("--outputs", help="Remove the LoRAs of these runs as well.")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also what `run --resume` would go on with.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> CommandResult:
    """Remove earlier runs, or their training states; LoRAs stay unless told otherwise."""
    from loratpl.project import locked, open_project
    from loratpl.report.ledger.pruning import PruneWish, plan_pruning
    from loratpl.report.ledger.removal import leftovers

    wish = PruneWish(keep, older_than, states, outputs, unfinished)
    _refuse_contradictions(wish)
    paths = open_project(project)
    agreed = plan_pruning(paths, wish)
    if dry_run:
        return CommandResult("runs prune", _data(agreed, agreed.removals, agreed.freed_bytes), _lines(agreed))
    if not agreed.removals and not leftovers(paths):
        return CommandResult("runs prune", _data(agreed, (), 0), _lines(agreed))
    if agreed.removals and not yes and not _agrees(agreed, is_silent=context.obj.as_json):
        return CommandResult("runs prune", _data(agreed, (), 0), ["Nothing was removed."])
    with locked(paths):
        return _removed(paths, wish, agreed, is_told=not yes)


def _removed(paths: ProjectPaths, wish: PruneWish, agreed: PrunePlan, *, is_told: bool) -> CommandResult:
    """Removes what was agreed to and may still go: a run may have begun or ended since."""
    from loratpl.errors import exit_code_of
    from loratpl.report.ledger.pruning import plan_pruning
    from loratpl.report.ledger.removal import prune
    from loratpl.run.settling import settle_dead_runs

    settled = tuple(run.notice for run in settle_dead_runs(paths))
    plan = plan_pruning(paths, wish).only(agreed)
    done = prune(paths, plan)
    problems = (*settled, *done.problems)
    lines = [*([] if is_told else _lines(plan)), *_done_lines(plan, done)]
    data = _data(plan, done.removals, done.freed_bytes)
    return CommandResult("runs prune", data, lines, problems, exit_code_of(problems))


def _refuse_contradictions(wish: PruneWish) -> None:
    from loratpl.errors import Problem, UsageError

    if wish.only_states and wish.with_outputs:
        message = "`--states` leaves the runs and their LoRAs; `--outputs` removes both."
        raise UsageError(Problem("usage.prune", message, "--outputs", "Leave one of them out."))
    if wish.keep is None and wish.older_than_days is None and not wish.only_states:
        message = "Nothing says which runs shall go."
        fix = "Say `--keep N`, `--older-than DAYS`, or `--states` for training states alone."
        raise UsageError(Problem("usage.prune", message, "runs prune", fix))


def _agrees(plan: PrunePlan, *, is_silent: bool) -> bool:
    """Returns what somebody answers who was told what would go.

    Raises:
        UsageError: Nobody can be asked.
    """
    from loratpl.errors import Problem, UsageError
    from loratpl.ui.console import say

    if is_silent or not (sys.stdin.isatty() and sys.stderr.isatty()):
        message = f"{_what(plan)} would be removed, and nobody can be asked."
        raise UsageError(
            Problem("usage.prune.confirm", message, "--yes", "Say `--yes`, or look first with `--dry-run`.")
        )
    for line in _lines(plan):
        say(line)
    return typer.confirm(f"Remove {_what(plan)}?", err=True)


def _what(plan: PrunePlan) -> str:
    from loratpl.ui.disk_text import in_bytes
    from loratpl.ui.plan_words import counted

    count, files = len(plan.removals), sum(len(removal.outputs) for removal in plan.removals)
    what = f"the training states of {counted(count, 'run')}" if plan.only_states else counted(count, "run")
    loras = f" and {counted(files, 'LoRA')}" if files else ""
    return f"{what}{loras} ({in_bytes(plan.freed_bytes)})"


def _lines(plan: PrunePlan) -> list[str]:
    from loratpl.ui.columns import table
    from loratpl.ui.disk_text import in_bytes
    from loratpl.ui.plan_words import shown
    from loratpl.ui.runs_text import local_time, terminal_of_stdout, wrapped

    terminal, is_terminal = terminal_of_stdout()
    lines: list[str] = []
    if plan.removals:
        rows: list[tuple[str, ...]] = [("goes", "size", "state", "began", "LoRAs")]
        rows += [
            (
                terminal.name(shown(removal.run.run_id)),
                in_bytes(removal.freed_bytes),
                removal.record.state,
                local_time(removal.run.started_at),
                str(len(removal.outputs)),
            )
            for removal in plan.removals
        ]
        if terminal.width < NARROW:
            rows = [row[:2] for row in rows]
        lines += [terminal.plain(line).rstrip() for line in table(rows, terminal.width if is_terminal else None)]
        lines += wrapped(f"{_what(plan)} in all.", terminal)
    else:
        lines += ["Nothing to remove."]
    for kept in plan.kept:
        lines += wrapped(f"{kept.name} stays: {kept.because}.", terminal, "", "  ")
    return lines


def _done_lines(plan: PrunePlan, done: Removed) -> list[str]:
    from loratpl.ui.disk_text import in_bytes
    from loratpl.ui.plan_words import counted

    what = "the training states of " if plan.only_states else ""
    files = sum(len(removal.outputs) for removal in done.removals)
    loras = f" and {counted(files, 'LoRA')}" if files else ""
    return [f"Removed {what}{counted(len(done.removals), 'run')}{loras}: {in_bytes(done.freed_bytes)} are free again."]


def _data(plan: PrunePlan, removals: tuple[Removal, ...], freed_bytes: int) -> dict[str, Any]:
    return {
        "only_states": plan.only_states,
        "removed": [
            {
                "run_id": removal.run.run_id,
                "path": str(removal.path),
                "size_bytes": removal.size_bytes,
                "outputs": [str(output.path) for output in removal.outputs],
            }
            for removal in removals
        ],
        "kept": [{"name": kept.name, "because": kept.because} for kept in plan.kept],
        "freed_bytes": freed_bytes,
    }
