"""The trainer's output: every byte on disk, and the same lines however the bytes arrive."""

from __future__ import annotations

import errno
import hashlib
import random
import re
import shutil
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.process import Child
from loratpl.run.pump import MAX_REST_BYTES, MAX_UNKEPT_BYTES, LineSieve, LineSplitter, Pump
from tests.command_line import eventually

# Line ends, characters of two to four bytes, their halves, and what is not UTF-8 at all.
PIECES = (
    b"\r",
    b"\n",
    b"\r\n",
    b"steps: 1/6",
    "é".encode(),
    "学".encode(),
    "😀".encode(),
    b"\xe5",
    b"\xf0\x9f",
    b"\xff",
)
outputs = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(b"".join)


def lines_of(*portions: bytes) -> list[str]:
    splitter = LineSplitter()
    lines = [line for portion in portions for line in splitter.feed(portion)]
    return [*lines, *splitter.feed(b"", final=True)]


def as_one_piece(data: bytes) -> list[str]:
    return [line for line in re.split(r"\r\n|\r|\n", data.decode("utf-8", errors="replace")) if line]


@given(data=outputs, cuts=st.lists(st.integers(0, 120), max_size=12))
@settings(deadline=None, max_examples=300)
def test_any_cutting_of_any_bytes_gives_the_lines_of_the_whole(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert lines_of(*(data[begin:end] for begin, end in pairwise(places))) == as_one_piece(data)


@given(data=outputs)
@settings(deadline=None)
def test_bytes_that_arrive_one_by_one_give_the_lines_of_the_whole(data: bytes) -> None:
    assert lines_of(*(bytes([byte]) for byte in data)) == as_one_piece(data)


@pytest.mark.parametrize(
    ("portions", "lines"),
    [
        ((b"a\nb", b"c\n"), ["a", "bc"]),
        ((b"1/6\r2/6\r", b"3/6"), ["1/6", "2/6", "3/6"]),
        ((b"a\r", b"\nb"), ["a", "b"]),
        ((b"a\r", b"b"), ["a", "b"]),
        ((b"a\r\n\r\n\n", b"\n"), ["a"]),
        (("学".encode()[:2], "学習\n".encode()[2:]), ["学習"]),
        ((b"\xff\n",), ["�"]),
        ((b"half \xe5",), ["half �"]),
        (("a\u2028b\x0bc\x85d\n".encode(),), ["a\u2028b\x0bc\x85d"]),
        ((), []),
    ],
    ids=["newlines", "progress bar", "CR LF apart", "CR at the cut", "empty lines", "character apart", "not UTF-8",
         "cut character at the end", "only CR and LF end lines", "nothing"],
)  # fmt: skip
def test_lines_are_told_apart(portions: tuple[bytes, ...], lines: list[str]) -> None:
    assert lines_of(*portions) == lines


def test_a_line_is_told_as_soon_as_it_is_whole() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"first\nsec") == ["first"]
    assert splitter.feed(b"ond\r") == []  # the line feed that belongs to it may still come
    assert splitter.feed(b"third\n") == ["second", "third"]


SOUGHT = ("6", "学", "é😀")


@given(data=outputs, cuts=st.lists(st.integers(0, 120), max_size=12))
@settings(deadline=None, max_examples=300)
def test_the_sieve_finds_the_lines_that_hold_a_piece_however_the_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    sieve = LineSieve(SOUGHT)
    found = [line for begin, end in pairwise(places) for line in sieve.feed(data[begin:end])]
    found += sieve.feed(b"", final=True)
    assert found == [line for line in as_one_piece(data) if any(piece in line for piece in SOUGHT)]


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    sieve = LineSieve(("end",))
    for _ in range(100):
        assert sieve.feed(b"x" * 10_000) == []
    (line,) = sieve.feed(b" the end\n")
    assert line.endswith(" the end")
    assert len(line) <= MAX_REST_BYTES + 10


def test_only_the_lines_that_are_sought_are_told_and_every_output_is(tmp_path: Path) -> None:
    code = "for number in range(20_000): print('line', number)"
    lines: list[str] = []
    told: list[None] = []
    child = Child([sys.executable, "-c", code])
    log_path = tmp_path / "trainer.log"
    pump = Pump(child, log_path, lines.append, pieces=("1999", "777"), on_output=lambda: told.append(None))
    pump.start()
    pump.join(30)
    assert child.end() == 0
    assert lines == [f"line {number}" for number in range(20_000) if "1999" in str(number) or "777" in str(number)]
    assert log_path.read_bytes().count(b"\n") == 20_000
    assert told


