"""Whether an earlier run can be gone on with: its state, its place in the plan, and what differs now."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.errors import Problem
from loratpl.plan.planner import TrainingPlan
from loratpl.project import ProjectPaths
from loratpl.records import RunRecord
from loratpl.run.differences import Comparison, Difference
from loratpl.run.history import KnownRun
from loratpl.run.states import TrainingState, state_problem

MAX_NAMED = 5


def resume_problems(
    project: ProjectPaths, run: KnownRun, record: RunRecord, state: TrainingState | None, plan: TrainingPlan
) -> tuple[Problem, ...]:
    """Returns everything that keeps a run from being gone on with, `--force` or not; and warnings.

    Args:
        project: The project.
        run: The run.
        record: Its record, settled.
        state: The newest state that there is for it; every byte of it is read.
        plan: What would be trained now.
    """
    where = project.relative(run.paths.run_dir)
    if record.state == "finished":
        return (
            Problem(
                "usage.resume.finished",
                f"{run.run_id} is finished: there is nothing left of it to train.",
                where,
                f"Train again with its settings under another name: `kohyatpl run --from {run.run_id} --name NAME`.",
            ),
        )
    if state is None:
        return (_without_state(run, record, where),)
    damage = state_problem(state)
    return (damage,) if damage is not None else tuple(_position_problems(run, state, plan))


def difference_problems(run_id: str, comparison: Comparison, *, force: bool) -> tuple[Problem, ...]:
    """Returns what there is to say of the differences between a run and its resumption.

    Args:
        run_id: The run to go on with.
        comparison: What differs, and what cannot be compared.
        force: Whether differences that change what is trained are taken.
    """
    found = []
    if comparison.that_matter:
        found.append(
            Problem(
                "run.resume.differs",
                f"What would be trained is not what {run_id} began with: {_listed(comparison.that_matter)}.",
                comparison.that_matter[0].key,
                ""
                if force
                else "Put it back as it was, go on all the same with `--force`, or begin anew without `--resume`.",
                "warning" if force else "error",
            )
        )
    if comparison.harmless:
        reasons = dict.fromkeys(difference.reason for difference in comparison.harmless)
        message = (
            f"Since {run_id} began, {_listed(comparison.harmless)}. It is the same training: {'; '.join(reasons)}."
        )
        found.append(Problem("run.resume.changed", message, comparison.harmless[0].key, severity="warning"))
    if comparison.unknown:
        message = f"It is not known {'; nor '.join(comparison.unknown)}."
        fix = "See to it that these are as they were."
        found.append(Problem("run.resume.unknown", message, run_id, fix, "warning"))
    return tuple(found)


def repeat_problems(run_id: str, comparison: Comparison) -> tuple[Problem, ...]:
    """Returns what there is to say when a run's settings are used again: a warning of all that differs."""
    found = []
    if comparison.that_matter:
        message = f"The training is not that of {run_id} again: {_listed(comparison.that_matter)}."
        found.append(Problem("run.repeat.differs", message, comparison.that_matter[0].key, severity="warning"))
    if comparison.unknown:
        message = f"It is not known {'; nor '.join(comparison.unknown)}."
        found.append(Problem("run.resume.unknown", message, run_id, severity="warning"))
    return tuple(found)


def _without_state(run: KnownRun, record: RunRecord, where: str) -> Problem:
    ended = record.state if record.last_step == 0 else f"{record.state} after step {record.last_step}"
    old = record.schema_version == 1 and record.state_dir is not None
    because = (
        "its state was saved by an earlier version of kohyatpl, which did not say where in the training it was"
        if old
        else "it left no state to go on from"
    )
    return Problem(
        "run.resume.no_state",
        f"{run.run_id} ({ended}) cannot be gone on with: {because}.",
        where,
        "Train from the beginning with `kohyatpl run`; `kohyatpl.run.save_state_every` says how often it saves states.",
    )


def _position_problems(run: KnownRun, state: TrainingState, plan: TrainingPlan) -> Iterator[Problem]:
    if plan.processes > 1 or state.processes > 1:
        yield Problem(
            "run.resume.processes",
            f"{run.run_id} cannot be gone on with: with several processes ({max(plan.processes, state.processes)}) "
            "each of them draws its own random numbers and pictures, and the state holds those of one.",
            "kohyatpl.launch.processes",
            "Train from the beginning with `kohyatpl run`.",
        )
        return
    pairs = (
        ("batches in an epoch", state.batches_per_epoch, plan.batches_per_epoch),
        ("batches to a step", state.accumulation, plan.accumulation),
        ("steps in all", state.max_train_steps, plan.total_steps),
    )
    others = [f"{before} {what} then, {now} now" for what, before, now in pairs if before != now]
    if others:
        yield Problem(
            "run.resume.position",
            f"The state {state.name} is of another plan: {', '.join(others)}. The place in the training at which it "
            "was saved does not exist in this one.",
            state.name,
            "Put pictures, repeats and settings back as they were, or train from the beginning with `kohyatpl run`.",
        )
    elif state.step >= plan.total_steps:
        yield Problem(
            "run.resume.at_end",
            f"The state {state.name} is of step {state.step} of {plan.total_steps}: nothing is left to train.",
            state.name,
            "Look at what the run wrote; where that is not there, train from the beginning with `kohyatpl run`.",
        )
    elif not state.is_exact:
        yield Problem(
            "run.resume.inexact",
            f"From the state {state.name} the training goes on, but not exactly as it would have without a stop: "
            f"{state.inexact_because or 'the state does not say why'}.",
            state.name,
            severity="warning",
        )


def _listed(differences: tuple[Difference, ...]) -> str:
    named = "; ".join(difference.text for difference in differences[:MAX_NAMED])
    more = len(differences) - MAX_NAMED
    return f"{named}; and {more} more" if more > 0 else named
