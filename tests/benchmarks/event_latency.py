"""Measures how long after an event was written its step stands on the terminal.

`python -m tests.benchmarks.event_latency [STEPS] [SECONDS_PER_STEP]`. A stand-in trains; an event has the time
that stands in events.jsonl, its drawing that at which a pseudo-terminal of 80 columns gave it out. A step that was
never drawn, because a later one came first, counts until that one was. Linux and macOS.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import tempfile
from pathlib import Path

from tests.hub_cache import cache_tokenizers
from tests.stand_in import make_stand_in, make_trainable_project
from tests.terminal import terminal


def latencies_ms(written: dict[int, float], portions: list[tuple[float, bytes]], total: int) -> list[float]:
    """Returns the milliseconds from each step's event to the first portion of output that shows it or a later one."""
    shown = re.compile(rb"([\d,]+)/%s" % f"{total:,}".encode())
    found, waiting = [], sorted(written)
    for time, data in portions:
        for text in shown.findall(data):
            step = int(text.replace(b",", b""))
            while waiting and waiting[0] <= step:
                found.append(1000 * (time - written[waiting.pop(0)]))
    return found


def main(steps: int = 200, step_s: float = 0.1) -> None:
    """Prints median, 95th percentile and maximum."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        os.environ |= {
            "KOHYATPL_HOME": str(folder / "home"),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_CACHE": str(folder / "hub"),
        }
        cache_tokenizers(folder / "hub")
        make_stand_in(folder / "home")
        project = make_trainable_project(folder / "project", step_s=step_s, max_train_steps=steps)
        with terminal("run", project) as opened:
            code, said = opened.finish(60 + 2 * steps * step_s)
            portions = list(opened.portions)
        if code != 0:
            raise SystemExit(said)
        (events_path,) = (project / "log").glob("*/events.jsonl")
        events = [json.loads(line) for line in events_path.read_text(encoding="utf-8").splitlines()]
        written = {event["step"]: event["time"] for event in events if event["event"] == "step"}
        found = sorted(latencies_ms(written, portions, steps))
    drawn_bytes = sum(len(data) for _, data in portions)
    print(
        f"{len(found)} of {len(written)} steps, {step_s * 1000:.0f} ms each: median {statistics.median(found):.1f} ms, "
        f"95 % within {found[int(0.95 * len(found))]:.1f} ms, at most {found[-1]:.1f} ms; "
        f"{drawn_bytes / len(written):,.0f} bytes a step"
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]), *(float(word) for word in sys.argv[2:3]))
