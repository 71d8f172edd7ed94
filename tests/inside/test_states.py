"""The states that the entry saves while a training runs, and what ends a training early."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import eventually
from tests.inside.started_entry import BROKEN, PROMPTLY_S, STOPPED, Entry, endless, read_line, send_sigterm
from tests.stand_in import write_picture

# Ten steps in three epochs of four batches; `at` runs after each step.
SHORT = """
import os, signal, sys, time
os.environ["STAND_IN_STEP_S"] = "0.02"
from library import stand_in_loop
def at(step):
    {at}
print(*stand_in_loop.train({pictures}, {steps}, accumulation={accumulation}, on_step=at))
"""


def short(at: str = "pass", *, steps: int = 10, accumulation: int = 1, pictures: str = "range(4)") -> str:
    """A training of a few steps."""
    return SHORT.format(at=at, steps=steps, accumulation=accumulation, pictures=pictures)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def position_of(state_dir: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((state_dir / "position.json").read_text(encoding="utf-8"))
    return read


# --- when


def test_states_are_saved_by_the_clock_between_two_steps(odd_entry: Entry) -> None:
    odd_entry.options = ("--save-state-every-s", "0.05")
    assert odd_entry.run(short())[0] == 0
    saved = odd_entry.told("state")
    assert len(saved) > 1
    for told in saved:
        assert told["error"] is None
        assert told["state_dir"] == str(odd_entry.state_of(told["step"]))
        assert told["step"] == (told["epoch"] - 1) * 4 + told["batches"]
        assert told["size_bytes"] > 500
        assert told["seconds"] >= 0
    assert names(odd_entry.states_dir) == [odd_entry.state_of(saved[-1]["step"]).name]


@pytest.mark.parametrize(("every", "steps"), [(1, [4, 8]), (2, [8]), (3, [])])
def test_states_are_saved_at_the_end_of_every_nth_epoch(entry: Entry, every: int, steps: list[int]) -> None:
    entry.options = ("--save-state-every-epochs", str(every))
    assert entry.run(short())[0] == 0
    assert [(told["step"], told["batches"]) for told in entry.told("state")] == [(step, 0) for step in steps]


def test_no_state_is_saved_unless_it_is_wanted(entry: Entry) -> None:
    assert entry.run(short())[0] == 0
    assert entry.told("state") == []
    assert not entry.states_dir.exists()


def test_within_an_accumulation_there_is_no_state(entry: Entry) -> None:
    entry.options = ("--save-state-every-s", "0")
    assert entry.run(short(accumulation=3, steps=6))[0] == 0
    # Four batches are a step of three and one of one; after the last step of all the training is simply at its end.
    told = [(told["step"], told["epoch"], told["batches"]) for told in entry.told("state")]
    assert told == [(1, 1, 3), (2, 1, 4), (3, 2, 3), (4, 2, 4), (5, 3, 3)]


# --- what is in one


def test_a_state_says_where_it_is_and_what_its_files_are(odd_entry: Entry) -> None:
    odd_entry.run(short("step == 6 and os.kill(os.getpid(), signal.SIGTERM)"))
    state_dir = odd_entry.state_of(6)
    position = position_of(state_dir)
    files = position.pop("files")
    assert position == {
        "schema": 1, "step": 6, "epoch": 2, "batches": 2, "max_train_steps": 10, "batches_per_epoch": 4,
        "gradient_accumulation_steps": 1, "processes": 1, "workers": 0, "persistent_workers": False,
        "is_exact": True, "inexact_because": None,
    }  # fmt: skip
    assert sorted([*files, "position.json"]) == names(state_dir)
    for name, told in files.items():
        content = (state_dir / name).read_bytes()
        assert told == {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("args.network_args = ['ggpo_sigma=0.03', 'ggpo_beta=0.01']", "GGPO"),
        ("accelerator.num_processes = 2", "first of several processes"),
    ],
)
def test_a_state_that_does_not_hold_all_says_so(entry: Entry, change: str, reason: str) -> None:
    path = entry.source_dir / "library" / "stand_in_loop.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("    weight = torch.Tensor", f"    {change}\n    weight = torch.Tensor"), encoding="utf-8"
    )
    entry.run(short("step == 6 and os.kill(os.getpid(), signal.SIGTERM)"))
    position = position_of(entry.state_of(6))
    assert position["is_exact"] is False
    assert reason in position["inexact_because"]


# --- a state that cannot be saved


def test_a_state_that_cannot_be_saved_leaves_the_one_before(entry: Entry) -> None:
    entry.options = ("--save-state-every-epochs", "1")
    assert entry.run(short("if step == 6: os.environ['STAND_IN'] = 'state-fails'"))[0] == 0
    good, failed = entry.told("state")
    assert (good["step"], good["error"]) == (4, None)
    assert (failed["step"], failed["state_dir"], failed["size_bytes"]) == (8, None, None)
    assert failed["error"].startswith("OSError: [Errno 28] No space left on device")
    assert names(entry.states_dir) == ["step00000004"]


def test_a_state_that_does_not_read_back_is_none(entry: Entry) -> None:
    torch = entry.source_dir / "torch" / "__init__.py"
    damage = "import os\ndef save(value, path, save=save):\n    save(value, path)\n"
    damage += "    if 'scheduler' in path: os.truncate(path, os.path.getsize(path) // 2)\n"
    torch.write_text(torch.read_text(encoding="utf-8") + damage, encoding="utf-8")
    entry.options = ("--save-state-every-epochs", "1")
    assert entry.run(short())[0] == 0
    assert [told["state_dir"] for told in entry.told("state")] == [None, None]
    assert all("BadZipFile" in told["error"] for told in entry.told("state"))
    assert names(entry.states_dir) == []


def test_a_cut_weights_file_is_no_state(entry: Entry) -> None:
    accelerate = entry.source_dir / "accelerate" / "__init__.py"
    text = accelerate.read_text(encoding="utf-8").replace('"data_offsets": [0, 8]', '"data_offsets": [0, 16]')
    accelerate.write_text(text, encoding="utf-8")
    entry.options = ("--save-state-every-epochs", "3", "--save-state-every-epochs", "1")
    assert entry.run(short(steps=6))[0] == 0
    (told,) = entry.told("state")
    assert "which is not what its header says" in told["error"]


def test_weights_that_are_no_numbers_do_not_take_the_place_of_good_ones(entry: Entry) -> None:
    entry.options = ("--save-state-every-epochs", "1")
    script = short("if step == 6: stand_in_loop.torch.draw = lambda: float('nan')")
    assert entry.run(script)[0] == 0
    assert [told["error"] for told in entry.told("state")] == [
        None,
        "BrokenWeightsError: lora holds NaN or infinite values",
    ]
    assert names(entry.states_dir) == ["step00000004"]


def test_what_a_kill_left_of_a_state_is_no_hindrance(entry: Entry) -> None:
    (entry.states_dir / "step00000004.partial").mkdir(parents=True)
    (entry.states_dir / "step00000004.partial" / "half").write_text("x", encoding="utf-8")
    (entry.states_dir / "step00000003").mkdir()
    entry.options = ("--save-state-every-epochs", "1")
    assert entry.run(short(steps=6))[0] == 0
    assert names(entry.states_dir) == ["step00000004"]
    assert "half" not in names(entry.state_of(4))


# --- what ends a training early


@pytest.mark.parametrize(("value", "told"), [("nan", "nan"), ("inf", "inf"), ("-inf", "-inf")])
def test_a_loss_that_is_no_number_ends_the_training_at_once(entry: Entry, value: str, told: str) -> None:
    entry.options = ("--save-state-every-epochs", "1")
    script = short().replace("on_step=at", f"loss_of=lambda step: float('{value}') if step == 6 else 0.5")
    assert entry.run(script)[0] == BROKEN
    assert entry.told("broken") == [{"step": 6, "what": "loss", "value": told, "state_dir": str(entry.state_of(4))}]
    assert entry.told("step")[-1]["loss"] is None
    assert names(entry.states_dir) == ["step00000004"]


def test_a_broken_training_without_a_state_says_that_there_is_none(entry: Entry) -> None:
    assert entry.run(short().replace("on_step=at", "loss_of=lambda step: float('nan')"))[0] == BROKEN
    assert [told["state_dir"] for told in entry.told("broken")] == [None]


def test_a_picture_that_cannot_be_read_costs_no_step(entry: Entry) -> None:
    pictures = [entry.folder / f"{number}.png" for number in range(4)]
    for number, path in enumerate(pictures):
        write_picture(path, number)
    script = short("if step == 6: [os.remove(path) for path in paths]", pictures="list(paths)")
    code, _, stderr = entry.run(f"paths = {[str(path) for path in pictures]!r}\n" + script)
    assert code == 1
    assert stderr.rstrip().splitlines()[-1].startswith("FileNotFoundError")
    (lost,) = entry.told("data_lost")
    assert lost["error"].startswith("FileNotFoundError: [Errno 2] No such file or directory")
    assert (lost["step"], lost["state_dir"]) == (6, str(entry.state_of(6)))
    assert (position_of(entry.state_of(6))["epoch"], position_of(entry.state_of(6))["batches"]) == (2, 2)


def test_a_picture_that_cannot_be_read_at_the_beginning_has_no_state(entry: Entry) -> None:
    code, _, _ = entry.run(short(pictures="['nowhere.png']"))
    assert code == 1
    assert [(told["step"], told["state_dir"]) for told in entry.told("data_lost")] == [(0, None)]
    assert not entry.states_dir.exists()


# --- signals


def test_what_was_ignored_from_the_start_stays_ignored(entry: Entry) -> None:
    with entry.start(endless(), before=("nohup",)) as child:
        read_line(child, "step 1")
        child.send_signal(signal.SIGHUP)
        read_line(child, "step 4")
        assert child.poll() is None
        send_sigterm(child)
        assert child.wait(PROMPTLY_S) == STOPPED


def test_a_training_that_hangs_can_be_asked_what_it_does(entry: Entry) -> None:
    with entry.start(endless(before="def waits_for_ever(): time.sleep(60)\nwaits_for_ever()")) as child:
        read_line(child, "loading")
        time.sleep(0.3)
        child.send_signal(signal.SIGUSR1)
        assert child.stderr is not None
        found = []
        for line in child.stderr:
            found.append(line)
            if "waits_for_ever" in line:
                break
        child.kill()
    assert "most recent call first" in "".join(found)


def test_a_fork_of_the_training_has_nothing_to_save(entry: Entry) -> None:
    """A loader's worker is one; a Ctrl-C in a terminal reaches it as well."""
    before = """
pid = os.fork()
if pid == 0:
    time.sleep(1)
    os._exit(0)
time.sleep(0.2)
os.kill(pid, 2)
print("fork ended with", os.waitpid(pid, 0)[1], flush=True)
"""
    with entry.start(endless(before=before)) as child:
        read_line(child, "fork ended with 0")
        assert entry.told("stopped") == []
        read_line(child, "step 1")
        child.send_signal(signal.SIGINT)
        assert child.wait(PROMPTLY_S) == STOPPED


def test_a_stop_at_a_step_that_is_saved_already_does_not_save_it_again(entry: Entry) -> None:
    entry.options = ("--save-state-every-s", "0")
    with entry.start(endless()) as child:
        eventually(lambda: len(entry.told("state")) > 1, "the second state")
        send_sigterm(child)
        assert child.wait(PROMPTLY_S) == STOPPED
    (stopped,) = entry.told("stopped")
    steps = [told["step"] for told in entry.told("state")]
    assert steps == sorted(set(steps))
    assert stopped["state_dir"] == entry.told("state")[-1]["state_dir"]


def test_both_ways_to_say_when_are_one_too_many(entry: Entry) -> None:
    entry.options = ("--save-state-every-s", "1", "--save-state-every-epochs", "1")
    code, _, stderr = entry.run(short())
    assert code == 2
    assert "not allowed with" in stderr


def test_a_state_is_not_saved_through_a_link_that_leads_nowhere(entry: Entry) -> None:
    entry.states_dir.symlink_to(entry.folder / "gone" / "state")
    entry.options = ("--save-state-every-epochs", "1")
    code, _, _ = entry.run(short(steps=6))
    assert code == 0
    assert [told["state_dir"] for told in entry.told("state")] == [None]
