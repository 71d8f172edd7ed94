"""The entry, started as a run starts it: what it tells of a script, and how it leaves when it is asked to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from loratpl.resources import INSIDE_DIR
from tests.command_line import eventually
from tests.inside.started_entry import PROMPTLY_S, STOPPED, Entry, endless, read_line, send_sigterm
from tests.stand_in import StandIn, oddest

# --- what a script sees


def test_the_script_looks_as_if_it_had_been_started_itself(entry: Entry) -> None:
    script = "import json, sys; print(json.dumps([sys.argv, sys.path[0], __name__, __file__]))"
    code, stdout, _ = entry.run(script, "--events", "mine", "--foo", "it's", "")
    path = str(entry.source_dir / "script.py")
    assert code == 0
    assert json.loads(stdout) == [
        [path, "--events", "mine", "--foo", "it's", ""],
        str(entry.source_dir),
        "__main__",
        path,
    ]


def test_the_modules_of_the_trainer_come_before_ours(entry: Entry) -> None:
    (entry.source_dir / "judge.py").write_text("NAME = 'the trainer'", encoding="utf-8")
    assert entry.run("import judge; print(judge.NAME)")[:2] == (0, "the trainer\n")


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("raise ValueError('bad dimension')", 1, "ValueError: bad dimension"),
        ("import sys; sys.exit('bad words')", 1, "bad words"),
        ("", 0, ""),
    ],
)
def test_the_script_ends_as_it_would_alone(entry: Entry, script: str, code: int, says: str) -> None:
    returncode, _, stderr = entry.run(script)
    assert returncode == code
    assert says in stderr


@pytest.mark.parametrize("arguments", [[], ["--foo", "script.py"], ["--events"]])
def test_a_command_line_without_a_script_is_refused(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, INSIDE_DIR / "entry.py", *arguments], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 2


# --- what it tells

TELLING = """
import math
from accelerate import Accelerator
accelerator = Accelerator()
accelerator.init_trackers("network_train", config={"max_train_steps": 2, "other": "x"})
log = accelerator.trackers[-1].log
log({"loss/current": 0.125, "loss/average": 0.25, "lr/textencoder": 5e-5, "lr/unet": 1e-4, "text": "ignored"}, step=1)
log({"loss/current": 2.0, "loss/average": math.inf, "lr/unet": -math.inf}, step=2)
log({"loss/current": 1, "norm/avg_key_norm": 0.5}, step=3)
log({"loss/epoch_average": 0.5}, step=1)
log({"loss/epoch_average": math.nan}, step=2)
log({"loss/validation/average": 0.75, "count": 2, "text": "ignored"}, step=2)
log({"text": "ignored"}, step=2)
accelerator.trackers[-1].store_init_configuration({"a": 1})
print(accelerator.trackers[-1].name, accelerator.trackers[-1].tracker is accelerator.trackers[-1])
"""


def test_what_the_training_says_becomes_events(odd_entry: Entry) -> None:
    before = time.time() - 0.001
    assert odd_entry.run(TELLING) == (0, "kohyatpl True\n", "")
    assert odd_entry.told("training") == [{"max_train_steps": 2, "device": "cpu", "step": 0}]
    assert odd_entry.told("step") == [
        {"step": 1, "loss": 0.125, "average_loss": 0.25, "lr": {"textencoder": 5e-5, "unet": 1e-4}},
        {"step": 2, "loss": 2.0, "average_loss": None, "lr": {"unet": None}},
        {"step": 3, "loss": 1.0, "average_loss": None, "lr": {}, "values": {"norm/avg_key_norm": 0.5}},
    ]
    assert odd_entry.told("epoch") == [{"epoch": 1, "average_loss": 0.5}, {"epoch": 2, "average_loss": None}]
    assert odd_entry.told("numbers") == [{"step": 2, "values": {"loss/validation/average": 0.75, "count": 2.0}}]
    assert [event["step"] for event in odd_entry.told("memory")] == [1, 3]
    assert len(odd_entry.events) == 9
    assert all(before <= event["time"] <= time.time() + 0.001 for event in odd_entry.events)


MIB = 2**20
# A torch that has seen a GPU, as far as the entry looks at it.
WITH_GPU = """
import sys, types
cuda = types.SimpleNamespace(
    is_available=lambda: True, memory_reserved=lambda: 800, max_memory_allocated=lambda: 700,
    max_memory_reserved={reserved},
)
sys.modules["torch"] = types.SimpleNamespace(cuda=cuda)
"""


def test_a_training_tells_at_its_end_how_much_memory_it_had(entry: Entry) -> None:
    used = "block = bytearray(300 * 2**20)\n"  # zeroed memory is given out when it is written
    used += "block[::4096] = b'x' * len(block[::4096])\ndel block\n"
    assert entry.run(TELLING)[0] == entry.run(TELLING + used)[0] == 0
    _, small, _, large = entry.told("memory")
    assert small["gpu_bytes"] is small["gpu_peak_bytes"] is small["gpu_reserved_bytes"] is None
    assert 5 * MIB < small["process_bytes"] <= small["process_peak_bytes"] < 200 * MIB
    assert 300 * MIB < large["process_peak_bytes"] < 500 * MIB
    assert large["process_bytes"] < large["process_peak_bytes"] - 200 * MIB
    assert entry.events[-1]["event"] == "memory"


def test_the_memory_of_a_gpu_is_told_where_there_is_one(entry: Entry) -> None:
    assert entry.run(WITH_GPU.format(reserved="lambda: 900") + TELLING)[0] == 0
    for memory in entry.told("memory"):
        assert (memory["gpu_bytes"], memory["gpu_peak_bytes"], memory["gpu_reserved_bytes"]) == (800, 700, 900)


def test_a_gpu_that_cannot_be_asked_hides_nothing(entry: Entry) -> None:
    failing = WITH_GPU.format(reserved="lambda: 1 // 0") + TELLING + "raise ValueError('CUDA error: unspecified')\n"
    code, _, stderr = entry.run(failing)
    assert code == 1
    assert stderr.rstrip().endswith("ValueError: CUDA error: unspecified")
    assert "ZeroDivisionError" not in stderr
    *_, memory = entry.told("memory")
    assert memory["process_peak_bytes"] > 0
    assert memory["gpu_peak_bytes"] is None


# 2.5 s a batch, two batches a step.
SLOWLY = """
import time
from accelerate import Accelerator
clock = [0.0]
time.monotonic = lambda: clock[0]
accelerator = Accelerator()
accelerator.init_trackers("network_train")
for batch in range(1, 14):
    clock[0] += 2.5
    accelerator.sync_gradients = batch % 2 == 0
    accelerator.trackers[-1].log({"loss/current": 0.5}, step=batch // 2)
"""


def test_memory_is_told_at_the_end_of_a_step_each_ten_seconds(entry: Entry) -> None:
    assert entry.run(SLOWLY)[0] == 0
    assert [event["step"] for event in entry.told("memory")] == [1, 3, 5, 6]  # the last one as it ends


def test_a_script_that_does_not_get_to_train_tells_of_no_memory(entry: Entry) -> None:
    assert entry.run("raise ValueError('bad dimension')")[0] == 1
    assert entry.events == []


def test_events_are_json_that_every_reader_takes(entry: Entry) -> None:
    entry.run(TELLING)
    text = (entry.folder / "events.jsonl").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text


def test_events_are_added_to_what_is_there(entry: Entry) -> None:
    (entry.folder / "events.jsonl").write_text('{"event": "phase", "time": 1.0}\n', encoding="utf-8")
    entry.run(TELLING)
    assert [event["event"] for event in entry.events][:2] == ["phase", "training"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_events_that_cannot_be_written_do_not_end_the_training(entry: Entry) -> None:
    (entry.folder / "events.jsonl").symlink_to("/dev/full")
    assert entry.run(TELLING)[0] == 0


def test_only_the_first_process_of_several_tells(entry: Entry) -> None:
    entry.env = {"RANK": "1"}
    assert entry.run(TELLING)[0] == 0
    assert entry.events == []


def test_another_process_than_the_main_one_has_no_tracker(entry: Entry) -> None:
    script = """
from accelerate import Accelerator
accelerator = Accelerator()
accelerator.is_main_process = False
accelerator.init_trackers("network_train")
print(len(accelerator.trackers))
"""
    assert entry.run(script)[:2] == (0, "0\n")


def test_the_scripts_own_trackers_are_kept(entry: Entry) -> None:
    script = """
from accelerate import Accelerator
accelerator = Accelerator()
accelerator.trackers.append("tensorboard")
accelerator.init_trackers("network_train")
print(accelerator.trackers[0], len(accelerator.trackers))
"""
    assert entry.run(script)[:2] == (0, "tensorboard 2\n")


def test_an_accelerate_without_the_place_to_hook_into_is_told_at_once(entry: Entry) -> None:
    (entry.source_dir / "accelerate" / "__init__.py").write_text("class Accelerator: pass\n", encoding="utf-8")
    code, stdout, stderr = entry.run("print('trained')")
    assert (code, stdout) == (1, "")
    assert "AttributeError" in stderr
    assert "init_trackers" in stderr


# --- the tiny model

CONSTANTS = "BLOCK_OUT_CHANNELS = (320, 640, 1280, 1280)\nTIMESTEP_INPUT_DIM = 320\nTIME_EMBED_DIM = 1280\n"
SHOW = "from library import original_unet as u; print(u.BLOCK_OUT_CHANNELS, u.TIMESTEP_INPUT_DIM, u.TIME_EMBED_DIM)"


@pytest.mark.parametrize(
    ("options", "shown"),
    [((), "(320, 640, 1280, 1280) 320 1280\n"), (("--tiny-unet",), "(32, 64, 64, 64) 32 128\n")],
)
def test_only_a_tiny_training_has_a_tiny_unet(entry: Entry, options: tuple[str, ...], shown: str) -> None:
    (entry.source_dir / "library" / "original_unet.py").write_text(CONSTANTS, encoding="utf-8")
    entry.options = options
    assert entry.run(SHOW) == (0, shown, "")


@pytest.mark.parametrize("gone", CONSTANTS.splitlines())
def test_a_constant_that_is_gone_is_told_and_not_invented(entry: Entry, gone: str) -> None:
    (entry.source_dir / "library" / "original_unet.py").write_text(CONSTANTS.replace(gone, ""), encoding="utf-8")
    entry.options = ("--tiny-unet",)
    code, stdout, stderr = entry.run("print('trained')")
    assert (code, stdout) == (1, "")
    assert gone.partition(" ")[0] in stderr.splitlines()[-1]


# --- how it is stopped


def close_input(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.close()


def send_sigint(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGINT)


def send_sighup(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGHUP)


WAYS_TO_ASK = pytest.mark.parametrize("ask", [close_input, send_sigterm, send_sigint, send_sighup])


@WAYS_TO_ASK
def test_a_stop_in_the_training_saves_a_state_after_the_step(stand_in: StandIn, tmp_path: Path, ask: Any) -> None:
    odd_entry = Entry(stand_in.paths.source_dir, oddest(tmp_path))
    odd_entry.env = {"KOHYATPL_LIFELINE": "1"}
    with odd_entry.start(endless()) as child:
        read_line(child, "step 2")
        ask(child)
        assert child.wait(PROMPTLY_S) == STOPPED
    (stopped,) = odd_entry.told("stopped")
    assert [event["event"] for event in odd_entry.events][-2:] == ["stopped", "memory"]
    steps = odd_entry.told("step")
    state_dir = odd_entry.state_of(steps[-1]["step"])
    assert (stopped["step"], stopped["state_dir"]) == (steps[-1]["step"], str(state_dir))
    assert 2 <= stopped["step"] <= 4
    assert list(odd_entry.states_dir.iterdir()) == [state_dir]
    assert {"model.safetensors", "position.bin", "position.json"} <= {path.name for path in state_dir.iterdir()}


@WAYS_TO_ASK
def test_a_stop_before_the_training_leaves_at_once(entry: Entry, ask: Any) -> None:
    entry.env = {"KOHYATPL_LIFELINE": "1"}
    with entry.start(endless(before="time.sleep(40)")) as child:
        read_line(child, "loading")
        time.sleep(0.2)
        ask(child)
        try:
            assert child.wait(PROMPTLY_S) == STOPPED
        finally:
            child.kill()
    (stopped,) = entry.told("stopped")
    assert (stopped["step"], stopped["state_dir"]) == (0, None)
    assert entry.told("training") == []
    assert not entry.states_dir.exists()


def test_a_stop_within_an_accumulation_waits_for_the_update(entry: Entry) -> None:
    with entry.start(endless(accumulation=5)) as child:
        read_line(child, "step 6")
        send_sigterm(child)
        assert child.wait(PROMPTLY_S) == STOPPED
    assert entry.told("stopped")[0]["step"] in (6, 7)
    assert len(entry.told("step")) % 5 == 0


def test_without_a_lifeline_the_end_of_the_input_means_nothing(entry: Entry) -> None:
    with entry.start(endless()) as child:
        read_line(child, "step 1")
        close_input(child)
        read_line(child, "step 6")
        assert child.poll() is None
        send_sigterm(child)
        assert child.wait(PROMPTLY_S) == STOPPED


def test_what_comes_down_the_lifeline_is_no_request(entry: Entry) -> None:
    entry.env = {"KOHYATPL_LIFELINE": "1"}
    with entry.start(endless()) as child:
        assert child.stdin is not None
        child.stdin.write("y\n" * 2000)
        child.stdin.flush()
        read_line(child, "step 5")
        assert child.poll() is None
        close_input(child)
        assert child.wait(PROMPTLY_S) == STOPPED


def test_a_training_whose_output_nobody_reads_any_more_still_saves_its_state(entry: Entry) -> None:
    """Its parent was killed: the lifeline and the pipe for its output end in the same moment."""
    entry.env = {"KOHYATPL_LIFELINE": "1"}
    child = entry.start(endless())
    assert child.stdout is not None
    assert child.stderr is not None
    read_line(child, "step 2")
    eventually(lambda: len(entry.told("step")) > 1, "the second step")
    child.stdout.close()
    child.stderr.close()
    close_input(child)
    assert child.wait(PROMPTLY_S) == STOPPED
    (stopped,) = entry.told("stopped")
    step = len(entry.told("step"))
    assert (stopped["step"], stopped["state_dir"]) == (step, str(entry.state_of(step)))
    assert (entry.state_of(step) / "position.json").is_file()


def test_without_a_place_for_it_no_state_is_saved(entry: Entry) -> None:
    path = entry.source_dir / "script.py"
    path.write_text(endless(), encoding="utf-8")
    events_path = entry.folder / "events.jsonl"
    argv = [sys.executable, str(INSIDE_DIR / "entry.py"), "--events", str(events_path), str(path)]
    with subprocess.Popen(argv, cwd=entry.source_dir, stdout=subprocess.DEVNULL) as child:
        eventually(lambda: len(entry.told("step")) > 0, "the first step")
        child.send_signal(signal.SIGTERM)
        assert child.wait(PROMPTLY_S) == STOPPED
    assert [event["state_dir"] for event in entry.told("stopped")] == [None]


def test_a_state_that_cannot_be_saved_is_told_with_its_reason(entry: Entry) -> None:
    entry.env = {"STAND_IN": "state-fails"}
    with entry.start(endless()) as child:
        read_line(child, "step 1")
        send_sigterm(child)
        assert child.wait(PROMPTLY_S) == STOPPED
    (stopped,) = entry.told("stopped")
    assert stopped["step"] == len(entry.told("step"))
    assert stopped["state_dir"] is None
    assert stopped["error"].startswith("OSError: [Errno 28] No space left on device")
    assert list(entry.states_dir.iterdir()) == []
