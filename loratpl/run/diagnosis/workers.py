"""A worker process that prepares pictures ended, and the training with it."""

from __future__ import annotations

import re

from loratpl.check.machine.disk import size_text
from loratpl.run.diagnosis.evidence import Case, Explanation, row
from loratpl.run.diagnosis.memory import figures, less_memory, shared

_NONE = 'Set `"max_data_loader_n_workers": 0`'


def _ended_by_signal(_case: Case, found: re.Match[str]) -> Explanation | None:
    pid, how = found.group(1), found.group(2).strip()
    return Explanation(
        f"A worker that prepares pictures (process {pid}) was ended by the system: {how}.",
        f"{_NONE} to see which picture does it, then run `kohyatpl check`.",
    )


def _killed(case: Case, found: re.Match[str]) -> Explanation | None:
    return killed(case, f"A worker that prepares pictures (process {found.group(1)})")


def killed(case: Case, who: str) -> Explanation | None:
    """Explains that the system killed a process, as far as the kernel tells why."""
    machine, told = case.machine, figures(case)
    if machine.kill_count is not None and machine.kill_count == 0:
        return None
    held = max((kill.held_bytes for kill in machine.kills), default=0)
    told = ", and ".join(filter(None, (f"it held {size_text(held)}" if held else "", told)))
    because = f": {told}" if told else ""
    was_announced = any(event.get("code") == "run.memory" for event in case.evidence.events)
    if machine.kill_count is None and not was_announced:
        return Explanation(f"{who} was killed, as the system does when its memory is full{because}.", less_memory(case))
    return Explanation(f"{who} was killed by the system because its memory was full{because}.", less_memory(case))


def _left(_case: Case, found: re.Match[str]) -> Explanation | None:
    ids = (found.group(1) or "").strip()
    return Explanation(
        f"The workers that prepare pictures (process {ids}) ended without a word.",
        f"{_NONE}, train again, and the trainer says itself what is wrong.",
    )


ROWS = (
    row(
        "run.memory.shared",
        r"killed by signal: Bus error|Unexpected bus error encountered in worker|workers are out of shared memory",
        shared,
        "torch's handler of SIGBUS in a worker: writing to /dev/shm beyond its size (DataLoader.cpp)",
    ),
    row(
        "run.memory.killed",
        r"DataLoader worker \(pid (\d+)\) is killed by signal: Killed",
        _killed,
        "SIGKILL to a worker: the kernel's, where it counted one for lack of memory",
    ),
    row(
        "run.worker",
        r"DataLoader worker \(pid (\d+)\) is killed by signal: (?!Bus error)([^\n.]+)",
        _ended_by_signal,
        "torch's watch over its workers (DataLoader.cpp)",
    ),
    row(
        "run.worker",
        r"DataLoader worker \(pid\(?s?\)? ([\d, ]+)\) exited unexpectedly",
        _left,
        "torch.utils.data.dataloader: the worker's queue is empty, and the worker gone",
    ),
)
