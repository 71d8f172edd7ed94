"""From what a run is asked for to what it begins with: anew, going on from a state, or once more from a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from loratpl.check.outcome import OUTPUT_EXISTS
from loratpl.dataset.inspect import Progress
from loratpl.errors import Problem, UsageError, raise_errors
from loratpl.project import ProjectPaths, locked
from loratpl.records import RunRecord
from loratpl.render.prepare import Prepared, prepare
from loratpl.run.again import project_dir_then, re_anchored, recorded_settings
from loratpl.run.beginning import Resumption, RunOptions, marker_of
from loratpl.run.differences import Comparison, compare
from loratpl.run.fingerprint import hashes_now
from loratpl.run.history import KnownRun, find_run, last_unfinished, lineage, state_to_go_on_from
from loratpl.run.resuming import difference_problems, repeat_problems, resume_problems
from loratpl.run.settling import settle_dead_runs
from loratpl.run.sources import sources_before
from loratpl.run.states import whole_state
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import TrainerStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for.

    Attributes:
        config_path: The config, where it is named.
        overrides: Settings of the command line.
        name: Ends the run's id.
        resume: Whether an unfinished run is to be gone on with.
        from_run: Which run is meant; with a name and without `resume` its settings are used once more.
        force: Whether to go on in spite of differences.
        overwrite: Whether earlier LoRAs may be written over.
    """

    config_path: Path | None = None
    overrides: Sequence[tuple[str, Any]] = ()
    name: str | None = None
    resume: bool = False
    from_run: str | None = None
    force: bool = False
    overwrite: bool = False

    @property
    def is_resumption(self) -> bool:
        """Whether a run is gone on with."""
        return self.resume or (self.from_run is not None and self.name is None)

    @property
    def is_repetition(self) -> bool:
        """Whether a run's settings are used once more."""
        return self.from_run is not None and not self.is_resumption


@dataclass(frozen=True, slots=True)
class Beginning:
    """What `start_run` takes, and what there is to say before it."""

    prepared: Prepared
    options: RunOptions
    notices: tuple[Problem, ...] = ()


def settle_runs(project: ProjectPaths) -> tuple[Problem, ...]:
    """Returns what there is to say of runs whose kohyatpl was killed; their records say so from now on.

    Raises:
        BusyError: Another process works on the project, or a trainer still saves its state.
        ProjectError: A record cannot be written.
    """
    with locked(project):
        return tuple(settled.notice for settled in settle_dead_runs(project))


def begin(
    project: ProjectPaths,
    wanted: Wanted,
    trainer: TrainerStatus,
    pin: Pin,
    progress: Progress = lambda _done, _total, _bytes: None,
) -> Beginning:
    """Returns what a run begins with.

    Args:
        project: Its runs are settled.
        wanted: What is asked for.
        trainer: Must be ready.
        pin: What the trainer was installed from.
        progress: Told of the pictures that are looked at.

    Raises:
        KohyatplError: With every problem of the project, or what keeps a run from being gone on with.
    """
    if wanted.is_resumption:
        return _resumption(project, wanted, trainer, pin, progress)
    if wanted.is_repetition:
        return _repetition(project, wanted, trainer, pin, progress)
    prepared = prepare(project, wanted.config_path, wanted.overrides, progress=progress)
    return Beginning(prepared, _options(project, wanted, dict(wanted.overrides), wanted.config_path))


def _options(project: ProjectPaths, wanted: Wanted, overrides: dict[str, Any], config_path: Path | None) -> RunOptions:
    config_file = None if config_path is None else project.relative(config_path.resolve())
    return RunOptions(name=wanted.name, may_overwrite=wanted.overwrite, overrides=overrides, config_file=config_file)


def _resumption(
    project: ProjectPaths, wanted: Wanted, trainer: TrainerStatus, pin: Pin, progress: Progress
) -> Beginning:
    run = _unfinished(project, wanted.from_run)
    record = run.whole_record()
    config_path = wanted.config_path
    if config_path is None and record.config_file is not None:
        config_path = project.root_dir / record.config_file
    overrides = {**_remembered(project, record), **dict(wanted.overrides)}
    state = state_to_go_on_from(project, run)
    if state is not None:
        state = whole_state(state.paths)[0] or state
    prepared = prepare(project, config_path, tuple(overrides.items()), progress=progress)
    problems = resume_problems(project, run, record, state, prepared.plan)
    raise_errors(problems)
    if state is None:
        raise RuntimeError("a run without a state has a problem")
    comparison = _compared(project, run, prepared, trainer, pin)
    problems += difference_problems(run.run_id, comparison, force=wanted.force)
    raise_errors(problems)
    earlier = tuple(lineage(project, run))
    done = max((one.record.last_step for one in earlier if one.record), default=0)
    older_states = tuple(one.paths.state_dir for one in earlier)
    began_at = min(datetime.fromisoformat(one.record.started_at).timestamp() for one in earlier if one.record)
    # What the run that is gone on with has written is no earlier LoRA.
    warnings = tuple(problem for problem in prepared.warnings if problem.code != OUTPUT_EXISTS)
    options = _options(project, wanted, overrides, config_path)
    return Beginning(
        replace(prepared, warnings=warnings),
        replace(
            options,
            name=wanted.name or run.name,
            resumption=Resumption(record, state.folder, state.step, done, began_at, older_states),
            differences=tuple(difference.as_record() for difference in comparison.differences),
        ),
        problems,
    )


def _remembered(project: ProjectPaths, record: RunRecord) -> dict[str, Any]:
    """Returns what a run was told on the command line, with the project's paths as they are now."""
    old_dir = project_dir_then(record)
    if old_dir is None:
        return dict(record.overrides)
    return {key: re_anchored(value, old_dir, project.root_dir) for key, value in record.overrides.items()}


def _unfinished(project: ProjectPaths, name: str | None) -> KnownRun:
    run = find_run(project, name) if name is not None else last_unfinished(project)
    if run is None:
        raise UsageError(
            Problem(
                "usage.resume.none",
                f"There is no unfinished run in {project.root_dir.name} to go on with.",
                project.relative(project.log_dir),
                "Train from the beginning with `kohyatpl run`.",
            )
        )
    return run


def _compared(project: ProjectPaths, run: KnownRun, prepared: Prepared, trainer: TrainerStatus, pin: Pin) -> Comparison:
    record = run.whole_record()
    hashes = hashes_now(prepared, with_model=record.model_sha256 is not None)
    settings = recorded_settings(project, run.paths, record)
    return compare(record, settings, prepared, hashes, pin, marker_of(trainer))


def _repetition(
    project: ProjectPaths, wanted: Wanted, trainer: TrainerStatus, pin: Pin, progress: Progress
) -> Beginning:
    run = find_run(project, wanted.from_run or "")
    record = run.whole_record()
    recorded = recorded_settings(project, run.paths, record)
    # Named otherwise, the LoRA would be written over that of the run itself.
    overrides = {**dict(recorded.overrides), "output_name": wanted.name, **dict(wanted.overrides)}
    prepared = prepare(project, recorded.config_path, tuple(overrides.items()), progress=progress)
    comparison = _compared(project, run, prepared, trainer, pin)
    options = _options(project, wanted, overrides, recorded.config_path)
    differences = tuple(difference.as_record() for difference in comparison.differences)
    return Beginning(
        prepared,
        replace(
            options,
            repeats=run.run_id,
            differences=differences,
            sources_before=sources_before(prepared.settings, recorded, record, dict(wanted.overrides)),
        ),
        repeat_problems(run.run_id, comparison),
    )
