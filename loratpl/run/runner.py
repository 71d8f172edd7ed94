"""One run from beginning to end: locked, recorded, launched, watched, stopped well, proven."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from loratpl import __version__, process
from loratpl.errors import BusyError, Problem, ProjectError, RunError, StoppedError, error_from
from loratpl.plan.outputs import PlannedFile, planned_files
from loratpl.project import ProjectPaths, RunPaths, locked
from loratpl.records import ConceptRecord, EventReader, Failure, Memory, RunRecord, append_event, write_record
from loratpl.render.prepare import Prepared
from loratpl.render.renderer import RenderedRun, render, write
from loratpl.run.diagnose import cause_from_log
from loratpl.run.fingerprint import Fingerprints
from loratpl.run.pace import keep_pace, memory_of
from loratpl.run.phases import ENDED, STARTING, TRAINING, phase_of
from loratpl.run.pump import JOIN_TIMEOUT_S, Pump
from loratpl.run.stopping import StopRequests
from loratpl.run.verify import Verdict, verify_outputs
from loratpl.run.watch import Step, Watcher
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import Marker, TrainerStatus

LIFELINE_VARIABLE = "KOHYATPL_LIFELINE"
POLL_INTERVAL_S = 0.1
_ID_TIME = "%Y%m%d-%H%M%S"


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that ended as planned."""

    record: RunRecord
    paths: RunPaths
    warnings: tuple[Problem, ...]


def start_run(
    prepared: Prepared,
    trainer: TrainerStatus,
    pin: Pin,
    watcher: Watcher,
    *,
    name: str | None = None,
    with_fingerprints: bool = True,
) -> RunResult:
    """Returns the run once the LoRA has been trained as planned and proven.

    Args:
        prepared: A project without errors.
        trainer: Must be ready.
        pin: What the trainer was installed from.
        watcher: Is told what happens.
        name: Ends the run's id; the output name unless given.
        with_fingerprints: Whether model and concepts are hashed for the record, which reads all of them.

    Raises:
        BusyError: Another process works on the project.
        ProjectError: An output exists already, or the project cannot be written to.
        RunError: The training failed, or what came out is not what was planned.
        StoppedError: It was asked to stop.
    """
    with locked(prepared.project):
        planned = planned_files(prepared.settings, prepared.plan)
        _refuse_overwriting(prepared.project, planned)
        paths = _new_run_dir(prepared.project, name or prepared.settings["output_name"])
        try:
            rendered = render(prepared.settings, prepared.plan, trainer.paths, paths)
            planned[-1].path.parent.mkdir(parents=True, exist_ok=True)
            write(rendered, prepared.settings, paths)
        except OSError as error:
            raise _unwritable(error) from error
        record = _first_record(prepared, trainer, pin, rendered, paths)
        run = _Run(prepared, trainer, rendered, planned, paths, record, watcher, with_fingerprints)
        return run.to_the_end()


def _refuse_overwriting(project: ProjectPaths, planned: tuple[PlannedFile, ...]) -> None:
    existing = [file.path for file in planned if file.path.exists()]
    if existing:
        name = project.relative(existing[0])
        more = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise ProjectError(
            Problem(
                "project.output.exists",
                f"{name}{more} would be written over: an earlier LoRA of the same name is there.",
                name,
                "Give this training another name, `--set output_name=NAME`, or move the earlier files away.",
            )
        )


def _new_run_dir(project: ProjectPaths, name: str) -> RunPaths:
    safe = "".join(character if character.isalnum() or character in "-_." else "-" for character in name)[:80]
    started = datetime.now().astimezone().strftime(_ID_TIME)
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        paths = project.run(f"{started}-{safe}{suffix}")
        try:
            paths.run_dir.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise _unwritable(error) from error
        return paths
    raise BusyError(Problem("run.busy", "Too many runs were started within this second.", "", "Try again."))


def _unwritable(error: OSError) -> ProjectError:
    return ProjectError(
        Problem(
            "project.write",
            f"{error.filename or 'The project'} cannot be written: {error.strerror or error}.",
            str(error.filename or ""),
            "Make room on the disk, or see to it that you may write there.",
        )
    )


def _first_record(
    prepared: Prepared, trainer: TrainerStatus, pin: Pin, rendered: RenderedRun, paths: RunPaths
) -> RunRecord:
    marker = _marker_of(trainer)
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
        started_at=_now(),
    )