PRINT_FILE = "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), getattr(sys, sys.argv[2]).buffer)"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_every_byte_that_the_child_writes_is_in_the_log(odd_path: Path, stream: str) -> None:
    written = random.Random(7).randbytes(1_000_003)
    (odd_path / "bytes").write_bytes(written)
    lines: list[str] = []
    child = Child([sys.executable, "-c", PRINT_FILE, odd_path / "bytes", stream])
    pump = Pump(child, odd_path / "trainer.log", lines.append)
    pump.start()
    pump.join(30)
    assert child.end() == 0
    assert hashlib.sha256((odd_path / "trainer.log").read_bytes()).digest() == hashlib.sha256(written).digest()
    assert lines == as_one_piece(written)
    assert pump.write_error is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_stops_the_keeping_of_the_log_and_not_the_reading() -> None:
    lines: list[str] = []
    code = "for number in range(20_000): print('line', number)"
    child = Child([sys.executable, "-c", code])
    pump = Pump(child, Path("/dev/full"), lines.append)
    pump.start()
    pump.join(30)
    assert child.end() == 0
    assert lines == [f"line {number}" for number in range(20_000)]
    assert pump.write_error is not None
    assert pump.write_error.errno == errno.ENOSPC


def test_the_log_is_added_to_and_never_emptied(tmp_path: Path) -> None:
    log_path = tmp_path / "trainer.log"
    log_path.write_bytes(b"before\n")
    child = Child([sys.executable, "-c", "print('after')"])
    pump = Pump(child, log_path, lambda _: None)
    pump.start()
    pump.join(30)
    child.end()
    assert log_path.read_bytes().splitlines() == [b"before", b"after"]


def test_an_ended_child_ends_the_reading_though_another_process_holds_the_pipe(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('bye')"
    )
    child = Child([sys.executable, "-c", code])
    said = threading.Event()
    pump = Pump(child, tmp_path / "trainer.log", lambda _: said.set())
    pump.start()
    assert child.wait(30) == 0
    assert said.wait(10)
    assert pump.is_alive()
    child.end()
    pump.join(10)
    assert not pump.is_alive()


def test_what_is_still_in_the_pipe_when_the_child_is_ended_is_kept(tmp_path: Path) -> None:
    """Whoever watches may be slow, a terminal that is held with Ctrl-S for example."""
    code = "import time; print('first', flush=True); time.sleep(0.3); print('last words', flush=True)"
    child = Child([sys.executable, "-c", code])
    is_ended = threading.Event()

    def watch_slowly(_line: str) -> None:
        is_ended.wait(20)

    pump = Pump(child, tmp_path / "trainer.log", watch_slowly)
    pump.start()
    assert child.wait(30) == 0
    child.end()
    is_ended.set()
    pump.join(10)
    assert (tmp_path / "trainer.log").read_bytes().splitlines() == [b"first", b"last words"]


def test_a_log_whose_folder_was_removed_goes_on_when_the_folder_is_there_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    code = "import sys; print('one', flush=True); sys.stdin.readline(); print('two', flush=True)"
    child = Child([sys.executable, "-c", code])
    said: list[str] = []
    pump = Pump(child, folder / "trainer.log", said.append)
    pump.start()
    eventually(lambda: said == ["one"], "the first line")
    shutil.rmtree(folder)
    folder.mkdir()
    child.cut_lifeline()
    pump.join(30)
    child.end()
    assert said == ["one", "two"]
    assert (folder / "trainer.log").read_bytes() == b"two\n"
    assert pump.write_error is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_the_end_of_what_a_full_disk_did_not_take_is_kept_once_there_is_room(tmp_path: Path) -> None:
    log_path = tmp_path / "trainer.log"
    log_path.symlink_to("/dev/full")
    child = Child([sys.executable, "-c", "print('x' * 100_000); print('why it failed')"])
    pump = Pump(child, log_path, lambda _: None)
    pump.start()
    pump.join(30)
    child.end()
    assert pump.write_error is not None
    log_path.unlink()
    log_path.write_bytes(b"before")
    pump.keep_end()
    kept = log_path.read_bytes()
    assert kept.startswith(b"before\n")
    assert kept.endswith(b"why it failed\n")
    assert len(kept) <= MAX_UNKEPT_BYTES + 10


def test_nothing_is_added_to_a_log_that_was_kept(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "print('all')"])
    pump = Pump(child, tmp_path / "trainer.log", lambda _: None)
    pump.start()
    pump.join(30)
    child.end()
    pump.keep_end()
    assert (tmp_path / "trainer.log").read_bytes() == b"all\n"
