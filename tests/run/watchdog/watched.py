"""A run for the watchdog to watch: its events, its clock and its disks are given, its files are real."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl.check.machine.disk import Room
from loratpl.config.settings import Settings
from loratpl.dataset.scan import scan
from loratpl.plan.outputs import planned_files
from loratpl.plan.planner import make_plan
from loratpl.project import RunPaths
from loratpl.run.watchdog import Finding, Watchdog
from tests.given import resolved
from tests.stand_in import write_picture

MB = 1_000_000


@dataclass
class Watched:
    """A run of one picture folder, and the watchdog beside it.

    Attributes:
        rooms: Free bytes of each disk; the output folder is on "output", the log on "log", both on "one" where that
            is there, and nobody can tell where nothing is.
    """

    folder: Path
    values: dict[str, Any] = field(default_factory=dict)
    rooms: dict[str, int] = field(default_factory=dict)
    memory_bytes: int | None = None
    now_s: float = 1000.0
    wall_s: float = 1_700_000_000.0

    def __post_init__(self) -> None:
        self.paths = RunPaths(self.folder / "log" / "20260101-000000-cats")
        self.output_dir = self.folder / "output"
        for made in (self.paths.tensorboard_dir / "network_train", self.output_dir):
            made.mkdir(parents=True)
        self.settings = self._settings()
        self.pictures = [self.folder / "image_dir" / "5_ohwx cat" / f"{number}.png" for number in range(4)]
        self.pictures[0].parent.mkdir(parents=True)
        for number, picture in enumerate(self.pictures):
            write_picture(picture, number)
        plan = make_plan(scan(self.folder / "image_dir", None), self.settings)
        self.total_steps = plan.total_steps
        self.dog = Watchdog(
            self.settings, plan, planned_files(self.settings, plan), self.paths,
            clock=lambda: self.now_s, free_bytes=self._room_of, available=lambda: self.memory_bytes,
        )  # fmt: skip

    def _settings(self) -> Settings:
        settings, problems = resolved(self.folder, {"resolution": "512,512", "output_dir": "output", **self.values})
        assert not [problem for problem in problems if problem.severity == "error"]
        return settings

    def _room_of(self, folder: Path) -> Room | None:
        names = [name for name in ("one", "output" if folder == self.output_dir else "log") if name in self.rooms]
        return Room(hash(names[0]), self.rooms[names[0]]) if names else None

    def tell(self, event: str, **details: Any) -> None:
        """The watchdog is told of an event of this moment."""
        self.dog.event({"event": event, "time": self.wall_s, **details})

    def step(self, number: int, *, step_s: float = 1.0, loss: float | None = 0.1) -> None:
        """A step is done after this time."""
        self.now_s, self.wall_s = self.now_s + step_s, self.wall_s + step_s
        self.tell("step", step=number, loss=loss, average_loss=loss, lr={})

    def train(self, first: int, last: int, *, step_s: float = 1.0) -> list[Finding]:
        """Returns what is found while these steps are done, with a look after each."""
        found = []
        self.tell("phase", phase="training")
        for number in range(first, last + 1):
            self.step(number, step_s=step_s)
            found += self.dog.look()
        return found

    def wait(self, seconds: float, *, look_every_s: float = 1.0) -> list[Finding]:
        """Returns what is found while nothing is heard of the trainer."""
        found = []
        for _ in range(round(seconds / look_every_s)):
            self.now_s, self.wall_s = self.now_s + look_every_s, self.wall_s + look_every_s
            found += self.dog.look()
        return found
