"""Measures what `kohyatpl run` takes of a core while its trainer writes 10,000 log lines a second.

`python -m tests.benchmarks.pump_cost [SECONDS] [LINES_PER_SECOND]`. The trainer is a stand-in that makes ten steps a
second and writes each line by itself; the processor time is that of the whole kohyatpl process: log, events, watchdog
and watcher, in a terminal with the panel, quiet, and as JSON. Linux only.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.command_line import COMMAND, eventually
from tests.hub_cache import cache_tokenizers
from tests.stand_in import make_stand_in, make_trainable_project
from tests.terminal import Terminal

# Until the base model and the pictures are hashed and the first steps are done.
SETTLE_S = 3.0
_CHATTER = """
import os as _os, threading as _threading, time as _time

def _chatter(per_second=int(_os.environ["LINES_PER_SECOND"])):
    began, written = _time.perf_counter(), 0
    while True:
        for _ in range(int((_time.perf_counter() - began) * per_second) - written):
            _os.write(2, b"%08d INFO     a line of a log as the trainer writes them, %s train_util.py:1112\\n"
                      % (written, b"." * 20))
            written += 1
        _time.sleep(0.005)

_threading.Thread(target=_chatter, daemon=True).start()
"""


def processor_seconds(pid: int) -> float:
    """Returns the processor time that a process has taken by itself, its children not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_of_a_core(folder: Path, words: Sequence[str], seconds: float, lines_per_second: int) -> tuple[float, float]:
    """Returns the share of a core that kohyatpl takes, and the lines a second that it had to carry."""
    project = make_trainable_project(folder / "project", step_s=0.1, max_train_steps=100_000)
    environment = {"LINES_PER_SECOND": str(lines_per_second)}
    opened = Terminal([*COMMAND, *words, str(project)], environment, (80, 24), is_read=True)
    try:
        log_dir = project / "log"
        eventually(lambda: any(b'"step"' in path.read_bytes() for path in log_dir.glob("*/events.jsonl")), "a step")
        (log_path,) = log_dir.glob("*/trainer.log")
        time.sleep(SETTLE_S)
        began, taken, size_bytes = time.perf_counter(), processor_seconds(opened.popen.pid), log_path.stat().st_size
        time.sleep(seconds)
        passed = time.perf_counter() - began
        share = (processor_seconds(opened.popen.pid) - taken) / passed
        line_bytes = len(b"00000000 INFO     a line of a log as the trainer writes them,  train_util.py:1112\n") + 20
        return share, (log_path.stat().st_size - size_bytes) / line_bytes / passed
    finally:
        opened.popen.terminate()
        opened.popen.wait(30)
        opened.close()


def main(seconds: float, lines_per_second: int) -> None:
    """Prints the share of a core for each way to watch, with and without the lines."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        os.environ |= {
            "KOHYATPL_HOME": str(folder / "home"),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_CACHE": str(folder / "hub"),
        }
        cache_tokenizers(folder / "hub")
        script = make_stand_in(folder / "home").paths.source_dir / "train_network.py"
        script.write_text(_CHATTER + script.read_text(encoding="utf-8"), encoding="utf-8")
        ways = {
            "panel": ("run",),
            "quiet": ("--quiet", "run"),
            "JSON": ("--json", "run"),
        }
        for name, words in ways.items():
            for rate in (0, lines_per_second):
                (folder / name / str(rate)).mkdir(parents=True)
                share, carried = share_of_a_core(folder / name / str(rate), words, seconds, rate)
                print(f"{name:12} {carried:8,.0f} lines/s  {100 * share:5.1f} % of a core", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0, int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
