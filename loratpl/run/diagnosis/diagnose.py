"""The table of what is known, asked in the order of how sure each row is of its cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from loratpl.run.diagnosis import (
    arguments,
    disk,
    endings,
    gpu_driver,
    gpu_faults,
    gpu_memory,
    hub,
    memory,
    model_files,
    network_weights,
    packages,
    pictures,
    processes,
    system,
    workers,
)
from loratpl.run.diagnosis.evidence import Case, Diagnosis, Evidence, Row
from loratpl.run.diagnosis.log import Raised, read_log

UNKNOWN = "run.trainer.failed"
# Earlier ones win: what a library says of itself comes before what only looks like it.
TABLE: tuple[Row, ...] = (
    *gpu_memory.ROWS,
    *workers.ROWS,
    *memory.ROWS,
    *disk.ROWS,
    *gpu_driver.ROWS,
    *gpu_faults.ROWS,
    *processes.ROWS,
    *hub.ROWS,
    *network_weights.ROWS,
    *model_files.ROWS,
    *packages.ROWS,
    *pictures.ROWS,
    *arguments.ROWS,
    *system.ROWS,
    *endings.ROWS,
)


def diagnose(evidence: Evidence) -> Diagnosis:
    """Returns why a training failed; where no row knows its error, the trainer's own line is the cause."""
    case = Case(evidence, read_log(evidence.log_path))
    return next(found(case, TABLE), None) or _unknown(case)


def found(case: Case, table: Iterable[Row]) -> Iterator[Diagnosis]:
    """Yields what each row of a table that knows the case makes of it."""
    for row in table:
        diagnosis = _judged(case, row)
        if diagnosis is not None:
            yield diagnosis


def _judged(case: Case, row: Row) -> Diagnosis | None:
    for raised, text in _texts(case, row.looks_at):
        match = row.pattern.search(text)
        explanation = row.explain(replace(case, raised=raised), match) if match else None
        if explanation is not None:
            return Diagnosis(row.code, explanation.cause, explanation.fix, case.log.error)
    return None


def _texts(case: Case, looks_at: str) -> Iterator[tuple[Raised | None, str]]:
    raised = _causes(case)
    if looks_at == "error":
        yield from ((one, one.text) for one in raised)
    elif looks_at == "logged":
        if not raised and not case.log.raised and case.log.refused is None:
            yield from ((None, line) for line in reversed(case.log.logged))
    elif not raised:
        yield None, case.ending


def _causes(case: Case) -> tuple[Raised, ...]:
    """The exceptions that may have ended the process: one that a signal ended did not end by a Python exception."""
    if case.log.refused is not None:
        return (Raised("SystemExit", f"the trainer refused its arguments: {case.log.refused}"),)
    chain = case.log.last_chain
    # torchrun ends the other processes once one has failed by itself, and tells of that as well.
    is_of_others = case.ending == "SIGTERM" and case.evidence.returncode > 0
    if case.ending.startswith("exit") or (is_of_others and chain):
        return chain
    return tuple(raised for raised in chain if raised.is_cpp)


def _unknown(case: Case) -> Diagnosis:
    said = case.log.error
    cause = said or f"The trainer ended without a word ({case.ending})."
    return Diagnosis(UNKNOWN, cause, f"The trainer's whole log is {case.log_name}.", said)
