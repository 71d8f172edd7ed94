"""Going on from a state: the training ends as if it had never been stopped, or says why it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.inside.started_entry import STOPPED, Entry, endless, read_line, send_sigterm
from tests.stand_in import StandIn, oddest

STEPS = 10
# Four pictures; prints the steps done, and the weight that everything in the training has changed.
SCRIPT = """
import os, signal, sys
os.environ["STAND_IN_STEP_S"] = "0"
from library import stand_in_loop
def at(step):
    if str(step) in sys.argv[1:]:
        os.kill(os.getpid(), signal.SIGTERM)
print("came out:", *stand_in_loop.train(range(4), {steps}, accumulation={accumulation}, on_step=at))
"""


class Training:
    """One training in as many parts as it is stopped."""

    def __init__(self, source_dir: Path, folder: Path, accumulation: int = 1, steps: int = STEPS) -> None:
        self.script = SCRIPT.format(accumulation=accumulation, steps=steps)
        self.parts: list[Entry] = []
        self.code, self.stdout, self.stderr = 0, "", ""
        self._source_dir, self._folder = source_dir, folder

    def part(self, *stops: int, state_dir: Path | None = None) -> Entry:
        """Runs a part, from the state of the one before unless another is given."""
        folder = self._folder / f"part{len(self.parts)}"
        folder.mkdir(parents=True)
        entry = Entry(self._source_dir, folder)
        if state_dir is None and self.parts:
            state_dir = Path(self.parts[-1].told("stopped")[-1]["state_dir"])
        if state_dir is not None:
            entry.options = ("--go-on-from", str(state_dir))
        self.code, self.stdout, self.stderr = entry.run(self.script, *map(str, stops))
        self.parts.append(entry)
        return entry

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event for part in self.parts for event in part.told(kind)]

    @property
    def what_came_out(self) -> tuple[Any, ...]:
        return self.stdout.splitlines()[-1], self.told("step"), self.told("epoch")


@pytest.fixture
def make(stand_in: StandIn, tmp_path: Path) -> Any:
    def made(accumulation: int = 1, folder: Path = tmp_path, **changes: Any) -> Training:
        own = folder / f"training{len(list(folder.glob('training*')))}"
        own.mkdir()
        return Training(stand_in.paths.source_dir, own, accumulation, **changes)

    return made


EVERY_STEP = [(1, STEPS, step) for step in range(1, STEPS)] + [(3, STEPS // 2, step) for step in range(1, STEPS // 2)]


@pytest.mark.parametrize(("accumulation", "steps", "step"), EVERY_STEP)
def test_a_training_goes_on_from_any_step_as_if_never_stopped(
    make: Any, accumulation: int, steps: int, step: int
) -> None:
    whole, parted = make(accumulation, steps=steps), make(accumulation, steps=steps)
    whole.part()
    parted.part(step)
    assert parted.code == STOPPED
    parted.part()
    assert (whole.code, parted.code) == (0, 0)
    assert parted.what_came_out == whole.what_came_out
    assert [told["step"] for told in parted.told("training")] == [0, step]


def test_a_training_that_is_stopped_at_every_step_is_the_same_training(make: Any, tmp_path: Path) -> None:
    whole, parted = make(), make(folder=oddest(tmp_path))
    whole.part()
    for step in range(1, STEPS):
        parted.part(step)
        assert parted.code == STOPPED, parted.stderr
    parted.part()
    assert parted.what_came_out == whole.what_came_out


def test_a_training_without_the_state_comes_to_something_else(make: Any) -> None:
    """Or the tests above would prove nothing."""
    whole, again = make(), make()
    whole.part()
    again.part(3)
    state_dir = Path(again.told("stopped")[0]["state_dir"])
    position = json.loads((state_dir / "position.json").read_text(encoding="utf-8"))
    (state_dir / "position.json").write_text(json.dumps({**position, "batches": 2}), encoding="utf-8")
    again.part(state_dir=state_dir)
    assert again.code == 0
    assert again.stdout.splitlines()[-1] != whole.stdout.splitlines()[-1]


def test_a_stop_before_the_first_new_step_leaves_the_state_that_there_was(make: Any, entry: Entry) -> None:
    first = make()
    state_dir = first.part(6).state_of(6)
    entry.options = ("--go-on-from", str(state_dir))
    with entry.start(endless(before="time.sleep(40)")) as child:
        read_line(child, "loading")
        send_sigterm(child)
        assert child.wait(20) == STOPPED
    assert entry.told("stopped") == [{"step": 6, "state_dir": str(state_dir), "error": None}]


def test_a_training_that_breaks_before_its_first_state_names_the_one_it_came_from(make: Any) -> None:
    training = make()
    state_dir = training.part(6).state_of(6)
    training.script = training.script.replace("on_step=at", "loss_of=lambda step: float('nan')")
    training.part()
    assert [told["state_dir"] for told in training.told("broken")] == [str(state_dir)]


def test_with_other_data_the_steps_count_on(make: Any) -> None:
    """A resume that was forced: the epoch that the step lies in begins again, and the end stays where it was."""
    training = make()
    training.part(6)
    training.script = training.script.replace("range(4)", "range(3)")
    training.part()
    assert training.code == 0
    assert [told["step"] for told in training.told("step")] == list(range(1, STEPS + 1))
    assert training.stdout.splitlines()[-1].startswith(f"came out: {STEPS} ")


# --- what must not go on in silence


def broken_state(make: Any, name: str, change: Any) -> Training:
    training: Training = make()
    path = training.part(6).state_of(6) / name
    path.write_bytes(change(path.read_bytes()))
    training.part()
    return training


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("position.json", lambda _: b"{}", "position.json cannot be read: KeyError"),
        ("position.json", lambda _: b"not json", "position.json cannot be read: JSONDecodeError"),
        ("position.json", lambda text: text.replace(b'"schema": 1', b'"schema": 9'), "has schema 9"),
        ("position.bin", lambda content: content[: len(content) // 2], "zip"),
    ],
)
def test_a_damaged_state_is_refused(make: Any, name: str, change: Any, says: str) -> None:
    training = broken_state(make, name, change)
    assert training.code == 1
    assert says in training.stderr.splitlines()[-1]
    assert len(training.told("step")) == 6


def test_a_state_that_is_not_there_is_refused_before_anything_is_imported(make: Any, tmp_path: Path) -> None:
    training = make()
    training.part(state_dir=tmp_path / "nowhere")
    assert training.code == 1
    assert "position.json cannot be read: FileNotFoundError" in training.stderr
    assert training.stdout == ""


MOVED_ON = {
    "does not load it": (
        "    train_util.resume_from_local",
        "    args.resume = None\n    if False: train_util.resume_from_local",
    ),
    "does not skip": ("accelerator.skip_first_batches(loader, initial_step - 1)", "None"),
    "counts from elsewhere": ("        global_step = initial_step\n", "        global_step = initial_step + 1\n"),
    "begins with another epoch": ("for epoch in range(epoch_to_start, epochs)", "for epoch in range(0, epochs)"),
}


@pytest.mark.parametrize("moved", MOVED_ON)
def test_a_trainer_that_resumes_in_another_way_is_not_let_on(make: Any, stand_in: StandIn, moved: str) -> None:
    training = make()
    training.part(6)
    path = stand_in.paths.source_dir / "library" / "stand_in_loop.py"
    text = path.read_text(encoding="utf-8")
    assert MOVED_ON[moved][0] in text
    path.write_text(text.replace(*MOVED_ON[moved]), encoding="utf-8")
    training.part()
    assert training.code == 1
    assert "sd-scripts does not resume as the version that kohyatpl was made for" in training.stderr


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("library/train_util.py", "resume_from_local_or_hf_if_specified"),
        ("library/train_util.py", "LossRecorder"),
        ("accelerate/__init__.py", "skip_first_batches"),
        ("accelerate/data_loader.py", "DataLoaderShard"),
    ],
)
def test_a_place_to_hook_into_that_is_gone_is_told_at_once(entry: Entry, path: str, gone: str) -> None:
    source = entry.source_dir / path
    source.write_text(source.read_text(encoding="utf-8").replace(gone, f"other_{gone}"), encoding="utf-8")
    code, stdout, stderr = entry.run("print('trained')")
    assert (code, stdout) == (1, "")
    assert gone in stderr.splitlines()[-1]
