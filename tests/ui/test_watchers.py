"""Whoever watches a run: nobody who reads slowly, or not at all, holds it up."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loratpl.run.watch import Step
from loratpl.ui.line_writer import LineWriter
from loratpl.ui.run_view import RunView
from loratpl.ui.watchers import event_line, step_line
from tests.command_line import COMMAND, eventually
from tests.stand_in import StandIn, make_trainable_project
from tests.terminal import in_terminal, screens, terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals and pipes of POSIX")


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """A pipe: the descriptor to read from, and the stream that is written to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream


def lines(count: int, size: int = 100) -> list[str]:
    return [f"{number:06} {'x' * size}" for number in range(count)]


def read_all(descriptor: int, portion: int = 65536, wait_s: float = 0.0) -> bytes:
    data = b""
    while piece := os.read(descriptor, portion):
        data += piece
        time.sleep(wait_s)
    return data


def test_a_slow_reader_gets_every_line(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    writer = LineWriter(stream)
    writer.start()
    began = time.monotonic()
    for line in lines(20_000):
        writer.put(line)
    assert time.monotonic() - began < 2.0
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read_all(reading, 16384, 0.001)))
    reader.start()
    assert writer.finish() == ""
    stream.close()
    reader.join(30)
    assert got[0].decode().splitlines() == lines(20_000)
    assert writer.dropped == 0


def test_a_reader_that_takes_nothing_holds_up_nobody_and_what_it_missed_is_counted(
    pipe: tuple[int, io.TextIOWrapper],
) -> None:
    reading, stream = pipe
    writer = LineWriter(stream, max_behind_bytes=200_000, stall_s=0.3)
    writer.start()
    written = lines(10_000, 50)
    for line in written:
        writer.put(line)
    began = time.monotonic()
    rest = writer.finish()
    assert time.monotonic() - began < 3.0
    assert not writer.is_alive()
    dropped = writer.dropped

    def finish_the_line() -> None:
        stream.write(rest)
        stream.close()

    threading.Thread(target=finish_the_line).start()
    got = read_all(reading).decode().splitlines()
    assert got == written[: len(got)]
    assert len(got) + dropped == len(written)
    assert dropped > 0


def test_a_reader_that_has_gone_is_forgotten(pipe: tuple[int, io.TextIOWrapper]) -> None:
    reading, stream = pipe
    os.close(reading)
    writer = LineWriter(stream)
    writer.start()
    for line in lines(100):
        writer.put(line)
    assert writer.finish() == ""
    assert writer.dropped == 0


def test_a_stream_without_a_descriptor_is_written_to() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    writer.start()
    writer.put("日本")
    assert writer.finish() == ""
    assert stream.getvalue() == "日本\n"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "checkpoint", "path": "/p/out/日本-000001.safetensors", "step": 4, "size_bytes": 1},
         "checkpoint 日本-000001.safetensors after step 4"),
        ({"event": "sample", "path": "/p/out/sample/a.png", "step": 4}, "sample a.png after step 4"),
        ({"event": "epoch", "epoch": 2, "average_loss": 0.25}, "epoch 2 done  loss 0.2500"),
        ({"event": "epoch", "epoch": 2, "average_loss": None}, "epoch 2 done  loss nan"),
        ({"event": "state", "step": 7, "state_dir": "/s", "error": None}, "state saved after step 7"),
        ({"event": "state", "step": 7, "state_dir": None, "error": "full"}, "no state saved after step 7: full"),
        ({"event": "step", "step": 7}, ""),
        ({"event": "memory", "step": 7, "process_bytes": 5, "process_peak_bytes": 5}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_what_is_saved_has_a_plain_line(event: dict[str, object], line: str) -> None:
    assert event_line(event) == line


def test_a_plain_step_says_how_long_it_will_take() -> None:
    view = RunView()
    for number in range(1, 11):
        view.feed({"event": "step", "time": 1000.0 + 2 * number, "step": number, "loss": 0.5})
    assert step_line(Step(10, 100, 0.5, 0.25), view) == "step 10/100  loss 0.2500  2.00 s/it  left 3:00"
    assert step_line(Step(100, 100, 0.5, None), view) == "step 100/100  loss nan"


def finished(root: Path) -> bool:
    records = [json.loads(path.read_bytes())["state"] for path in (root / "log").glob("*/run.json")]
    return records == ["finished"]


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["panel", "json"])
def test_a_terminal_that_is_held_does_not_hold_the_training(
    tmp_path: Path, stand_in: StandIn, options: tuple[str, ...]
) -> None:
    """Ctrl-S: nothing that is written comes out until Ctrl-Q."""
    root = make_trainable_project(tmp_path / "project", step_s=0.05, max_train_steps=40)
    with terminal("run", root, *options) as opened:
        eventually(lambda: "training" in opened.written, "the training began")
        opened.type(b"\x13")
        eventually(lambda: finished(root), "the training ended")
        opened.type(b"\x11")
        code, written = opened.finish()
    assert code == 0
    assert "Trained 40 steps" in written or '"exit_code": 0' in written


def test_a_terminal_that_nobody_reads_does_not_hold_the_training(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.001, max_train_steps=800)
    with terminal("run", root, "--json", is_read=False) as opened:
        eventually(lambda: finished(root), "the training ended", 60)
        opened.start_reading()
        code, written = opened.finish()
    kept = next((root / "log").glob("*/events.jsonl")).read_text(encoding="utf-8").splitlines()
    assert code == 0
    assert [json.loads(line) for line in written.splitlines()[: len(kept)]] == [json.loads(line) for line in kept]


def test_a_terminal_that_is_closed_does_not_end_a_run_under_nohup(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.05, max_train_steps=40)
    words = [*COMMAND, "run", str(root)]
    environment = {**os.environ, "TERM": "xterm"}
    master, slave = os.openpty()
    child = subprocess.Popen(
        ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *words], stdin=slave, stdout=slave, stderr=slave,
        start_new_session=True, env=environment,
    )  # fmt: skip
    os.close(slave)
    os.read(master, 1)
    os.close(master)
    child.wait(60)
    assert finished(root)


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    code, written = in_terminal("run", root, env={"TERM": "dumb"})
    assert code == 0
    assert "\x1b" not in written
    assert "step 6/6" in written


def test_no_colour_is_no_colour(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    code, written = in_terminal("run", root, env={"NO_COLOR": "1"})
    assert code == 0
    assert "│ step" in written
    assert not any(f"\x1b[{number}m" in written for number in range(110))


@pytest.mark.parametrize("columns", [40, 120])
def test_the_panel_fits_other_terminals(tmp_path: Path, stand_in: StandIn, columns: int) -> None:
    root = make_trainable_project(tmp_path / "project", step_s=0.1, output_name="日本" * 20)
    code, written = in_terminal("run", root, size=(columns, 24))
    shown = screens(written, columns)
    panels = [[line for line in screen if line[:1] in "╭│╰" and line] for screen in shown]
    assert code == 0
    assert max(map(len, panels)) == 11
    assert any("6/6" in line for lines_ in panels for line in lines_)
