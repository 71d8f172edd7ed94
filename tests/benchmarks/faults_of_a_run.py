"""Strikes real trainings of the tiny model with one fault after another, and tells what becomes of them.

`python -m tests.benchmarks.faults_of_a_run [FAULT…]` (names as D01; all of them unless given) needs the installed
trainer and Linux; what needs a full disk needs to be root as well. Each row stands beside what `accelerate launch`
made of the same fault, measured with the trainer alone, checkpoints and states every third step, struck at step 7.
After a fault that leaves something to go on from, `run --resume` must train to the end and the LoRA be the one of a
training that nothing happened to, bit for bit. Ends with 1 when a row is not as it should be.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.records import read_record
from loratpl.selfcheck import make_tiny_model
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status
from tests.command_line import IGNORING, kohyatpl
from tests.trainer.live_trainings import (
    STEPS_PER_EPOCH,
    Left,
    LiveTraining,
    differing_tensors,
    home_of_its_own,
    live_training,
    look,
    make_project,
)

STRUCK_AT = 9
EPOCHS = 5
TOTAL_STEPS = EPOCHS * STEPS_PER_EPOCH
SMALL_DISK_BYTES = 400_000_000
# A training whose files take long enough to write to be met in the middle.
BIG = {"network_dim": 600}
UNCACHED = {"cache_latents": False, "max_data_loader_n_workers": 1}
HANG_TIMEOUT_S = 400.0


@dataclass(frozen=True)
class Fault:
    """One thing that happens to a training.

    Attributes:
        name: In the table.
        what: In words.
        bare: What the trainer alone made of it: exit code, and what was lost or went on.
        strike: Does it, to a training that has come to `STRUCK_AT`.
        codes: The exit codes that are right; None: it cannot tell, it was killed itself.
        may_lose: The most steps that may be lost; None: there is nothing to go on from.
        changes: To the config.
        mend: Puts things right again before it is gone on from.
        small_disk: The folder of the project that lies on a disk of its own.
    """

    name: str
    what: str
    bare: str
    strike: Callable[[LiveTraining], None]
    codes: tuple[int | None, ...]
    may_lose: int | None = 0
    changes: dict[str, Any] = field(default_factory=dict)
    mend: Callable[[ProjectPaths], None] = lambda _: None
    small_disk: str = ""
    before: Sequence[str] = ()
    on_terminal: bool = False
    reader_dies: bool = False


@dataclass(frozen=True)
class Row:
    """What became of one."""

    fault: Fault
    code: int | None
    exit_s: float
    gone_s: float
    orphans: int
    struck_at: int
    last_step: int
    state: str
    left: Left
    sentence: str
    resumed: str

    @property
    def lost(self) -> int:
        """The steps that were trained and are in no state."""
        return 0 if self.state == "finished" else self.last_step - (self.left.state_step or 0)

    def faults(self) -> Iterator[str]:
        """Yields what is not as it should be."""
        if self.code not in self.fault.codes:
            yield f"exit {self.code}"
        if self.orphans:
            yield f"{self.orphans} processes left"
        if self.fault.may_lose is not None and self.lost > self.fault.may_lose:
            yield f"{self.lost} steps lost"
        if self.left.cut or self.left.state_fault:
            yield f"damaged: {', '.join(self.left.cut)} {self.left.state_fault}"
        if self.state == "running":
            yield "recorded as running"
        if self.resumed.startswith("NOT"):
            yield f"resume: {self.resumed}"


def send(number: signal.Signals, to: str) -> Callable[[LiveTraining], None]:
    """Returns what sends a signal."""
    return lambda live: live.send(number, to=to)


def kill_while_saving(pattern: str) -> Callable[[LiveTraining], None]:
    """Returns what kills the trainer while it writes a file, told by the name that it has until it is whole."""

    def strike(live: LiveTraining) -> None:
        trainer = live.trainer_pid
        live.wait_for(lambda: any(is_growing(path) for path in live.project.root_dir.glob(pattern)), pattern)
        os.kill(trainer, signal.SIGKILL)

    return strike


def is_growing(path: Path) -> bool:
    """Returns whether something has been written already to a file or a folder."""
    with contextlib.suppress(OSError):
        return any(part.stat().st_size > 0 for part in path.iterdir()) if path.is_dir() else path.stat().st_size > 0
    return False


def fill(folder: str, leave_bytes: int) -> Callable[[LiveTraining], None]:
    """Returns what fills the disk of a folder of the project until so much is left."""

    def strike(live: LiveTraining) -> None:
        place = live.project.root_dir / folder
        ballast_bytes = shutil.disk_usage(place).free - leave_bytes
        with (place / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, ballast_bytes)

    return strike


def remove_ballast(project: ProjectPaths) -> None:
    """Makes room again."""
    for folder in (project.output_dir, project.log_dir):
        (folder / "ballast").unlink(missing_ok=True)


def remove(folder: str) -> Callable[[LiveTraining], None]:
    """Returns what removes a folder of the project."""

    def strike(live: LiveTraining) -> None:
        assert live.run_dir
        while (live.project.root_dir / folder).exists():  # somebody may be writing into it at this moment
            shutil.rmtree(live.project.root_dir / folder, ignore_errors=True)

    return strike


def last_picture(project: ProjectPaths) -> Path:
    """Returns the picture that is deleted or spoilt."""
    return max(project.image_dir.glob("*_zwx dog/*.png"))


def delete_picture(live: LiveTraining) -> None:
    """Takes a picture away."""
    picture = last_picture(live.project)
    picture.rename(live.project.root_dir.with_name(f"{live.project.root_dir.name}.png"))


def spoil_picture(live: LiveTraining) -> None:
    """Cuts a picture after its first half."""
    picture = last_picture(live.project)
    shutil.copy2(picture, live.project.root_dir.with_name(f"{live.project.root_dir.name}.png"))
    os.truncate(picture, picture.stat().st_size // 2)


def bring_picture_back(project: ProjectPaths) -> None:
    """Puts it back as it was."""
    kept = project.root_dir.with_name(f"{project.root_dir.name}.png")
    folder = next(project.image_dir.glob("*_zwx dog"))
    number = max([*(int(path.stem) for path in folder.glob("*.txt"))])
    shutil.copy2(kept, folder / f"{number}.png")


def hang(live: LiveTraining) -> None:
    """Stops the trainer until kohyatpl has told of it; then it goes on."""
    live.send(signal.SIGSTOP, to="trainer")
    began = time.monotonic()
    with contextlib.suppress(AssertionError):
        live.wait_for(lambda: "run.silent" in str(live.events("problem")), "a word of the hang", HANG_TIMEOUT_S)
        print(f"  told of after {time.monotonic() - began:.0f} s", file=sys.stderr)
    live.send(signal.SIGCONT, to="trainer")


def second_run(live: LiveTraining) -> None:
    """Starts another one in the same project, which must be refused."""
    second = kohyatpl("run", live.project.root_dir, "--json")
    assert second.code == 7, second
    assert second.problem["code"] == "run.busy", second


def close_terminal(live: LiveTraining) -> None:
    """Closes the window that it runs in."""
    live.close_terminal()


def nothing(_: LiveTraining) -> None:
    """The fault is in the config, or has happened already."""


INT, TERM, HUP, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL
STATE_EPOCH = STEPS_PER_EPOCH  # what is lost at most when nothing could be saved at the end
FAULTS = (
    Fault("D01", "SIGINT to the launcher alone", "-2, orphan trains on", send(INT, "kohyatpl"), (130,)),
    Fault("D01b", "SIGINT to the trainer alone", "-", send(INT, "trainer"), (130, 143)),
    Fault("D02", "SIGINT to all (Ctrl-C)", "-2, lost since the last save", send(INT, "both"), (130,)),
    Fault("D03", "SIGTERM to the launcher alone", "-15, orphan trains on", send(TERM, "kohyatpl"), (143,)),
    Fault("D03b", "SIGTERM to the trainer alone", "-", send(TERM, "trainer"), (143,)),
    Fault("D04", "SIGTERM to all", "-15, lost since the last save", send(TERM, "both"), (143,)),
    Fault("D05", "SIGHUP to all", "-1, lost since the last save", send(HUP, "both"), (129,)),
    Fault("D05a", "SIGHUP to the launcher alone", "-", send(HUP, "kohyatpl"), (129,)),
    Fault("D05b", "SIGHUP to all, under nohup", "goes on", send(HUP, "both"), (0,), before=IGNORING[HUP]),
    Fault("D05c", "SIGHUP to the trainer alone", "-", send(HUP, "trainer"), (129, 143)),
    Fault("D05d", "its terminal is closed", "-1, lost since the last save", close_terminal, (129,), on_terminal=True),
    Fault("D06", "SIGKILL of the launcher", "-9, orphan trains on", send(KILL, "kohyatpl"), (-9,)),
    Fault("D07", "SIGKILL of the trainer", "1, lost since the last save", send(KILL, "trainer"), (6,), STATE_EPOCH),
    Fault("D07b", "SIGKILL of both", "-", send(KILL, "both"), (-9,), STATE_EPOCH),
    Fault("D08", "disk full at a checkpoint", "1, all lost (0 LoRA, 0 states)", fill("output", 100_000), (6,),
          mend=remove_ballast, small_disk="output"),
    Fault("D09", "disk full at a state", "1, lost (a part of a state is left)", fill("log", 1_000_000), (0, 6),
          STATE_EPOCH, mend=remove_ballast, small_disk="log"),
    Fault("D09b", "disk full at the log", "-", fill("log", 0), (0, 6), STATE_EPOCH, mend=remove_ballast,
          small_disk="log"),
    Fault("D10", "NaN loss (learning rate 1e10)", "0, three LoRA of NaN", nothing, (6,), None,
          {"learning_rate": 1e10}),
    Fault("D11", "log folder removed", "1, lost since the last save", remove("log"), (0, 6), None),
    Fault("D12", "output folder removed", "goes on", remove("output"), (0,)),
    Fault("D13", "reader of the output pipe dies", "1, lost since the last save", nothing, (0,), reader_dies=True),
    Fault("D14", "a picture is deleted (latents not cached)", "1, lost since the last save", delete_picture, (6,), 0,
          UNCACHED, bring_picture_back),
    Fault("D15", "a second run in the same project", "both train, files overwritten", second_run, (0,)),
    Fault("D16", "trainer stopped (SIGSTOP), later goes on", "hangs without a word", hang, (0,)),
    Fault("D17", "a picture is spoilt in mid-epoch (not cached)", "1, all lost (0 LoRA, 0 states)", spoil_picture, (6,),
          0, UNCACHED, bring_picture_back),
    Fault("D18", "SIGKILL in the middle of a checkpoint", "1, cut file under a final name",
          kill_while_saving("output/.*"), (6,), STATE_EPOCH, BIG),
    Fault("D18b", "SIGKILL in the middle of a state", "-", kill_while_saving("log/*/state/*.partial"), (6,),
          STATE_EPOCH, BIG),
)  # fmt: skip


def strike(fault: Fault, root_dir: Path, model: dict[str, Any], reference: Callable[[Fault], Path]) -> Row:
    """Returns what became of a training that was struck."""
    project = make_project(root_dir, model, epochs=EPOCHS, **fault.changes)
    with small_disk(root_dir / fault.small_disk if fault.small_disk else None), contextlib.ExitStack() as stack:
        stdout = dying_reader(stack) if fault.reader_dies else None
        live = stack.enter_context(
            live_training(project, before=fault.before, on_terminal=fault.on_terminal, stdout=stdout)
        )
        if fault.changes.get("learning_rate") is None:
            live.wait_for_step(STRUCK_AT)
        else:
            live.wait_for_step(1)
        struck_at, began = live.last_step, time.monotonic()
        fault.strike(live)
        code = live.finish()
        exit_s = time.monotonic() - began
        orphans = live.wait_until_gone()
        gone_s = time.monotonic() - began
        fault.mend(project)
        last_step, left = live.last_step, look(project, live.run_dir)
        sentence = sentence_of(live.said)
        resumed = resume(project, fault, left, reference)
        state = state_of(live)
        return Row(fault, code, exit_s, gone_s, len(orphans), struck_at, last_step, state, left, sentence, resumed)


@contextlib.contextmanager
def small_disk(folder: Path | None) -> Iterator[None]:
    """A small disk of its own in place of a folder."""
    if folder is None:
        yield
        return
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def dying_reader(stack: contextlib.ExitStack) -> int:
    """Returns a pipe whose reader has gone."""
    end, start = os.pipe()
    os.close(end)
    stack.callback(os.close, start)
    return start


def state_of(live: LiveTraining) -> str:
    """Returns the state of the run's record, which the next command has settled if its kohyatpl was killed."""
    try:
        return read_record(live.run_dir / "run.json").state
    except Exception as error:  # noqa: BLE001 - it may be gone with its folder
        return f"no record ({type(error).__name__})"


