"""The entry as tests start it: with a script of their own, beside the stand-in's accelerate and torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl.resources import INSIDE_DIR

STOPPED = 75
BROKEN = 76
PROMPTLY_S = 5.0

# Trains for ever, a step each 0.1 s, and prints each of them.
ENDLESS = """
import os, sys, time
os.environ["STAND_IN_STEP_S"] = "0.1"
from library import stand_in_loop
print("loading", flush=True)
{before}
stand_in_loop.train(
    range({pictures}), 10_000, accumulation={accumulation}, on_step=lambda step: print("step", step, flush=True)
)
"""


def endless(*, before: str = "", accumulation: int = 1, pictures: int = 1000) -> str:
    """A training without end, on pictures that are no files."""
    return ENDLESS.format(before=before, accumulation=accumulation, pictures=pictures)


@dataclass
class Entry:
    """How the entry is started with a script of a test's own, and what it leaves."""

    source_dir: Path
    folder: Path
    options: Sequence[str] = ()
    env: dict[str, str] = field(default_factory=dict)

    @property
    def states_dir(self) -> Path:
        return self.folder / "state"

    def state_of(self, step: int) -> Path:
        return self.states_dir / f"step{step:08d}"

    @property
    def events(self) -> list[dict[str, Any]]:
        path = self.folder / "events.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind, without their times."""
        return [
            {key: value for key, value in event.items() if key not in ("event", "time")}
            for event in self.events
            if event["event"] == kind
        ]

    def start(self, script: str, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        path = self.source_dir / "script.py"
        path.write_text(script, encoding="utf-8")
        places = ["--events", str(self.folder / "events.jsonl"), "--state-dir", str(self.states_dir)]
        return subprocess.Popen(
            [*before, sys.executable, str(INSIDE_DIR / "entry.py"), *places, *self.options, str(path), *arguments],
            cwd=self.source_dir,
            env={**os.environ, **self.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: str) -> tuple[int, str, str]:
        child = self.start(script, *arguments)
        stdout, stderr = child.communicate(timeout=60)
        return child.returncode, stdout, stderr


def read_line(child: subprocess.Popen[str], line: str) -> None:
    """Waits until the script has printed a line."""
    assert child.stdout is not None
    assert any(found == f"{line}\n" for found in child.stdout)


def send_sigterm(child: subprocess.Popen[str]) -> None:
    """Asks it to stop."""
    child.send_signal(signal.SIGTERM)
