"""The panel of a run: steady, within its width, and right about what is left."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.run.gauges import Reading
from loratpl.ui.columns import width_of
from loratpl.ui.run_panel import ASCII, FULL, MIN_FRAME_WIDTH, Glyphs, glyphs_for, panel
from loratpl.ui.run_view import Pace, RunView, Trend
from loratpl.ui.screen import Screen
from tests.terminal import screens

BEGAN = 1_000_000.0
NAMES = ("lora", "ñandú 日本 😀", "👩‍👩‍👧 ❤️ 🏳️‍🌈", "a" * 300, "line\nbreak \x1b[2J", "")


def view_of(*events: dict[str, Any], run_id: str = "20260101-000000-lora") -> RunView:
    view = RunView()
    run = {"event": "run", "time": BEGAN, "run_id": run_id, "total_steps": 100, "epochs": 4, "start_step": 0,
           "trainer_pid": 1}  # fmt: skip
    for event in (run, *events):
        view.feed(event)
    return view


def steps(first: int, last: int, *, begin: float, each: float, loss: float | None = 0.25) -> list[dict[str, Any]]:
    return [
        {
            "event": "step",
            "time": begin + each * (number - first + 1),
            "step": number,
            "loss": loss,
            "average_loss": loss,
        }
        for number in range(first, last + 1)
    ]


def lines_of(view: RunView, now: float, width: int = 79, reading: Reading | None = None, **options: Any) -> list[str]:
    return [row.text(width) for row in panel(view, reading or Reading(), now, width=width, **options)]


def row_of(label: str, lines: list[str]) -> str:
    (line,) = [line for line in lines if line.startswith(f"│ {label} ")]
    return line[2:-1].removeprefix(label).strip()


def busy_view(name: str) -> RunView:
    return view_of(
        {"event": "phase", "time": BEGAN + 5, "phase": "training"},
        *steps(1, 60, begin=BEGAN + 5, each=2.0),
        {"event": "epoch", "time": BEGAN + 125, "epoch": 2, "average_loss": 0.2},
        {"event": "checkpoint", "time": BEGAN + 125, "step": 50, "path": f"/p/output/{name}-000002.safetensors"},
        {"event": "state", "time": BEGAN + 125, "step": 60, "state_dir": "/p/log/x/state/step00000060", "error": None},
        {"event": "problem", "time": BEGAN + 125, "code": "run.silent", "message": f"Nothing of {name}."},
        run_id=f"20260101-000000-{name}",
    )


def test_the_panel_says_where_the_run_is() -> None:
    view = busy_view("lora")
    reading = Reading(1, 18_200_000_000, 25_800_000_000, 97)
    lines = lines_of(view, BEGAN + 135, reading=reading)
    assert "20260101-000000-lora" in lines[0]
    assert row_of("phase", lines) == "training  for 2:10"
    assert row_of("step", lines) == f"60/100  {'━' * 24}{'─' * 16}   60 %"
    assert row_of("epoch", lines) == "3/4"
    assert row_of("loss", lines) == f"0.2500    average 0.2500    {'▁' * 32}"
    assert row_of("time", lines) == "left 1:18  elapsed 2:15  2.00 s/it"
    assert row_of("GPU", lines) == "18.2 of 25.8 GB   97 % busy"
    assert row_of("checkpoint", lines) == "lora-000002.safetensors  step 50  0:10 ago"
    assert row_of("state", lines) == "step 60  0:10 ago"
    assert row_of("problems", lines) == "1  Nothing of lora."


@pytest.mark.parametrize("glyphs", [FULL, ASCII], ids=["full", "ascii"])
@pytest.mark.parametrize("width", [MIN_FRAME_WIDTH, 39, 60, 79, 110])
@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_as_wide_as_the_panel_and_no_name_breaks_the_frame(name: str, width: int, glyphs: Glyphs) -> None:
    heights = set()
    for view in (RunView(), view_of(run_id=name), busy_view(name)):
        lines = lines_of(view, BEGAN + 200, width, glyphs=glyphs)
        heights.add(len(lines))
        assert {width_of(line) for line in lines} == {width}
        assert all(line[0] in glyphs.corners + glyphs.side for line in lines)
        assert all(line[-1] in glyphs.corners + glyphs.side for line in lines)
        assert not any(ord(character) < 32 for line in lines for character in line)
        if glyphs is ASCII:
            assert all(line.isascii() for line in lines)
    assert len(heights) == 1


@pytest.mark.parametrize("width", [1, 5, MIN_FRAME_WIDTH - 1])
def test_a_sliver_of_a_terminal_gets_one_line(width: int) -> None:
    (line,) = lines_of(busy_view("lora"), BEGAN + 200, width)
    assert 0 < width_of(line) <= width


@pytest.mark.parametrize("height", range(1, 14))
def test_a_low_terminal_gets_the_rows_that_matter_most(height: int) -> None:
    lines = lines_of(busy_view("lora"), BEGAN + 200, height=height)
    assert len(lines) <= max(height, 1)
    assert any("60/100" in line for line in lines)


def test_40_columns_keep_what_matters() -> None:
    lines = lines_of(busy_view("lora"), BEGAN + 135, 39)
    assert row_of("loss", lines) == "0.2500    average 0.2500"
    assert row_of("time", lines) == "left 1:18  elapsed 2:15"
    assert row_of("checkpoint", lines) == "step 50  0:10 ago"


def test_without_a_gpu_the_memory_of_the_trainer_is_shown() -> None:
    assert row_of("memory", lines_of(view_of(), BEGAN, reading=Reading(ram_bytes=3_140_000_000))) == "3.1 GB"
    assert row_of("memory", lines_of(view_of(), BEGAN)) == "-"


def test_a_loss_that_is_no_number_and_a_state_that_was_not_saved_are_shown() -> None:
    view = view_of(
        *steps(1, 3, begin=BEGAN, each=1.0, loss=None),
        {"event": "state", "time": BEGAN + 4, "step": 3, "state_dir": None, "error": "No space left on device"},
    )
    lines = lines_of(view, BEGAN + 5)
    assert row_of("loss", lines).startswith("nan")
    assert row_of("state", lines) == "not saved after step 3: No space left on device"


def test_a_resumed_run_counts_on() -> None:
    view = RunView()
    view.feed({"event": "run", "time": BEGAN, "total_steps": 100, "epochs": 4, "start_step": 60})
    lines = lines_of(view, BEGAN + 1)
    assert row_of("step", lines).startswith("60/100")
    assert row_of("epoch", lines) == "3/4"
    assert row_of("loss", lines) == "-"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", None, "no-such-encoding"])
def test_a_stream_that_cannot_show_boxes_gets_none(encoding: str | None) -> None:
    assert glyphs_for(encoding) is ASCII


@given(
    events=st.lists(
        st.dictionaries(
            st.sampled_from(
                ["event", "time", "step", "loss", "phase", "path", "run_id", "total_steps", "epochs", "epoch"]
            ),
            st.none()
            | st.booleans()
            | st.integers(-5, 5)
            | st.floats()
            | st.sampled_from(["step", "run", "x", "state"]),
        ),
        max_size=8,
    )
)
def test_no_damaged_event_breaks_the_panel(events: list[dict[str, Any]]) -> None:
    view = RunView()
    for event in events:
        view.feed(event)
    lines = lines_of(view, BEGAN)
    assert {width_of(line) for line in lines} == {79}


def left_after(view: RunView) -> float:
    pace = view.pace.seconds_per_step
    assert pace is not None
    return pace


def test_the_rate_forgets_a_pause_and_what_was_before_it() -> None:
    view = view_of(
        {"event": "phase", "time": BEGAN, "phase": "training"},
        *steps(1, 50, begin=BEGAN, each=1.0),
        {"event": "phase", "time": BEGAN + 50, "phase": "drawing samples"},
        {"event": "phase", "time": BEGAN + 500, "phase": "training"},
    )
    assert left_after(view) == pytest.approx(1.0)
    for event in steps(51, 60, begin=BEGAN + 500, each=3.0):
        view.feed(event)
    assert left_after(view) == pytest.approx(3.0)


def test_one_step_that_took_long_does_not_change_the_rate() -> None:
    pace = Pace()
    for number in range(1, 41):
        pace.step(number, number * 1.0 + (300.0 if number > 20 else 0.0))
    assert pace.seconds_per_step == pytest.approx(1.0)


def test_buckets_of_different_cost_are_averaged() -> None:
    pace, time = Pace(), 0.0
    for number in range(1, 102):
        pace.step(number, time)
        time += 1.0 if number % 2 else 3.0
    assert pace.seconds_per_step == pytest.approx(2.0)


def test_steps_faster_than_the_clock_of_the_events_have_a_rate() -> None:
    pace = Pace()
    for number in range(1, 5000):
        pace.step(number, round(number * 0.0023, 3))
    assert pace.seconds_per_step == pytest.approx(0.0023, rel=0.01)


def test_a_pause_after_every_step_leaves_a_rate() -> None:
    pace = Pace()
    for number in range(1, 10):
        pace.step(number, number * 7.0)
        pace.pause()
    assert pace.seconds_per_step == pytest.approx(7.0)


@given(st.lists(st.floats(0.001, 10.0), min_size=1, max_size=3000), st.integers(1, 64))
def test_a_trend_stays_small_and_within_what_it_was_given(values: list[float], count: int) -> None:
    trend = Trend()
    for value in values:
        trend.add(value)
    points = trend.points(count)
    assert len(points) <= count
    assert all(min(values) - 1e-9 <= point <= max(values) + 1e-9 for point in points)


def test_the_course_of_a_long_run_is_seen_from_its_beginning() -> None:
    trend = Trend()
    for step in range(100_000):
        trend.add(math.exp(-step / 20_000))
    points = trend.points(32)
    assert len(points) == 32
    assert points == sorted(points, reverse=True)
    assert points[0] > 0.9


class _Drawn:
    """A terminal without a process behind it."""

    def __init__(self) -> None:
        self.portions: list[str] = []
        self.screen = Screen(self.portions.append, has_colours=True)

    @property
    def shown(self) -> list[str]:
        return screens("".join(self.portions))[-1]


def test_only_what_changed_is_drawn_and_it_looks_as_if_all_were() -> None:
    drawn, numbers = _Drawn(), random.Random(1)
    view = busy_view("ñandú 日本")
    now = BEGAN + 135
    for _ in range(60):
        now += numbers.choice((0.1, 0.5, 5.0))
        number = view.step + 1
        view.feed({"event": "step", "time": now, "step": number, "loss": numbers.random(), "average_loss": 0.2})
        rows = panel(view, Reading(), now, width=79)
        drawn.screen.draw(rows, 79, 80)
        assert [line.rstrip() for line in drawn.shown if line] == [row.text(79) for row in rows]
    assert max(map(len, drawn.portions[1:])) < 0.7 * len(drawn.portions[0])
    drawn.screen.draw(rows, 79, 80)
    assert "".join(drawn.portions[-1:]) != ""
    count = len(drawn.portions)
    drawn.screen.draw(rows, 79, 80)
    assert len(drawn.portions) == count


def test_lines_above_the_panel_stay_and_the_panel_goes() -> None:
    drawn = _Drawn()
    rows = panel(busy_view("lora"), Reading(), BEGAN + 200, width=79)
    drawn.screen.draw(rows, 79, 80)
    drawn.screen.draw(rows, 79, 80, ["first", "second \x1b[2J"])
    assert [line.rstrip() for line in drawn.shown] == ["first", "second \\x1b[2J", *(row.text(79) for row in rows)]
    drawn.screen.clear()
    assert [line for line in drawn.shown if line] == ["first", "second \\x1b[2J"]


def test_a_terminal_that_became_narrower_is_cleared_of_all_that_was_drawn() -> None:
    drawn = _Drawn()
    wide = panel(busy_view("lora"), Reading(), BEGAN + 200, width=79)
    drawn.screen.draw(wide, 79, 80, ["before"])
    # What a terminal of 60 columns makes of it: each row on two lines, and the cursor on the first of the last two.
    rows = [half for row in wide for half in (row.text(79)[:60], row.text(79)[60:])]
    begin = "\r\n".join(["before", *rows]) + "\x1b[1A\r"
    drawn.portions[:] = [begin]
    narrow = panel(busy_view("lora"), Reading(), BEGAN + 200, width=59)
    drawn.screen.draw(narrow, 59, 60)
    assert [line for line in drawn.shown if line] == ["before", *(row.text(59) for row in narrow)]
