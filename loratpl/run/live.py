"""A run while it is live: launches the trainer, takes in what it tells, passes on what it is asked."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl import process
from loratpl.errors import Problem
from loratpl.plan.datasets import settings_of_folders
from loratpl.plan.outputs import PlannedFile
from loratpl.project import ProjectLock, RunPaths
from loratpl.records import EventReader, Failure, RecordedProblem, RunRecord, append_event, write_record
from loratpl.render.prepare import Prepared
from loratpl.render.renderer import RenderedRun
from loratpl.run.beginning import RunOptions, marker_of, unwritable
from loratpl.run.diagnosis import MachineWatch
from loratpl.run.ending import Ending, Told, fingerprints_of
from loratpl.run.fingerprint import Fingerprints
from loratpl.run.outputs_seen import OutputsSeen
from loratpl.run.pace import memory_of
from loratpl.run.phases import PIECES, SAMPLING, STARTING, TRAINING, phase_of
from loratpl.run.pump import JOIN_TIMEOUT_S, Pump
from loratpl.run.samples import SampleNames
from loratpl.run.stopping import StopRequests
from loratpl.run.watch import Step, Watcher
from loratpl.run.watchdog import Watchdog
from loratpl.trainer.status import TrainerStatus

LIFELINE_VARIABLE = "KOHYATPL_LIFELINE"
# Half of it is what an event waits on average; each look costs the trainer a little of a core that it may share.
POLL_INTERVAL_S = 0.05
# How often files and the watchdog are looked at.
LOOK_INTERVAL_S = 1.0
# More than any record takes: on a disk that has run full, the end of the run is still written down.
RESERVE_BYTES = 131_072


@dataclass
class LiveRun:
    """One run, from its first record to its last."""

    prepared: Prepared
    trainer: TrainerStatus
    rendered: RenderedRun
    planned: tuple[PlannedFile, ...]
    paths: RunPaths
    record: RunRecord
    watcher: Watcher
    options: RunOptions
    lock: ProjectLock
    told: Told = field(init=False)
    stops: StopRequests = field(default_factory=StopRequests)
    phase: str = ""
    phase_began_at: float = 0.0
    looked_at: float = 0.0
    has_fingerprints: bool = False
    telling: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        settings, plan = self.prepared.settings, self.prepared.plan
        self.told = Told(last_step=self.options.start_step)
        self.events = EventReader(self.paths.events_path)
        names = SampleNames(settings["output_name"], plan.steps_per_epoch, plan.total_steps)
        self.outputs = OutputsSeen(self.planned, settings.path("output_dir") / "sample", names)
        self.watchdog = Watchdog(settings, plan, self.planned, self.paths)
        self.machine = MachineWatch()
        dataset = plan.dataset
        self.fingerprints = Fingerprints(
            settings["pretrained_model_name_or_path"],
            dataset.concepts,
            {folder: own.caption_extension for folder, own in settings_of_folders(dataset, settings).items()},
            self.trainer.paths,
            marker_of(self.trainer),
            self.prepared.project,
        )

    def to_the_end(self) -> tuple[RunRecord, tuple[Problem, ...]]:
        """Returns the record of a training that ended as planned, and what there is to say of it.

        Raises:
            KohyatplError: It did not; the record says so as well.
        """
        try:
            write_record(self.paths.record_path, self.record)
        except OSError as error:
            raise unwritable(error) from error
        with contextlib.suppress(OSError):
            self.paths.reserve_path.write_bytes(bytes(RESERVE_BYTES))
        with self.stops.listening():
            try:
                returncode = self._train()
                return self._ending().conclude(
                    returncode, self.stops, self._enter, self.fingerprints, self.watcher.note
                )
            except BaseException as error:
                self._record_own_failure(error)
                raise
            finally:
                self.machine.close()
                self._look_at_events()

    def _record_own_failure(self, error: BaseException) -> None:
        """A bug of ours, or the trainer's interpreter is gone: the record must not say for ever that it runs."""
        failure = Failure(cause=f"{type(error).__name__}: {error}")
        self._ending().close_unless_closed(failure, self.fingerprints)

    def _ending(self) -> Ending:
        older = self.options.resumption.older_states if self.options.resumption else ()
        return Ending(
            self.prepared, self.trainer, self.planned, self.paths, self.record, self.told, self.machine, older
        )

    def _train(self) -> int:
        child = self._launch()
        self._begin(child)
        log_path = self.paths.trainer_log_path
        pump = Pump(child, log_path, self._on_line, pieces=PIECES, on_output=self.watchdog.line)
        pump.start()
        if self.options.with_fingerprints:
            self.fingerprints.start()
        try:
            while child.poll() is None:
                self._look_at_events()
                self._pass_on_stops(child)
                self._look_around(child)
                time.sleep(POLL_INTERVAL_S)
            # Processes that the trainer left behind keep the pipe open; they are ended before the last look.
            pump.join(JOIN_TIMEOUT_S)
        finally:
            returncode = child.end()
            pump.join(JOIN_TIMEOUT_S)
        self._look_at_events()
        self._look_at_files()
        with self.telling:
            if self.phase == SAMPLING:  # it ended in the middle of it
                self._look_for_samples()
        for finding in self.watchdog.look():
            if finding.action == "tell":  # there is nobody any more who could be asked for more
                self._tell_problem(finding.problem)
        self._look_at_events()
        if pump.write_error is not None:
            with contextlib.suppress(OSError):
                self.paths.reserve_path.unlink(missing_ok=True)
            pump.keep_end()
            self.watcher.note(f"The trainer's log could not be kept to its end: {pump.write_error.strerror}.")
        return returncode

    def _launch(self) -> process.Child:
        # What is recorded has no secrets in it; they are added where the process starts.
        secrets = self.prepared.settings.secret_env()
        env = process.child_environment({**self.rendered.env, **secrets, LIFELINE_VARIABLE: "1"})
        keep_open = (self.lock.trainer_fd,)
        return process.Child(self.rendered.argv, cwd=self.rendered.cwd, env=env, keep_open=keep_open)

    def _begin(self, child: process.Child) -> None:
        plan = self.prepared.plan
        self._tell(
            "run",
            run_id=self.paths.run_id,
            run_dir=str(self.paths.run_dir),
            total_steps=plan.total_steps,
            epochs=plan.epochs,
            steps_per_epoch=plan.steps_per_epoch,
            start_step=self.options.start_step,
            trainer_pid=child.pid,
        )
        self._enter(STARTING)

    def _tell(self, event: str, **details: Any) -> None:
        append_event(self.paths.events_path, {"event": event, "time": round(time.time(), 3), **details})

    def _pass_on_stops(self, child: process.Child) -> None:
        if self.stops.count >= 2 and not self.told.was_killed:
            self.told.was_asked_to_stop = self.told.was_killed = True
            self.watcher.note("stopping now")
            child.kill()
        elif self.stops.count == 1 and not self.told.was_asked_to_stop:
            self.told.was_asked_to_stop = True
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
            if self.phase == SAMPLING:
                self._look_for_samples()
            self.phase = self.told.phase = phase
            self.phase_began_at = time.time()
            self._tell("phase", phase=phase)
            self.watcher.phase(phase)

    def _look_at_events(self) -> None:
        with self.telling:
            for event in self.events.new():
                self.watcher.event(event)
                self.watchdog.event(event)
                self.told.take(event)
                if event.get("event") == "step":
                    self._on_step(event)
                elif event.get("event") == "memory":
                    self.told.memory = memory_of(event, self.told.memory)
                elif event.get("event") == "state" and event.get("state_dir"):
                    self._record_state(event)

    def _on_step(self, event: dict[str, Any]) -> None:
        if event.get("time", 0.0) > self.phase_began_at:
            self._enter(TRAINING)  # after a checkpoint or samples
        total = self.prepared.plan.total_steps
        self.watcher.step(Step(self.told.last_step, total, event.get("loss"), event.get("average_loss")))

    def _record_state(self, event: dict[str, Any]) -> None:
        self._record(state_dir=event["state_dir"], last_step=self.told.last_step)

    def _record(self, **changes: Any) -> None:
        """What the record says while the run is live is what is known of it when its machine loses power."""
        self.record = self.record.model_copy(update=changes)
        with contextlib.suppress(OSError):  # the training goes on; the watchdog speaks of the disk
            write_record(self.paths.record_path, self.record)

    def _record_fingerprints(self) -> None:
        """Once they are known: without them nobody could say whether a run that is killed can be gone on with."""
        if self.has_fingerprints or not self.options.with_fingerprints or self.fingerprints.is_alive():
            return
        self.has_fingerprints = True
        self._record(**fingerprints_of(self.record, self.prepared.plan.dataset.concepts, self.fingerprints))

    def _look_around(self, child: process.Child) -> None:
        now = time.monotonic()
        if now - self.looked_at < LOOK_INTERVAL_S:
            return
        self.looked_at = now
        self._look_at_files()
        self._record_fingerprints()
        for finding in self.watchdog.look():
            self._tell_problem(finding.problem)
            if finding.action == "dump_stacks" and self.prepared.plan.processes == 1:
                child.ask_for_stacks()
            elif finding.action == "stop" and not self.told.was_asked_to_stop:
                self.told.was_asked_to_stop = True
                self.told.stop_problem = finding.problem
                child.cut_lifeline()

    def _tell_problem(self, problem: Problem) -> None:
        step = self.told.last_step
        found = RecordedProblem(
            code=problem.code, severity=problem.severity, where=problem.where, message=problem.message,
            fix=problem.fix, step=step,
        )  # fmt: skip
        self.told.problems.append(found)
        self._tell("problem", **found.model_dump())
        self.watcher.note(f"{problem.severity}: {problem.message}" + (f" {problem.fix}" if problem.fix else ""))

    def _look_at_files(self) -> None:
        for event in self.outputs.new_checkpoints(self.told.last_step):
            self.told.last_checkpoint = Path(event["path"])
            self._tell(**event)

    def _look_for_samples(self) -> None:
        for event in self.outputs.new_samples(self.told.last_step):
            self._tell(**event)
