"""How a run ended: proven, stopped, broken or failed, and what its record says of that."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loratpl.dataset.scan import Concept
from loratpl.errors import KohyatplError, Problem, ProjectError, RunError, StoppedError, error_from
from loratpl.plan.outputs import PlannedFile
from loratpl.project import RunPaths
from loratpl.records import Failure, Memory, RecordedProblem, RunRecord, append_event, write_record
from loratpl.render.prepare import Prepared
from loratpl.run.beginning import now, unwritable
from loratpl.run.diagnosis import Diagnosis, Evidence, MachineWatch, cause_from_log, diagnose
from loratpl.run.fingerprint import Fingerprints
from loratpl.run.pace import keep_pace
from loratpl.run.phases import ENDED
from loratpl.run.states import newest_state
from loratpl.run.stopping import StopRequests
from loratpl.run.verify import verify_outputs
from loratpl.run.watchdog import broken_problem
from loratpl.trainer.status import TrainerStatus

_LAST_EVENTS = 50


@dataclass
class Told:
    """What is known of a live run: what its trainer told, and what was asked of it."""

    last_step: int = 0
    phase: str = ""
    was_asked_to_stop: bool = False
    was_killed: bool = False
    stop_problem: Problem | None = None
    stopped: dict[str, Any] | None = None
    broken: dict[str, Any] | None = None
    memory: Memory | None = None
    last_checkpoint: Path | None = None
    problems: list[RecordedProblem] = field(default_factory=list)
    last_events: list[dict[str, Any]] = field(default_factory=list)

    def take(self, event: dict[str, Any]) -> None:
        """Takes in an event."""
        self.last_events = [*self.last_events[1 - _LAST_EVENTS :], event]
        kind, step = event.get("event"), event.get("step")
        if kind in ("step", "stopped", "broken") and isinstance(step, int):
            self.last_step = max(self.last_step, step)
        if kind == "stopped":
            self.stopped = event
        elif kind == "broken":
            self.broken = event


@dataclass
class Ending:
    """Concludes one run."""

    prepared: Prepared
    trainer: TrainerStatus
    planned: tuple[PlannedFile, ...]
    paths: RunPaths
    record: RunRecord
    told: Told
    machine: MachineWatch
    older_states: tuple[Path, ...] = ()
    unwritten: ProjectError | None = None

    def conclude(
        self,
        returncode: int,
        stops: StopRequests,
        enter: Callable[[str], None],
        fingerprints: Fingerprints,
        note: Callable[[str], None],
    ) -> tuple[RunRecord, tuple[Problem, ...]]:
        """Returns the record and what there is to say when all is as planned; raises what is not.

        A stop that came too late for the trainer to see it leaves a finished training.
        """
        self._fingerprints, self._note = fingerprints, note
        if self.told.broken is not None:
            raise self._broken(returncode)
        if self.told.stopped is not None or (self.told.was_asked_to_stop and returncode != 0):
            raise self._stopped(returncode, stops)
        if returncode != 0:
            raise self._failed(returncode)
        enter(ENDED)
        return self._finished()

    def close_unless_closed(self, failure: Failure, fingerprints: Fingerprints) -> None:
        """Records a failure of our own where the run has no end yet."""
        self._fingerprints, self._note = fingerprints, lambda _text: None
        try:
            is_open = '"state": "running"' in self.paths.record_path.read_text(encoding="utf-8")
        except OSError:
            return
        if is_open:
            self._close(state="failed", failure=failure)

    def _finished(self) -> tuple[RunRecord, tuple[Problem, ...]]:
        project = self.prepared.project
        verdict = verify_outputs(
            self.planned, last_step=self.told.last_step, trainer=self.trainer.paths, paths=self.paths
        )
        problems = tuple(replace(p, where=project.relative(Path(p.where))) for p in verdict.problems)
        errors = [problem for problem in problems if problem.severity == "error"]
        if errors:
            failure = Failure(cause=errors[0].message, fix=errors[0].fix)
            self._close(state="failed", returncode=0, outputs=list(verdict.outputs), failure=failure)
            raise error_from((*problems, *self._unrecorded()), data=self.record.model_dump())
        # The LoRA is proven: what was kept to go on from would only fill the disk.
        for folder in (self.paths.state_dir, *self.older_states):
            shutil.rmtree(folder, ignore_errors=True)
        self._close(state="finished", returncode=0, outputs=list(verdict.outputs))
        if self.unwritten is not None:
            raise self.unwritten
        return self.record, (*problems, *self._trainer_warnings())

    def _trainer_warnings(self) -> tuple[Problem, ...]:
        sentence = self._fingerprints.trainer_problem
        if sentence is None:
            return ()
        fix = "Install it again with `kohyatpl trainer install`."
        return (Problem("trainer.unhealthy", sentence, str(self.trainer.paths.root_dir), fix, "warning"),)

    def _failed(self, returncode: int) -> RunError:
        told, log = self.told, self.prepared.project.relative(self.paths.trainer_log_path)
        evidence = Evidence(
            project=self.prepared.project,
            log_path=self.paths.trainer_log_path,
            returncode=returncode,
            phase=told.phase,
            last_step=told.last_step,
            events=tuple(told.last_events),
            settings=self.prepared.settings,
            machine=self.machine.facts(),
        )
        found = self._folder_gone() or diagnose(evidence)
        self._close(state="failed", returncode=returncode, failure=Failure(cause=found.cause, fix=found.fix))
        message = f"The training failed while {told.phase}, after step {told.last_step}: {found.cause.rstrip('.')}."
        fix = found.fix if "--resume" in found.fix else f"{found.fix} {self._how_to_go_on()}".strip()
        return RunError(Problem(found.code, message, log, fix), *self._unrecorded(), data=self.record.model_dump())

    def _folder_gone(self) -> Diagnosis | None:
        """A trainer whose log went away with its folder leaves no word of why it ended."""
        gone = next((problem for problem in self.told.problems if problem.code == "run.folder.gone"), None)
        if gone is None or cause_from_log(self.paths.trainer_log_path) is not None:
            return None
        return Diagnosis("run.folder.gone", gone.message, gone.fix)

    def _broken(self, returncode: int) -> RunError:
        problem = broken_problem(self.told.broken or {}, self.prepared.settings, self.told.last_checkpoint)
        self._close(state="failed", returncode=returncode, failure=Failure(cause=problem.message, fix=problem.fix))
        return RunError(problem, *self._unrecorded(), data=self.record.model_dump())

    def _stopped(self, returncode: int, stops: StopRequests) -> KohyatplError:
        relative = self.prepared.project.relative
        error = (self.told.stopped or {}).get("error")
        state = newest_state(self.paths)
        cause = self.told.stop_problem
        failure = Failure(cause=cause.message, fix=cause.fix) if cause else None
        self._close(state="stopped", returncode=returncode, failure=failure)
        saved = "No state was saved." if error is None else f"No state was saved: {error}."
        if state is not None:
            saved = f"Its state is in {relative(state.folder)}."
            if state.step != self.told.last_step:
                saved = f"The newest state is of step {state.step}, in {relative(state.folder)}."
        message = (
            f"The training was stopped after step {self.told.last_step} of {self.prepared.plan.total_steps}. {saved}"
        )
        stopped = Problem("run.stopped", message, relative(self.paths.run_dir), self._how_to_go_on())
        data = self.record.model_dump()
        if cause is not None:
            return RunError(cause, stopped, *self._unrecorded(), data=data)
        return StoppedError(stops.first_signal or signal.SIGTERM, stopped, *self._unrecorded(), data=data)

    def _unrecorded(self) -> tuple[Problem, ...]:
        """Why a training ended is worth more than that it could not be written down: that is a warning beside it."""
        problems = self.unwritten.problems if self.unwritten is not None else ()
        return tuple(replace(problem, severity="warning") for problem in problems)

    def _how_to_go_on(self) -> str:
        """Returns the sentence that says how to go on, "" where no state was saved in this run or before it."""
        if self.record.state_dir is None and self.record.parent is None:
            return ""
        return "`kohyatpl run --resume` goes on from its newest state."

    def _close(self, **changes: Any) -> None:
        for unfinished in self.paths.state_dir.glob("step*.partial"):
            shutil.rmtree(unfinished, ignore_errors=True)
        self._fingerprints.finish(wait=changes["state"] == "finished")
        state = newest_state(self.paths)
        changes |= {
            **fingerprints_of(self.record, self.prepared.plan.dataset.concepts, self._fingerprints),
            "ended_at": now(),
            "last_step": self.told.last_step,
            "memory": self.told.memory,
            "problems": self.told.problems,
            "state_dir": str(state.folder) if state else None,
        }
        self.record = self.record.model_copy(update=changes)
        with contextlib.suppress(OSError):
            self.paths.reserve_path.unlink(missing_ok=True)  # on a full disk this is the room for what follows
        end = {"state": self.record.state, "returncode": self.record.returncode, "last_step": self.told.last_step}
        append_event(self.paths.events_path, {"event": "end", "time": round(time.time(), 3), **end})
        try:
            write_record(self.paths.record_path, self.record)
        except OSError as error:
            self.unwritten = unwritable(error)
        keep_pace(self.prepared.settings, self.prepared.plan, self.paths, self._note)


def fingerprints_of(record: RunRecord, concepts: Sequence[Concept], fingerprints: Fingerprints) -> dict[str, Any]:
    """Returns what a record says of what was hashed, as far as that is done."""
    pairs = zip(record.concepts, concepts, strict=True)
    return {
        "concepts": [
            recorded.model_copy(update={"content_sha256": fingerprints.concepts.get(concept.folder)})
            for recorded, concept in pairs
        ],
        "model_sha256": fingerprints.model,
        "git": fingerprints.git,
    }
