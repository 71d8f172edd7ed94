"""The pace of a run, from the events that it left."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loratpl.config.settings import Settings
from loratpl.errors import RunError
from loratpl.plan.pace.facts import Pace
from loratpl.plan.pace.store import read_paces
from loratpl.plan.planner import TrainingPlan, make_plan
from loratpl.project import RunPaths, open_project
from loratpl.records import Memory
from loratpl.render.prepare import prepare
from loratpl.run.pace import keep_pace, memory_of, pace_of
from loratpl.run.runner import start_run
from loratpl.run.watch import Unwatched
from loratpl.trainer.paths import UserPaths
from loratpl.trainer.pin import load_pin
from tests.command_line import kohyatpl, live_run
from tests.given import settings_of
from tests.plan.made import squares
from tests.stand_in import StandIn, make_trainable_project

START = 1_790_000_000.0
Events = list[dict[str, Any]]
Planned = tuple[Settings, TrainingPlan]


class Story:
    """Writes the events of a run, each so many seconds after the one before."""

    def __init__(self) -> None:
        self.time = START
        self.events: Events = []

    def tell(self, event: str, after_s: float = 0.0, **details: Any) -> Story:
        self.time += after_s
        self.events.append({"event": event, "time": round(self.time, 3), **details})
        return self

    def phase(self, name: str, after_s: float = 0.0) -> Story:
        return self.tell("phase", after_s, phase=name)

    def steps(self, first: int, last: int, each_s: float = 2.0) -> Story:
        for number in range(first, last + 1):
            self.tell("step", each_s, step=number, loss=0.1)
        return self


def begun() -> Story:
    """A run whose training begins after 30 s, 20 of which the latents take."""
    story = Story().phase("starting the trainer").phase("loading the base model", 4.0)
    story.phase("caching latents", 5.0).phase("creating the network", 20.0)
    return story.tell("training", 1.0, device="cpu", max_train_steps=100).phase("training")


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    values = {"max_train_steps": 100, "train_batch_size": 2, "cache_latents": True}
    made = settings_of(tmp_path_factory.mktemp("pace"), values)
    return made, make_plan(squares(10), made)


def paced(planned: Planned, events: Iterable[dict[str, Any]], **options: Any) -> Pace:
    pace = pace_of(*planned, events, **options)
    assert pace is not None
    return pace


def test_the_steps_are_timed_without_the_first_ones(planned: Planned) -> None:
    story = begun().steps(1, 1, 9.0).steps(2, 2, 5.0).steps(3, 12, 2.0)
    pace = paced(planned, story.events)
    assert (pace.steps, pace.step_s, pace.median_step_s) == (10, 2.0, 2.0)
    assert (pace.low_step_s, pace.high_step_s) == (2.0, 2.0)
    # The first step began 30 s after the start, and took 7 s more than a step does.
    assert (pace.load_s, pace.caching_s) == (17.0, 20.0)
    assert pace.time.timestamp() == START + 30 + 9 + 5 + 20
    assert (pace.facts.device, pace.facts.train_batch_size) == ("cpu", 2)
    assert pace.cached_px == 10 * 512 * 512
    assert (pace.epoch_s, pace.checkpoint_s, pace.sample_s, pace.end_s) == (None, None, None, None)


def test_the_spread_is_that_of_the_steps(planned: Planned) -> None:
    story = begun().steps(1, 2)
    for number in range(11):  # 1.0, 1.1, … 2.0
        story.steps(number + 3, number + 3, 1 + number / 10)
    pace = paced(planned, story.events)
    assert (pace.median_step_s, pace.low_step_s, pace.high_step_s) == pytest.approx((1.5, 1.1, 1.9))
    assert pace.step_s == pytest.approx(1.5)


def test_what_is_done_between_steps_is_no_step(planned: Planned) -> None:
    story = begun().steps(1, 5)
    story.phase("saving", 2.0).steps(6, 6, 3.0).phase("training").steps(7, 9)  # before the step is told: 3 s for it
    story.tell("epoch", epoch=1).steps(10, 10, 2.5).steps(11, 12)  # told in the same moment as the step
    story.phase("drawing samples", 2.0).steps(13, 13, 7.0).phase("training").steps(14, 15)
    story.tell("numbers", 8.0, values={"loss/validation": 1.0}).steps(16, 16).steps(17, 20)
    story.tell("epoch", epoch=2).phase("saving", 0.1).phase("drawing samples", 1.0).steps(21, 21, 30.0).phase(
        "training"
    )
    story.steps(22, 25).phase("saving", 0.5).phase("looking at what came out", 3.5)
    pace = paced(planned, story.events)
    assert (pace.step_s, pace.low_step_s, pace.high_step_s) == (2.0, 2.0, 2.0)
    assert pace.steps == 25 - 2 - 5
    assert pace.checkpoint_s == 3.0
    assert pace.sample_s == 7.0
    assert pace.epoch_s == pytest.approx((0.5 + 8.0) / 2)
    assert pace.end_s == 4.0


def test_a_step_before_which_a_state_was_saved_is_none_that_counts(planned: Planned) -> None:
    story = begun().steps(1, 8)
    story.tell("state", 3.0, step=8, state_dir="/state").steps(9, 9, 5.0).steps(10, 20)
    pace = paced(planned, story.events)
    assert (pace.step_s, pace.high_step_s, pace.steps) == (2.0, 2.0, 20 - 2 - 1)


def test_samples_before_the_first_step_are_none_of_the_start(planned: Planned) -> None:
    with_samples = begun().phase("drawing samples").tell("nothing", 40.0).steps(1, 12)
    assert paced(planned, with_samples.events).load_s == paced(planned, begun().steps(1, 12).events).load_s == 10.0


def test_an_accumulation_is_one_step(planned: Planned) -> None:
    story = begun()
    for number in range(1, 13):  # the first batch bears the number of the update before it
        story.tell("step", 1.0, step=number - 1).tell("step", 1.5, step=number)
    pace = paced(planned, story.events)
    assert (pace.step_s, pace.steps) == (2.5, 10)


def test_a_machine_that_slept_did_no_step_of_an_hour(planned: Planned) -> None:
    story = begun().steps(1, 10).steps(11, 11, 3600.0).steps(12, 20)
    pace = paced(planned, story.events)
    assert (pace.step_s, pace.high_step_s, pace.steps) == (2.0, 2.0, 17)


def test_a_clock_that_was_put_back_makes_no_step(planned: Planned) -> None:
    story = begun().steps(1, 10)
    story.time -= 3600
    pace = paced(planned, story.steps(11, 20).events)
    assert (pace.step_s, pace.low_step_s) == (2.0, 2.0)


def test_where_every_step_ends_an_epoch_that_is_what_a_step_takes(planned: Planned) -> None:
    story = begun()
    for number in range(1, 13):
        story.steps(number, number, 3.0).tell("epoch", epoch=number)
    pace = paced(planned, story.events)
    assert (pace.step_s, pace.steps, pace.epoch_s) == (3.0, 10, None)


@pytest.mark.parametrize(("steps", "timed"), [(1, 1), (2, 1), (3, 1), (4, 2), (9, 7)])
def test_few_steps_are_timed_when_that_is_asked_for(planned: Planned, steps: int, timed: int) -> None:
    events = begun().steps(1, steps).events
    assert pace_of(*planned, events) is None
    pace = paced(planned, events, min_steps=1)
    assert (pace.steps, pace.step_s) == (timed, 2.0)
    assert pace.load_s == 10.0


def test_a_run_without_a_step_has_no_pace(planned: Planned) -> None:
    assert pace_of(*planned, begun().events, min_steps=1) is None
    assert pace_of(*planned, [], min_steps=0) is None


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ODD_EVENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "event": st.sampled_from(["step", "phase", "epoch", "numbers", "memory", "training"]) | JUNK,
            "time": st.floats(0, 2e9) | JUNK,
            "step": st.integers(-2, 30) | JUNK,
            "phase": st.sampled_from(["starting the trainer", "saving", "caching latents"]) | JUNK,
            "process_peak_bytes": JUNK,
        },
    ),
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=ODD_EVENTS, in_order=st.booleans())
def test_odd_events_never_raise_and_never_make_an_odd_pace(planned: Planned, odd: Events, in_order: bool) -> None:
    regular = begun().steps(1, 12).events
    pace = pace_of(*planned, [*regular, *odd] if in_order else [*odd, *regular], min_steps=1)
    if pace is not None:
        assert 0 < pace.low_step_s <= pace.median_step_s <= pace.high_step_s
        assert pace.low_step_s <= pace.step_s + 1e-6
        assert min(pace.load_s, pace.caching_s) >= 0
        pauses = (pace.epoch_s, pace.checkpoint_s, pace.sample_s, pace.end_s)
        assert all(seconds is None or seconds >= 0 for seconds in pauses)


def test_what_a_memory_event_does_not_say_is_unknown() -> None:
    event = {"event": "memory", "time": 1.5, "process_peak_bytes": 5, "gpu_peak_bytes": None, "gpu_reserved_bytes": "x"}
    assert memory_of(event) == Memory(process_peak_bytes=5)
    most = Memory(process_peak_bytes=4, gpu_peak_bytes=7)
    assert memory_of(event, most) == Memory(process_peak_bytes=5, gpu_peak_bytes=7)  # the GPU has failed since


# --- after a run


def kept() -> tuple[Pace, ...]:
    return read_paces(UserPaths.of_user())


def test_a_run_leaves_its_pace_and_its_memory(odd_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(odd_path / "project", max_train_steps=15, step_s=0.02)
    result = start_run(prepare(open_project(root)), stand_in.status, load_pin(), Unwatched())
    (pace,) = kept()
    assert 0.02 <= pace.low_step_s <= pace.step_s < 1
    assert pace.steps == 6  # without the first two, and those that end an epoch of two steps
    assert (pace.facts.family, pace.facts.device) == ("sd15", "cpu")
    assert result.record.memory is not None
    assert pace.process_peak_bytes == result.record.memory.process_peak_bytes
    assert pace.process_peak_bytes is not None
    # Nothing says what was trained.
    text = UserPaths.of_user().paces_path.read_text(encoding="utf-8")
    assert "project" not in text
    assert "lora.safetensors" not in text


def test_a_run_of_few_steps_leaves_none(tmp_path: Path, stand_in: StandIn) -> None:
    assert kohyatpl("run", make_trainable_project(tmp_path / "project", max_train_steps=9)).code == 0
    assert kept() == ()
    assert not UserPaths.of_user().paces_path.exists()


def test_a_run_that_failed_leaves_its_pace_as_well(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", max_train_steps=30, fault="half")
    with pytest.raises(RunError):
        start_run(prepare(open_project(root)), stand_in.status, load_pin(), Unwatched())
    assert [pace.steps for pace in kept()] == [6]


def test_a_run_that_was_stopped_leaves_its_pace_as_well(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", max_train_steps=5000, step_s=0.02)
    with live_run(root) as run:
        run.wait_for_step(12)
        run.send(signal.SIGTERM)
        assert run.finish().code == 143
        record = run.record
    (pace,) = kept()
    assert pace.steps == record["last_step"] // 2 - 1  # every second step ends an epoch
    assert pace.end_s is None
    assert pace.process_peak_bytes
    assert record["memory"]["process_peak_bytes"] == pace.process_peak_bytes


def test_a_store_that_cannot_be_written_does_not_fail_the_run(tmp_path: Path, stand_in: StandIn) -> None:
    UserPaths.of_user().paces_path.mkdir()
    root = make_trainable_project(tmp_path / "project", max_train_steps=15)
    done = kohyatpl("run", root, "--json")
    assert done.code == 0
    assert done.problems == []


def test_what_cannot_be_computed_is_told_and_harms_nothing(tmp_path: Path, planned: Planned) -> None:
    paths = RunPaths(tmp_path)
    events = begun().steps(1, 12).events
    events.append({"event": "step", "time": 1e300, "step": 13})  # no date is so late
    paths.events_path.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    notes: list[str] = []
    keep_pace(*planned, paths, notes.append)
    assert kept() == ()
    (note,) = notes
    assert note.startswith("How fast this run was could not be kept: OverflowError")
