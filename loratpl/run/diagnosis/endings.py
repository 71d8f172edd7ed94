"""A process that ended without an exception: killed, crashed, or gone without a word."""

from __future__ import annotations

import re

from loratpl.run.diagnosis.evidence import Case, Explanation, row, saying
from loratpl.run.diagnosis.gpu_faults import hardware
from loratpl.run.diagnosis.workers import killed

_CRASHES = {"SIGSEGV": "it read memory that is not its own", "SIGBUS": "memory that was mapped went away",
            "SIGFPE": "an arithmetic fault", "SIGABRT": "a library gave up", "SIGSYS": "the system forbade a call",
            "SIGTRAP": "a library gave up"}  # fmt: skip
_FATAL = re.compile(r"Fatal Python error: ([^\n]+)|terminate called[^\n]*|free\(\): [^\n]+|malloc[^\n]*corrupt[^\n]*")


def _killed(case: Case, _found: re.Match[str]) -> Explanation | None:
    return killed(case, "The trainer")


def _killed_from_outside(case: Case, found: re.Match[str]) -> Explanation | None:
    counted = ", and the kernel ended nothing for lack of memory" if case.machine.kill_count == 0 else ""
    return Explanation(
        f"The trainer was ended from outside ({found.group(0)}){counted}.",
        "Look whether somebody, a job scheduler's time limit or a container's runtime did it, then train again.",
    )


def _crashed(case: Case, found: re.Match[str]) -> Explanation | None:
    name = found.group(0)
    fatal = _FATAL.search(case.log.end)
    said = f": {fatal.group(0).strip()}" if fatal else ""
    return hardware(case) or Explanation(
        f"The trainer's process crashed ({name}, {_CRASHES[name]}{said}).",
        "Train again; if it comes back, run `kohyatpl trainer status`, "
        + ("write `sdpa` in the place of `xformers`, " if case.settings["xformers"] else "")
        + "update the GPU's driver, and test the machine's memory.",
    )


def _no_word(case: Case, found: re.Match[str]) -> Explanation | None:
    if case.log.error is not None or found.group(0) == "exit 0":
        return None
    return Explanation(
        f"The trainer ended without a word ({found.group(0)}): its log holds no error.",
        f"Look at the end of {case.log_name}, then run `kohyatpl trainer verify`: it shows whether the trainer works.",
    )


ROWS = (
    row(
        "run.memory.killed",
        r"^SIGKILL$",
        _killed,
        "the kernel ends a process with SIGKILL when memory is full, and counts it",
        "ending",
    ),
    row(
        "run.killed",
        r"^SIG(?:KILL|TERM|HUP|INT|QUIT|XCPU)$",
        _killed_from_outside,
        "signals that somebody sends; a stop that was asked of kohyatpl never comes here",
        "ending",
    ),
    row(
        "run.crash.processor",
        r"^SIGILL$",
        saying(
            "The trainer used an instruction that this machine's processor does not have (SIGILL).",
            "Run `kohyatpl trainer remove` and `kohyatpl trainer install`; a processor without AVX2 needs another "
            "build of PyTorch (`--torch SPEC`).",
        ),
        "packages built for a newer processor",
        "ending",
    ),
    row("run.crash", r"^SIG(?:SEGV|BUS|FPE|ABRT|SYS|TRAP)$", _crashed, "signals of faults", "ending"),
    row(
        "run.disk.too_large",
        r"^SIGXFSZ$",
        saying(
            "The trainer wrote a file larger than a limit of the system allows (`ulimit -f`).",
            "Run `ulimit -f unlimited` before.",
        ),
        "setrlimit(2)",
        "ending",
    ),
    row("run.silent_end", r"^exit (\d+)$|^signal (\d+)$", _no_word, "nothing else is known of it", "ending"),
)
