"""The numbers of a training: of one run, of several, and of files that are not whole."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from loratpl.project import ProjectPaths
from loratpl.report.story.story import EpochMean, MemoryReading, Series
from tests.report.ledger.told import a_run
from tests.report.story.given import PLAN, A, B, step, steps, story


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def test_every_step_has_its_numbers_as_they_were_told(project: ProjectPaths) -> None:
    events = [
        step(1, 0.1234567890123456, lr={"unet": 0.001}),
        step(2, None, lr={"unet": 0.0005, "d*lr/unet": 1e-7}, values={"max_norm/keys_scaled": 3}),
    ]
    found = story(project, a_run(project, A, events=events).run_id)
    numbers = found.numbers
    assert (numbers.steps, numbers.times) == ((1, 2), (1001.0, 1002.0))
    assert numbers.losses == numbers.average_losses == (0.1234567890123456, None)
    assert numbers.rates == {"unet": (0.001, 0.0005), "d*lr/unet": (None, 1e-7)}
    assert found.series == (Series("max_norm/keys_scaled", (2,), (3.0,)),)


def test_a_step_takes_what_it_took_without_the_pauses(project: ProjectPaths) -> None:
    events = [
        {"event": "training", "time": 1000.0, "device": "cpu"}, step(1), step(2, time=1001.5),
        {"event": "phase", "time": 1002.0, "phase": "saving"}, step(3, time=1004.0),
        step(4, time=1004.5), {"event": "epoch", "time": 1004.5, "epoch": 1, "average_loss": 0.5}, step(5, time=1009.0),
        {"event": "numbers", "time": 1010.0, "step": 5, "values": {"v": 1.0}}, step(6, time=1011.0),
        {"event": "state", "time": 1012.0, "step": 6}, step(7, time=1013.0), step(9, time=1014.0),
    ]  # fmt: skip
    a_run(project, A, events=events)
    assert story(project).numbers.seconds == (None, 0.5, None, 0.5, None, None, None, None)


def test_where_every_step_has_a_pause_it_is_counted_in(project: ProjectPaths) -> None:
    events: list[dict[str, Any]] = []
    for number in (1, 2, 3):
        events += [step(number), {"event": "epoch", "time": 1000.0 + number, "epoch": number, "average_loss": 0.5}]
    a_run(project, A, events=events)
    assert story(project).numbers.seconds == (None, 1.0, 1.0)


def test_within_an_accumulation_the_first_number_is_the_steps(project: ProjectPaths) -> None:
    events = [step(0, 9.0, time=1000.0), step(1, 0.1), step(1, 9.0, time=1001.5), step(2, 0.2), step(2, 9.0)]
    a_run(project, A, events=events)
    numbers = story(project).numbers
    assert (numbers.steps, numbers.losses, numbers.seconds) == ((1, 2), (0.1, 0.2), (None, 1.0))


def test_what_is_told_of_an_epoch_stands_at_its_last_step(project: ProjectPaths) -> None:
    validation = "loss/validation/epoch_average"
    by_steps = "loss/validation/step_average"
    events = [
        *steps(1, 3), {"event": "numbers", "time": 1003.1, "step": 3, "values": {by_steps: 0.8}},
        {"event": "numbers", "time": 1003.2, "step": 1, "values": {validation: 0.7}},
        {"event": "epoch", "time": 1003.3, "epoch": 1, "average_loss": 0.2}, step(4),
        {"event": "epoch", "time": 1004.3, "epoch": 2, "average_loss": None},
    ]  # fmt: skip
    a_run(project, A, events=events)
    found = story(project)
    assert found.epochs == (EpochMean(1, 3, 0.2), EpochMean(2, 4, None))
    assert found.series == (Series(by_steps, (3,), (0.8,)), Series(validation, (3,), (0.7,)))


def test_memory_is_read_where_it_was_told(project: ProjectPaths) -> None:
    at_the_end = {"event": "memory", "time": 1009.0, "process_peak_bytes": 9, "gpu_peak_bytes": None}  # of all versions
    reading = {"event": "memory", "time": 1001.0, "step": 1, "process_bytes": 7, "gpu_bytes": None}
    a_run(project, A, events=[step(1), reading, {**reading, "process_bytes": "7"}, at_the_end])
    assert story(project).memory == (MemoryReading(1001.0, 1, 7, None),)


# --- several runs


def test_the_runs_before_count_up_to_the_state_that_was_gone_on_from(project: ProjectPaths) -> None:
    def told(epoch: int, number: int, value: float) -> list[dict[str, Any]]:
        return [
            {"event": "epoch", "time": 1000.1 + number, "epoch": epoch, "average_loss": value},
            {"event": "memory", "time": 1000.1 + number, "step": number, "process_bytes": int(10 * value)},
            {"event": "numbers", "time": 1000.1 + number, "step": number, "values": {"v": value}},
        ]

    a_run(project, A, events=[*steps(1, 3), *told(1, 3, 0.1), *steps(4, 5), *told(2, 5, 0.9)], state="lost", plan=PLAN)
    later = [step(number, 1.0 + number, time=2000.0 + number) for number in (4, 5)]
    a_run(project, B, events=[step(3, 7.0), *later, *told(2, 5, 0.2)], parent=A, start_step=3, plan=PLAN)
    found = story(project, B)
    assert found.numbers.steps == (1, 2, 3, 4, 5)
    assert found.numbers.losses == (0.1, 0.2, 0.3, 5.0, 6.0)
    assert found.numbers.seconds == (None, 1.0, 1.0, None, 1.0)
    assert found.epochs == (EpochMean(1, 3, 0.1), EpochMean(2, 5, 0.2))
    assert [reading.process_bytes for reading in found.memory] == [1, 2]
    assert found.series == (Series("v", (3, 5), (0.1, 0.2)),)
    assert story(project, A).numbers.steps == (1, 2, 3, 4, 5)
    assert not [sentence for sentence in found.unknown if "step" in sentence]


def test_a_run_before_that_is_gone_is_said_to_be(project: ProjectPaths) -> None:
    a_run(project, B, events=steps(4, 5), parent=A, start_step=3, last_step=5)
    found = story(project, B)
    assert found.numbers.steps == (4, 5)
    assert f"{A}, which this training goes on from after step 3, is gone: what came before is not known." in (
        found.unknown
    )


# --- what is not whole


def test_damaged_lines_and_missing_steps_are_counted(project: ProjectPaths) -> None:
    paths = a_run(project, A, last_step=6)
    lines = [json.dumps(event).encode() for event in (step(1), step(2), step(4))]
    odd = [b"\xff\xfe", b"[1]", b"{" * 5000, b"", b'{"event": ["step"]}', b'{"event": "step", "step": true}']
    paths.events_path.write_bytes(b"\n".join([*lines, *odd, b'{"event": "step", "st']))
    found = story(project)
    assert found.numbers.steps == (1, 2, 4)
    assert f"4 lines of the events.jsonl of {A} cannot be read: what stood there is missing." in found.unknown
    assert f"Of 3 steps of {A} nothing is known: its events.jsonl does not have them." in found.unknown


def test_without_events_it_is_said_that_they_are_gone(project: ProjectPaths) -> None:
    a_run(project, A, last_step=6)
    found = story(project)
    assert (found.numbers.steps, found.numbers.rates, found.epochs) == ((), {}, ())
    assert f"What {A} told while it ran is not known: its events.jsonl is gone." in found.unknown


def test_names_without_end_are_cut(project: ProjectPaths) -> None:
    a_run(project, A, events=[step(1, lr={str(number): 0.1 for number in range(500)})])
    found = story(project)
    assert len(found.numbers.rates) == 200
    assert "More numbers were told than can be shown, and some were left out." in found.unknown


def test_a_long_training_is_read_in_a_moment(project: ProjectPaths) -> None:
    paths = a_run(project, A, last_step=20_000)
    rates = {"textencoder": 0.001, "unet": 0.001}
    paths.events_path.write_text("".join(f"{json.dumps(step(n, lr=rates))}\n" for n in range(1, 20_001)))
    began = time.process_time()
    found = story(project)
    assert time.process_time() - began < 3  # 0.2 s here
    assert len(found.numbers.steps) == 20_000