def sentence_of(said: str) -> str:
    """Returns the errors that were printed with their fixes, else that all went well."""
    said = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said).replace("\r", "\n")
    _, found, rest = said.partition("error: ")
    lines = [line.strip() for line in (rest if found else said).splitlines() if line.strip()]
    if not found:
        told = [line for line in lines if line.startswith(("Trained ", "warning: "))]
        return " ".join(dict.fromkeys(told)) or "(nothing)"
    return " ".join(lines[:8])


def resume(project: ProjectPaths, fault: Fault, left: Left, reference: Callable[[Fault], Path]) -> str:
    """Returns what `run --resume` made of it."""
    if fault.may_lose is None or (project.output_dir / "lora.safetensors").exists():
        return same_as(project, reference(fault)) if (project.output_dir / "lora.safetensors").exists() else "-"
    with live_training(project, "--resume") as live:
        code = live.finish()
        if code != 0:
            return f"NOT: exit {code}: {sentence_of(live.said)}"
    return f"from step {left.state_step}: {same_as(project, reference(fault))}"


def same_as(project: ProjectPaths, reference: Path) -> str:
    """Returns whether the LoRA is that of the training that nothing happened to."""
    differing = differing_tensors(project.output_dir / "lora.safetensors", reference)
    return "bit for bit" if differing == 0 else f"NOT the same in {differing} tensors"


