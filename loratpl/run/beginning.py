"""What a run begins with: how it was asked for, its folder, its first record."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from loratpl import __version__
from loratpl.config.block import BLOCK_KEY
from loratpl.config.machine import nvidia_gpus
from loratpl.config.secrets import SECRET_OPTIONS
from loratpl.errors import BusyError, Problem, ProjectError
from loratpl.plan.outputs import PlannedFile
from loratpl.project import ProjectPaths, RunPaths
from loratpl.records import ConceptRecord, RecordedDifference, RunRecord
from loratpl.render.prepare import Prepared
from loratpl.render.renderer import RenderedRun
from loratpl.run.sources import sources_of
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import Marker, TrainerStatus

_ID_TIME = "%Y%m%d-%H%M%S"
_MAX_NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class Resumption:
    """The training state that a run goes on from.

    Attributes:
        parent: The run that saved it.
        state_dir: The state's folder.
        step: After which it was saved, at least 1.
        done_step: The last step that was ever done before, at least `step`: files up to it are of this training.
        began_at: When the first run of this training began, in seconds since 1970: files written since then are its
            own as well. The trainer saves a checkpoint before it tells of the step, and a full disk takes no events.
        older_states: The folders of the states that this training saved before; of no use once it has finished.
    """

    parent: RunRecord
    state_dir: Path
    step: int
    done_step: int
    began_at: float
    older_states: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run was asked for.

    Attributes:
        name: Ends the run's id; the output name unless given.
        with_fingerprints: Whether model and concepts are hashed for the record, which reads all of them once.
        may_overwrite: Whether earlier LoRAs of the same names may be written over.
        resumption: The state that it goes on from, None for a training that begins.
        repeats: The run whose settings are used again.
        differences: What differs from the run before all the same.
        overrides: Settings of the command line; those that are secret are not recorded.
        sources_before: Where settings that are taken over from an earlier run came from then.
        config_file: The config where it was named, relative to the project where it lies inside.
    """

    name: str | None = None
    with_fingerprints: bool = True
    may_overwrite: bool = False
    resumption: Resumption | None = None
    repeats: str | None = None
    differences: tuple[RecordedDifference, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    sources_before: Mapping[str, str] = field(default_factory=dict)
    config_file: str | None = None

    @property
    def start_step(self) -> int:
        """The step that has been done already, 0 where none has."""
        return self.resumption.step if self.resumption else 0


def now() -> str:
    """Returns the time as records have it: UTC in ISO 8601, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def refuse_overwriting(project: ProjectPaths, planned: tuple[PlannedFile, ...], options: RunOptions) -> None:
    """Raises ProjectError where a file of the plan exists that is not the beginning of the very same training."""
    existing = [
        file.path
        for file in (() if options.may_overwrite else planned)
        if file.path.exists() and not _is_of_this_training(file, options.resumption)
    ]
    if existing:
        name = project.relative(existing[0])
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise ProjectError(
            Problem(
                "project.output.exists",
                f"{name}{more} would be written over: an earlier LoRA of the same name is there.",
                name,
                "Give this training another name, `--set output_name=NAME`, move the earlier files away, or say "
                "`--overwrite`.",
            )
        )


def _is_of_this_training(file: PlannedFile, resumption: Resumption | None) -> bool:
    if resumption is None:
        return False
    return file.step <= resumption.done_step or file.path.stat().st_mtime >= resumption.began_at


def planned_run_paths(project: ProjectPaths, name: str) -> RunPaths:
    """Returns where a run that begins now lies, unless another of that name began within the same second."""
    safe = "".join(character if character.isalnum() or character in "-_." else "-" for character in name)
    return project.run(f"{datetime.now().astimezone().strftime(_ID_TIME)}-{safe[:_MAX_NAME_CHARS]}")


def new_run_dir(project: ProjectPaths, name: str) -> RunPaths:
    """Returns a folder for a run that begins now, made for it alone.

    Raises:
        BusyError: Every name of this second is taken.
        ProjectError: It cannot be made.
    """
    wanted = planned_run_paths(project, name)
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        paths = project.run(f"{wanted.run_id}{suffix}")
        try:
            paths.run_dir.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(error) from error
        return paths
    raise BusyError(Problem("run.busy", "Too many runs were started within this second.", "", "Try again."))


def unwritable(error: OSError) -> ProjectError:
    """Returns what to raise when something of the project cannot be written."""
    return ProjectError(
        Problem(
            "project.write",
            f"{error.filename or 'The project'} cannot be written: {error.strerror or error}.",
            str(error.filename or ""),
            "Make room on the disk, or see to it that you may write there.",
        )
    )


def first_record(
    prepared: Prepared, trainer: TrainerStatus, pin: Pin, rendered: RenderedRun, paths: RunPaths, options: RunOptions
) -> RunRecord:
    """Returns the record of a run that is about to be launched."""
    marker = marker_of(trainer)
    return RunRecord(
        run_id=paths.run_id,
        state="running",
        kohyatpl=__version__,
        pin=pin.commit,
        python=marker.python,
        packages=marker.packages,
        argv=list(rendered.argv),
        env=dict(rendered.env),
        model=prepared.settings["pretrained_model_name_or_path"],
        seed=prepared.settings["seed"],
        plan=prepared.plan.as_json(),
        concepts=[
            ConceptRecord(folder=c.folder, images=c.images, repeats=c.repeats, is_reg=c.is_reg)
            for c in prepared.plan.concepts
        ],
        started_at=now(),
        last_step=options.start_step,
        parent=options.resumption.parent.run_id if options.resumption else None,
        start_step=options.start_step,
        repeats=options.repeats,
        differences=list(options.differences),
        project_dir=str(prepared.project.root_dir.resolve()),
        system=_system(),
        overrides={key: value for key, value in options.overrides.items() if not _is_secret(key)},
        sources={**sources_of(prepared.settings), **options.sources_before},
        config_file=options.config_file,
    )


def _is_secret(key: str) -> bool:
    return key in SECRET_OPTIONS or key == BLOCK_KEY or key.startswith(f"{BLOCK_KEY}.env")


def marker_of(trainer: TrainerStatus) -> Marker:
    """Returns what an installation says of itself; a trainer that is ready has that."""
    if trainer.marker is None:
        raise RuntimeError("a run needs a trainer that is installed")
    return trainer.marker


def _system() -> dict[str, str]:
    gpus = ", ".join(gpu.name for gpu in nvidia_gpus())
    return {
        "platform": platform.platform(),
        "cpus": str(os.cpu_count() or ""),
        **({"gpus": gpus} if gpus else {}),
    }
