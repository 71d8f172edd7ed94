"""What events tell of a run: its end, cheaply, and its whole curve, in little memory."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loratpl.project import ProjectPaths
from loratpl.report.ledger.events import LastSeen, curve_of, first_event, last_seen
from loratpl.run.history import find_run
from tests.report.ledger.told import a_run, step_events


def write_lines(path: Path, *lines: object) -> Path:
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    return path


# --- the end


def test_the_last_step_is_found_before_what_came_after_it(tmp_path: Path) -> None:
    events = [{"event": "run", "time": 1.0}, *step_events([0.5, 0.25]), {"event": "end", "time": 9.5}]
    assert last_seen(write_lines(tmp_path / "e", *events)) == LastSeen(2, 0.25, 0.25, 9.5)


def test_a_step_without_a_number_has_no_loss(tmp_path: Path) -> None:
    assert last_seen(write_lines(tmp_path / "e", *step_events([0.5, math.nan]))).loss is None


def test_many_problems_after_the_last_step_do_not_hide_it(tmp_path: Path) -> None:
    problems = [{"event": "problem", "time": 2.0, "message": "x" * 1000}] * 100
    assert last_seen(write_lines(tmp_path / "e", *step_events([0.5]), *problems)).step == 1


def test_what_is_too_far_from_the_end_is_not_looked_for(tmp_path: Path) -> None:
    noise = [{"event": "numbers", "time": 2.0, "values": "x" * 1000}] * 300
    seen = last_seen(write_lines(tmp_path / "e", *step_events([0.5]), *noise))
    assert (seen.step, seen.time) == (None, 2.0)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n\n", b"not JSON\n", b"[1]\n", b"{" * 5000 + b"\n", b"\xff\xfe\0\n", b'{"event": "step"}\n',
        b'{"event": "step", "step": true}\n', b'{"event": "step", "step": -1}\n', b'{"event": "step", "step": "2"}\n',
        b'{"event": "step", "step": 99999999999999999999}\n', b"x" * 300_000,
    ],
)  # fmt: skip
def test_damage_tells_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "e"
    path.write_bytes(content)
    assert last_seen(path).step is None


def test_a_line_that_is_being_written_is_passed_over(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "e", *step_events([0.5, 0.25]))
    with path.open("ab") as file:
        file.write(b'{"event": "step", "time": 3, "st')
    assert last_seen(path).step == 2


def test_infinite_and_huge_numbers_are_none(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_text(
        '{"event": "step", "time": 1, "step": 1, "loss": Infinity, "average_loss": 1' + "0" * 400 + "}\n",
        encoding="utf-8",
    )
    assert last_seen(path) == LastSeen(1, None, None, 1.0)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    assert last_seen(tmp_path / "nothing") == LastSeen()
    assert last_seen(tmp_path) == LastSeen()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert last_seen(tmp_path / "pipe") == LastSeen()
        assert first_event(tmp_path / "pipe") == {}


def test_the_first_event_is_the_first_line(tmp_path: Path) -> None:
    assert first_event(write_lines(tmp_path / "e", {"event": "run", "trainer_pid": 7}))["trainer_pid"] == 7


# --- the curve


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def test_a_curve_has_every_step(project: ProjectPaths) -> None:
    a_run(project, "20260102-030405-a", events=step_events([0.5, math.nan, 0.25]))
    curve = curve_of(project, find_run(project, "a"))
    assert list(curve.steps) == [1, 2, 3]
    assert (curve.losses[0], curve.losses[2], curve.average_loss) == (0.5, 0.25, 0.25)
    assert math.isnan(curve.losses[1])


def test_lines_of_another_form_are_read_as_well(project: ProjectPaths) -> None:
    paths = a_run(project, "20260102-030405-a")
    paths.events_path.write_text(
        '{"step": 1, "loss": 0.5, "event": "step"}\n{"event":"step","step":2,"loss":0.25,"average_loss":null}\n'
        'damage "step"\n{"event": "numbers", "step": 3, "loss": 1.0}\n{"event": "state", "step": 2}\n',
        encoding="utf-8",
    )
    curve = curve_of(project, find_run(project, "a"))
    assert (list(curve.steps), list(curve.losses), curve.average_loss) == ([1, 2], [0.5, 0.25], None)


def test_a_resumed_training_is_one_curve(project: ProjectPaths) -> None:
    a_run(project, "20260102-030405-a", events=step_events([0.6, 0.5, 0.9, 0.9]), state="lost")
    a_run(
        project, "20260103-030405-b", events=step_events([0.4, 0.3], first=3), parent="20260102-030405-a", start_step=2
    )  # fmt: skip
    curve = curve_of(project, find_run(project, "b"))
    assert (list(curve.steps), list(curve.losses)) == ([1, 2, 3, 4], [0.6, 0.5, 0.4, 0.3])


def test_what_is_told_within_an_accumulation_before_the_first_step_is_none(project: ProjectPaths) -> None:
    a_run(project, "20260102-030405-a", events=step_events([9.0, 0.5, 0.4], first=0))
    a_run(
        project, "20260103-030405-b", events=step_events([9.0, 0.3], first=2), parent="20260102-030405-a", start_step=2
    )  # fmt: skip
    curve = curve_of(project, find_run(project, "b"))
    assert (list(curve.steps), list(curve.losses)) == ([1, 2, 3], [0.5, 0.4, 0.3])


def test_a_parent_that_is_gone_leaves_out_its_steps(project: ProjectPaths) -> None:
    a_run(project, "20260103-030405-b", events=step_events([0.4], first=3), parent="20260102-030405-a", start_step=2)
    assert list(curve_of(project, find_run(project, "b")).steps) == [3]


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB there")
def test_a_hundred_thousand_steps_are_read_in_a_second_and_little_memory(project: ProjectPaths) -> None:
    paths = a_run(project, "20260102-030405-a")
    line = (
        '{{"event": "step", "time": 1795382700.973, "step": {}, "loss": 0.{:017}, "average_loss": 0.1234567890123, '
        '"lr": {{"textencoder": 0.001, "unet": 0.001}}}}\n'
    )
    paths.events_path.write_text("".join(line.format(n, n) for n in range(1, 100_001)), encoding="utf-8")
    began = time.process_time()
    curve = curve_of(project, find_run(project, "a"))
    assert time.process_time() - began < 1  # 0.2 s here
    assert len(curve.steps) == 100_000
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from loratpl.project import ProjectPaths; from loratpl.run.history import find_run\n"
        "from loratpl.report.ledger.events import curve_of\n"
        "project = ProjectPaths(Path(sys.argv[1])); run = find_run(project, 'a')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "curve = curve_of(project, run)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(project.root_dir)], capture_output=True, check=True)
    assert int(done.stdout) < 10_000  # 2 MB; the file has 18 MB
