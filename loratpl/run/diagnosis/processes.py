"""Several processes of one training that could not find or lost each other."""

from __future__ import annotations

import re

from loratpl.run.diagnosis.evidence import Case, Explanation, row, saying


def _lost_each_other(case: Case, found: re.Match[str]) -> Explanation | None:
    processes = case.settings.block.launch.processes
    how_many = f"The {processes} processes" if processes and processes > 1 else "The processes"
    return Explanation(
        f"{how_many} of the training lost each other ({found.group(0).strip()}).",
        "Look further up in the log for the one that failed first; if none did, set "
        '`kohyatpl.env: {"NCCL_P2P_DISABLE": "1", "NCCL_DEBUG": "INFO"}` and train again.',
    )


ROWS = (
    row(
        "run.processes.port",
        r"EADDRINUSE|[Aa]ddress already in use|launch distributed communication on port `(\d+)`",
        saying(
            "The port that the training's processes talk on is taken, by another training for example.",
            "Train again: each run takes a port of its own.",
        ),
        "accelerate's check of the port, and what torch's store says when it is taken later",
    ),
    row(
        "run.processes.lost",
        r"collective operation timeout|NCCL (?:communicator was aborted|operation|timeout)[^\n]*"
        r"|nccl(?:System|Internal|UnhandledCuda|Remote)Error|NCCL [Ee]rror[^\n]*|Duplicate GPU detected[^\n]*"
        r"|Connection closed by peer|wait timeout after \d+ms",
        _lost_each_other,
        "torch's process groups: NCCL, Gloo and the store behind them",
    ),
)
