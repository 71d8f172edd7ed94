"""`kohyatpl plan`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.cli.parameters import Config, Project, Set, assignments
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.config.settings import Settings
    from loratpl.errors import Problem
    from loratpl.plan.for_steps import Proposal
    from loratpl.plan.pace.estimate import TimeEstimate
    from loratpl.plan.planner import TrainingPlan
    from loratpl.project import ProjectPaths
    from loratpl.render.prepare import Judged
    from loratpl.run.measure import Measurement


def plan(
    context: typer.Context,
    project: Project = Path(),
    config: Config = None,
    set_: Set = None,
    processes: Annotated[int | None, typer.Option("--processes", min=1, max=64, help="As if on so many GPUs.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="As if with this train_batch_size.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="As if for so many epochs.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="As if for so many steps.")] = None,
    for_steps: Annotated[
        int | None, typer.Option("--for-steps", min=1, help="Propose epochs and repeats for about so many steps.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Run 20 steps for real: speed, memory, time of the whole.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the plan as a page, with what crops keep.")
    ] = None,
    folder_mode: Annotated[
        bool, typer.Option("--folder-mode", help="As the bare trainer would with --train_data_dir.")
    ] = False,
) -> CommandResult:
    """Say exactly what will be trained: images, buckets, steps, files."""
    from loratpl.errors import error_from
    from loratpl.project import open_project
    from loratpl.render.prepare import Depth, judge

    overrides = [*assignments(set_), *_overrides(batch, epochs, steps)]
    opened = open_project(project)
    if html is not None:
        from loratpl.ui.pages.plan_page import refuse_page_path

        refuse_page_path(html)
    judged = judge(opened, config, overrides, depth=Depth.PLAN, processes=processes, folder_mode=folder_mode)
    if judged.plan is None:
        raise error_from(judged.problems)
    view = _View(opened, judged.settings, judged.plan, _measured(context, opened, judged) if measure else None)
    data, lines = view.data(), view.lines()
    if for_steps is not None:
        from loratpl.plan.for_steps import proposals

        found = proposals(judged.plan.dataset, judged.settings, for_steps, processes)
        data["for_steps"] = {"target": for_steps, "proposals": [proposal.as_json() for proposal in found]}
        lines += ["", *proposal_lines(for_steps, found)]
    if html is not None:
        lines += ["", view.write_page(html)]
        data["html"] = str(html.resolve())
    # A plan can be made without a base model or a GPU; what is missing for a run is said all the same.
    warnings = tuple(replace(problem, severity="warning") for problem in (*judged.problems, *view.warnings))
    return CommandResult("plan", data, lines, warnings)


def _overrides(batch: int | None, epochs: int | None, steps: int | None) -> Iterator[tuple[str, Any]]:
    from loratpl.errors import Problem, UsageError

    if epochs is not None and steps is not None:
        message = "A training is as long as its epochs or its steps say, not both."
        raise UsageError(Problem("usage.arguments", message, "--epochs", "Give `--epochs` or `--steps`."))
    if batch is not None:
        yield "train_batch_size", batch
    for name, other, value in (
        ("max_train_epochs", "max_train_steps", epochs),
        ("max_train_steps", "max_train_epochs", steps),
    ):
        if value is not None:
            yield name, value
            yield other, None


class _View:
    """A plan with its files, its time and its disk, as data, as text and as a page."""

    def __init__(
        self, project: ProjectPaths, settings: Settings, plan: TrainingPlan, measured: Measurement | None
    ) -> None:
        from loratpl.plan.disk.need import disk_need
        from loratpl.plan.outputs import planned_files
        from loratpl.plan.pace.estimate import estimate_time
        from loratpl.plan.pace.facts import this_device
        from loratpl.plan.pace.store import read_paces
        from loratpl.trainer.paths import UserPaths
        from loratpl.ui.disk_text import disk_text

        self._project, self._settings, self._plan, self._measured = project, settings, plan, measured
        self._files = planned_files(settings, plan)
        self._need = disk_need(settings, plan)
        self._disk_text = disk_text(self._need, len(self._files))
        if measured is not None:
            self._time: TimeEstimate | None = measured.whole
        else:
            self._time = estimate_time(settings, plan, read_paces(UserPaths.of_user()), this_device())

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self._measured.warnings if self._measured else ()

    def data(self) -> dict[str, Any]:
        checkpoints = [
            {"path": self._project.relative(file.path), "step": file.step, "removed_at": file.removed_at}
            for file in self._files
        ]
        return {
            **self._plan.as_json(),
            "checkpoints": checkpoints,
            "disk": self._need.as_json(),
            "time": self._time.as_json() if self._time else None,
            "measured": self._measured.as_json() if self._measured else None,
        }

    def lines(self) -> list[str]:
        from loratpl.ui.plan_text import plan_lines

        lines = [*plan_lines(self._settings, self._plan, self._files), f"disk   {self._disk_text}"]
        if self._measured is not None:
            return [*lines, "", *self._measured.lines()]
        return [*lines, f"time   {self._time_text() or 'unknown: `kohyatpl plan --measure` runs 20 steps to tell'}"]

    def write_page(self, path: Path) -> str:
        """Returns the line that says where the page is."""
        from loratpl.ui.pages.plan_content import plan_page
        from loratpl.ui.pages.plan_page import write_plan_page

        page = plan_page(self._settings, self._plan, self._files, time=self._time_text() or None, disk=self._disk_text)
        write_plan_page(path, page)
        return f"The page is {path.resolve()}"

    def _time_text(self) -> str:
        from loratpl.plan.pace.text import describe

        return describe(self._time) if self._time else ""


def _measured(context: typer.Context, project: ProjectPaths, judged: Judged) -> Measurement:
    from loratpl.errors import TrainerError
    from loratpl.render.prepare import prepared_from
    from loratpl.run.measure import measure
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status
    from loratpl.ui.watchers import run_watcher

    prepared = prepared_from(project, judged)
    pin = load_pin()
    trainer = status(pin, ask_interpreter=False)
    if not trainer.is_ready:
        raise TrainerError(*trainer.problems())
    output = context.obj
    # The events of a measurement are no events of a run: JSON stays the one object that plan gives.
    with run_watcher(as_json=False, quiet=output.quiet or output.as_json) as watcher:
        return measure(prepared, trainer, pin, watcher)


def proposal_lines(target: int, found: Sequence[Proposal]) -> Iterator[str]:
    """Yields what a person reads of the ways to train about `target` steps, the nearest last."""
    yield f"For about {target:,} steps in whole epochs:"
    for proposal in found:
        epochs = f"{proposal.epochs} epoch{'' if proposal.epochs == 1 else 's'} of {proposal.steps_per_epoch:,} steps"
        how = f"`--set max_train_epochs={proposal.epochs}`"
        if proposal.changes_repeats:
            folders = ", ".join(
                f"{name} to {count}_{name.partition('_')[2]}" for name, count in proposal.repeats.items()
            )
            how = f"rename {folders}, and {how}"
        yield f"  {proposal.total_steps:,} steps: {epochs}. {how[0].upper()}{how[1:]}."