def _marker_of(trainer: TrainerStatus) -> Marker:
    if trainer.marker is None:
        raise RuntimeError("start_run needs a trainer that is installed")
    return trainer.marker


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@dataclass
class _Run:
    """The state of a run while it is live."""

    prepared: Prepared
    trainer: TrainerStatus
    rendered: RenderedRun
    planned: tuple[PlannedFile, ...]
    paths: RunPaths
    record: RunRecord
    watcher: Watcher
    with_fingerprints: bool
    stops: StopRequests = field(default_factory=StopRequests)
    phase: str = ""
    phase_began_at: float = 0.0
    last_step: int = 0
    stop_was_passed_on: bool = False
    stopped_event: dict[str, Any] | None = None
    memory: Memory | None = None
    telling: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.events = EventReader(self.paths.events_path)
        self.fingerprints = Fingerprints(
            self.prepared.settings["pretrained_model_name_or_path"],
            self.prepared.plan.dataset.concepts,
            self.prepared.settings.caption_extension,
            self.trainer.paths,
            _marker_of(self.trainer),
        )

    def to_the_end(self) -> RunResult:
        """Returns the result, or raises what went wrong after having recorded it."""
        try:
            write_record(self.paths.record_path, self.record)
        except OSError as error:
            raise _unwritable(error) from error
        with self.stops.listening():
            try:
                return self._conclude(self._train())
            except BaseException as error:
                if self.record.state == "running":  # a bug of ours, or the trainer's interpreter is gone
                    self._close(state="failed", failure=Failure(cause=f"{type(error).__name__}: {error}"))
                raise

    def _train(self) -> int:
        self._enter(STARTING)
        # What is recorded has no secrets in it; they are added where the process starts.
        secrets = self.prepared.settings.secret_env()
        env = process.child_environment({**self.rendered.env, **secrets, LIFELINE_VARIABLE: "1"})
        child = process.Child(self.rendered.argv, cwd=self.rendered.cwd, env=env)
        pump = Pump(child, self.paths.trainer_log_path, self._on_line)
        pump.start()
        if self.with_fingerprints:
            self.fingerprints.start()
        try:
            while child.poll() is None:
                self._look_at_events()
                self._pass_on_stops(child)
                time.sleep(POLL_INTERVAL_S)
            # Processes that the trainer left behind keep the pipe open; they are ended before the last look.
            pump.join(JOIN_TIMEOUT_S)
        finally:
            returncode = child.end()
            pump.join(JOIN_TIMEOUT_S)
        self._look_at_events()
        if pump.write_error is not None:
            self.watcher.note(f"The trainer's log could not be kept to its end: {pump.write_error.strerror}.")
        return returncode

    def _pass_on_stops(self, child: process.Child) -> None:
        if self.stops.count >= 2:
            self.stop_was_passed_on = True
            self.watcher.note("stopping now")
            child.kill()
        elif self.stops.count == 1 and not self.stop_was_passed_on:
            self.stop_was_passed_on = True
            self.watcher.note("stopping after the step in progress, with a state saved; Ctrl-C again stops at once")
            child.cut_lifeline()

    def _on_line(self, line: str) -> None:
        """Called by the pump's thread: what the trainer had told before it wrote the line comes first."""
        phase = phase_of(line)
        if phase is not None:
            self._look_at_events()
            with self.telling:
                self._enter(phase)

    def _enter(self, phase: str) -> None:
        if phase != self.phase:
            self.phase, self.phase_began_at = phase, round(time.time(), 3)
            event = {"event": "phase", "time": self.phase_began_at, "phase": phase}
            append_event(self.paths.events_path, event)
            self.watcher.phase(phase)

    def _look_at_events(self) -> None:
        with self.telling:
            for event in self.events.new():
                self.watcher.event(event)
                if event.get("event") == "step":
                    self._on_step(event)
                elif event.get("event") == "stopped":
                    self.stopped_event = event
                elif event.get("event") == "memory":
                    self.memory = memory_of(event)

    def _on_step(self, event: dict[str, Any]) -> None:
        number = event.get("step")
        if isinstance(number, int):
            self.last_step = number
            if event.get("time", 0.0) > self.phase_began_at:
                self._enter(TRAINING)  # after a checkpoint or samples
            total = self.prepared.plan.total_steps
            self.watcher.step(Step(number, total, event.get("loss"), event.get("average_loss")))

    def _conclude(self, returncode: int) -> RunResult:
        """A stop that came too late for the trainer to see it leaves a finished training."""
        if self.stopped_event is not None or (self.stop_was_passed_on and returncode != 0):
            raise self._stopped(returncode)
        if returncode != 0:
            raise self._failed(returncode)
        return self._finished(self._verdict())

    def _verdict(self) -> Verdict:
        self._enter(ENDED)
        verdict = verify_outputs(self.planned, last_step=self.last_step, trainer=self.trainer.paths, paths=self.paths)
        self._look_at_events()
        return verdict

    def _finished(self, verdict: Verdict) -> RunResult:
        project = self.prepared.project
        problems = tuple(replace(p, where=project.relative(Path(p.where))) for p in verdict.problems)
        verdict = replace(verdict, problems=problems)
        errors = [problem for problem in verdict.problems if problem.severity == "error"]
        if errors:
            failure = Failure(cause=errors[0].message, fix=errors[0].fix)
            self._close(state="failed", returncode=0, outputs=list(verdict.outputs), failure=failure)
            raise error_from(verdict.problems, data=self.record.model_dump())
        self._close(state="finished", returncode=0, outputs=list(verdict.outputs))
        return RunResult(self.record, self.paths, (*verdict.problems, *self._trainer_warnings()))

    def _trainer_warnings(self) -> tuple[Problem, ...]:
        sentence = self.fingerprints.trainer_problem
        if sentence is None:
            return ()
        fix = "Install it again with `kohyatpl trainer install`."
        return (Problem("trainer.unhealthy", sentence, str(self.trainer.paths.root_dir), fix, "warning"),)

    def _failed(self, returncode: int) -> RunError:
        cause = cause_from_log(self.paths.trainer_log_path) or _ending(returncode)
        log = self.prepared.project.relative(self.paths.trainer_log_path)
        fix = f"The trainer's whole log is {log}."
        self._close(state="failed", returncode=returncode, failure=Failure(cause=cause, fix=fix))
        message = f"The training failed while {self.phase}, after step {self.last_step}: {cause.rstrip('.')}."
        return RunError(Problem("run.trainer.failed", message, log, fix), data=self.record.model_dump())

    def _stopped(self, returncode: int) -> StoppedError:
        event = self.stopped_event or {}
        state_dir, error = event.get("state_dir"), event.get("error")
        self._close(state="stopped", returncode=returncode, state_dir=state_dir)
        number = self.stops.first_signal or signal.SIGTERM
        saved = "No state was saved." if error is None else f"No state was saved: {error}."
        if state_dir:
            saved = f"Its state is in {self.prepared.project.relative(Path(state_dir))}."
        message = f"The training was stopped after step {self.last_step} of {self.prepared.plan.total_steps}. {saved}"
        where = self.prepared.project.relative(self.paths.run_dir)
        return StoppedError(number, Problem("run.stopped", message, where), data=self.record.model_dump())

    def _close(self, **changes: Any) -> None:
        self.fingerprints.finish(wait=changes["state"] == "finished")
        shutil.rmtree(f"{self.paths.state_dir}.partial", ignore_errors=True)
        folders = (concept.folder for concept in self.prepared.plan.dataset.concepts)
        concepts = [
            record.model_copy(update={"content_sha256": self.fingerprints.concepts.get(folder)})
            for record, folder in zip(self.record.concepts, folders, strict=True)
        ]
        changes |= {
            "concepts": concepts,
            "model_sha256": self.fingerprints.model,
            "ended_at": _now(),
            "last_step": self.last_step,
            "memory": self.memory,
        }
        self.record = self.record.model_copy(update=changes)
        try:
            write_record(self.paths.record_path, self.record)
        except OSError as error:
            raise _unwritable(error) from error
        keep_pace(self.prepared.settings, self.prepared.plan, self.paths, self.watcher.note)


def _ending(returncode: int) -> str:
    if returncode >= 0:
        return f"the trainer ended with code {returncode} and said nothing"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"the trainer was killed by {name}" + (
        ", as the system does when memory runs out" if name == "SIGKILL" else ""
    )