class References:
    """The LoRAs of trainings that nothing happened to, made when they are asked for."""

    def __init__(self, folder: Path, model: dict[str, Any]) -> None:
        self._folder, self._model = folder, model
        self._made: dict[str, Path] = {}

    def __call__(self, fault: Fault) -> Path:
        """Returns the LoRA that a training with the fault's config gives."""
        key = str(sorted(fault.changes.items()))
        if key not in self._made:
            project = make_project(
                self._folder / f"reference{len(self._made)}", self._model, epochs=EPOCHS, **fault.changes
            )
            with live_training(project) as live:
                assert live.finish() == 0, live.said
            self._made[key] = project.output_dir / "lora.safetensors"
        return self._made[key]


HEADER = (
    "| fault | | the trainer alone | exit | s to exit | s to none left | orphans | struck at, last step, state "
    "| lost | left | record | resumed | printed |\n|" + "---|" * 13
)


def printed(row: Row) -> str:
    """Returns a row of the Markdown table."""
    fault, left = row.fault, row.left
    faults = "; ".join(row.faults())
    files = f"{len(left.whole)} LoRA" + (f", {len(left.cut)} CUT" if left.cut else "")
    files += f", litter {', '.join(left.litter)}" if left.litter else ""
    cells = (
        fault.name, fault.what, fault.bare, row.code, f"{row.exit_s:.1f}", f"{row.gone_s:.1f}", row.orphans,
        f"{row.struck_at}, {row.last_step}, {left.state_step}", row.lost, files, row.state, row.resumed,
        row.sentence.replace("|", "/") + (f" **{faults}**" if faults else ""),
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def main(names: Sequence[str]) -> int:
    """Prints a row for each fault."""
    trainer = status(load_pin())
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    wrong = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as text:
        folder = Path(text)
        home_of_its_own(folder / "home", trainer)
        model = make_tiny_model(trainer, folder / "model")
        references = References(folder, model)
        print(HEADER, flush=True)
        for fault in chosen:
            if fault.small_disk and os.geteuid() != 0:
                print(f"| {fault.name} | {fault.what} | left out: a small disk takes root |", flush=True)
                continue
            try:
                row = strike(fault, folder / f"struck {fault.name}", model, references)
            except AssertionError as error:
                wrong += 1
                print(f"| {fault.name} | {fault.what} | **{' '.join(str(error).split())}** |", flush=True)
                continue
            wrong += any(row.faults())
            print(printed(row), flush=True)
    print(f"\n{len(chosen)} faults, {wrong} not as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
