"""`kohyatpl run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.errors import Problem
    from loratpl.project import ProjectPaths
    from loratpl.records import RecordedProblem
    from loratpl.run.wanted import Beginning, Wanted
    from loratpl.trainer.status import TrainerStatus


def run(
    context: typer.Context,
    project: Project = Path(),
    config: Config = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Ends the run's id.", show_default="the output's name")
    ] = None,
    set_: Set = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last unfinished run.")] = False,
    from_run: Annotated[
        str | None,
        typer.Option("--from", metavar="RUN", help="The run to go on with; with --name: to train again as it was."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Go on although what is trained differs now.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over earlier LoRAs of the same name.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be started, and start nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Train on without this terminal.")] = False,
) -> CommandResult:
    """Train: plan, render, launch, watch, and prove what came out."""
    from loratpl.project import open_project
    from loratpl.run.wanted import Wanted

    paths = open_project(project)
    wanted = Wanted(config, assignments(set_), name, resume, from_run, force, overwrite)
    _refuse_contradictions(wanted, dry_run=dry_run, detach=detach)
    if dry_run:
        return _shown(context, paths, wanted)
    if detach:
        from loratpl.ui.cli.detach import detach as run_detached

        return run_detached(context, paths)
    return _run(context, paths, wanted)


def _refuse_contradictions(wanted: Wanted, *, dry_run: bool, detach: bool) -> None:
    from loratpl.errors import Problem, UsageError

    pairs = (
        (dry_run and detach, "--dry-run", "--detach", "A dry run starts nothing that could go on by itself."),
        (
            wanted.force and not wanted.is_resumption,
            "--force",
            "--resume",
            "--force goes on with a run in spite of what differs; it needs --resume or --from.",
        ),
    )
    for is_so, option, other, sentence in pairs:
        if is_so:
            fix = f"Leave {option} out." if option == "--force" else f"Leave one of {option} and {other} out."
            raise UsageError(Problem("usage.arguments", sentence, option, fix))


def _run(context: typer.Context, paths: ProjectPaths, wanted: Wanted) -> CommandResult:
    from dataclasses import replace

    from loratpl.run.wanted import settle_runs
    from loratpl.ui.cli.recovery import settle, telling

    said = settle(paths)
    with telling(said):
        said = (*said, *settle_runs(paths))
    with telling(said):
        result = _train(context, paths, wanted)
    return replace(result, problems=(*said, *result.problems))


def _begin(context: typer.Context, paths: ProjectPaths, wanted: Wanted) -> tuple[Beginning, TrainerStatus]:
    from loratpl.errors import TrainerError
    from loratpl.run.wanted import begin
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status
    from loratpl.ui.console import Looking

    output, pin = context.obj, load_pin()
    trainer = status(pin, ask_interpreter=False)
    if trainer.marker is None and (wanted.is_resumption or wanted.is_repetition):
        raise TrainerError(*trainer.problems())
    with Looking("looking at pictures", is_silent=output.as_json or output.quiet) as progress:
        beginning = begin(paths, wanted, trainer, pin, progress)
    if not trainer.is_ready:  # what is wrong with the project is told first
        raise TrainerError(*trainer.problems())
    return beginning, trainer


def _train(context: typer.Context, paths: ProjectPaths, wanted: Wanted) -> CommandResult:
    from loratpl.run.runner import start_run
    from loratpl.trainer.pin import load_pin
    from loratpl.ui.cli.parameters import quoted
    from loratpl.ui.cli.recovery import telling
    from loratpl.ui.console import say
    from loratpl.ui.watchers import run_watcher

    output = context.obj
    beginning, trainer = _begin(context, paths, wanted)
    if not (output.as_json or output.quiet):
        say(_announced(beginning))
    with telling(beginning.notices), run_watcher(as_json=output.as_json, quiet=output.quiet) as watcher:
        result = start_run(beginning.prepared, trainer, load_pin(), watcher, beginning.options)
    record = result.record
    final = record.outputs[-1] if record.outputs else None
    lines = [
        f"Trained {record.last_step - record.start_step} steps as planned"
        + (f", {record.last_step} with those of {record.parent}." if record.parent else "."),
        *(
            [f"  LoRA    {final.path}", f"  proven  {final.trained} of {final.trainable} layers changed, no NaN"]
            if final
            else []
        ),
        f"  record  {result.paths.run_dir}",
        f"  look    kohyatpl report --project {quoted(paths.root_dir)}",
    ]
    problems = (*beginning.notices, *beginning.prepared.warnings, *result.warnings)
    return CommandResult("run", record.model_dump(), lines, (*problems, *_problems_of(result.record.problems)))


def _problems_of(recorded: list[RecordedProblem]) -> tuple[Problem, ...]:
    """What the watchdog found while the run was live, once more at its end."""
    from loratpl.errors import Problem

    return tuple(Problem(p.code, p.message, p.where, p.fix, p.severity) for p in recorded)


def _announced(beginning: Beginning) -> str:
    plan, resumption = beginning.prepared.plan, beginning.options.resumption
    text = f"{plan.total_steps} steps in {plan.epochs} epochs, {plan.batches_per_epoch} batches each"
    if resumption is None:
        return text
    return f"{text}; going on with {resumption.parent.run_id} after step {resumption.step}"


def _shown(context: typer.Context, paths: ProjectPaths, wanted: Wanted) -> CommandResult:
    from loratpl.plan.outputs import planned_files
    from loratpl.render.renderer import render
    from loratpl.run.beginning import planned_run_paths, refuse_overwriting

    beginning, trainer = _begin(context, paths, wanted)
    prepared, options = beginning.prepared, beginning.options
    planned = planned_files(prepared.settings, prepared.plan)
    refuse_overwriting(paths, planned, options)
    run_paths = planned_run_paths(paths, options.name or prepared.settings["output_name"])
    go_on_from = options.resumption.state_dir if options.resumption else None
    rendered = render(prepared.settings, prepared.plan, trainer.paths, run_paths, go_on_from)
    to_come = [file for file in planned if file.step > options.start_step]
    data = {
        "run_id": run_paths.run_id,
        "parent": options.resumption.parent.run_id if options.resumption else None,
        "start_step": options.start_step,
        "plan": prepared.plan.as_json(),
        "outputs": [str(file.path) for file in to_come],
        "differences": [difference.model_dump() for difference in options.differences],
        **rendered.as_json(),
    }
    lines = [
        f"would train {_announced(beginning)}",
        *(f"  writes  {paths.relative(file.path)} after step {file.step}" for file in to_come),
        f"  record  {paths.relative(run_paths.run_dir)}",
        "",
        rendered.command_text().rstrip("\n"),
    ]
    return CommandResult("run", data, lines, (*beginning.notices, *prepared.warnings))
