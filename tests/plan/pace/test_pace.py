"""Times from earlier runs: which runs are taken, what is made of them, and how they are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.plan.pace.estimate import DOUBTS, TimeEstimate, course_of, estimate, estimate_time
from loratpl.plan.pace.facts import CPU, Facts, Pace, facts_of, pixels_to_cache, this_device
from loratpl.plan.pace.store import MAX_LINES, append_pace, read_paces
from loratpl.plan.pace.text import describe
from loratpl.plan.planner import make_plan
from loratpl.trainer.paths import HOME_VARIABLE, UserPaths
from tests.given import settings_of
from tests.plan.made import concept, dataset, squares
from tests.plan.pace.paces import FACTS, course, pace

OTHERS: dict[str, Any] = {
    "mixed_precision": "fp16",
    "fp8": "fp8_base",
    "precision": "full_bf16",
    "trained_parts": "all",
    "gradient_checkpointing": "",
    "attention": "xformers",
    "blocks_to_swap": 8,
    "cache_latents": False,
    "torch_compile": True,
    "threads": 4,
    "network_module": "lycoris.kohya",
    "cache_text_encoder_outputs": True,
    "optimizer_type": "adafactor",
    "network_dim": 64,
    "train_batch_size": 4,
    "gradient_accumulation_steps": 4,
}


def found(estimated: TimeEstimate | None) -> TimeEstimate:
    assert estimated is not None
    return estimated


# --- the laws

_SECONDS = st.floats(0.01, 100.0)


@st.composite
def runs(draw: st.DrawFn) -> Pace:
    """A run whose facts differ from FACTS in anything but what must be the same."""
    changed = draw(st.sets(st.sampled_from(sorted(OTHERS)), max_size=3))
    step_s = draw(_SECONDS)
    return pace(
        draw(st.integers(0, 400)),
        step_s=step_s,
        steps=draw(st.integers(1, 5000)),
        **{name: OTHERS[name] for name in changed},
        pixels_per_step=FACTS.pixels_per_step * draw(st.floats(0.1, 10.0)),
        low_step_s=step_s * draw(st.floats(0.1, 1.0)),
        high_step_s=step_s * draw(st.floats(1.0, 10.0)),
        load_s=draw(st.floats(0, 1000)),
        caching_s=draw(st.floats(0, 1000)),
        cached_px=draw(st.sampled_from([0.0, 1e6, 5e8])),
        **{name: draw(st.none() | st.floats(0, 300)) for name in ("epoch_s", "checkpoint_s", "sample_s", "end_s")},
    )


COURSES = st.builds(
    course,
    st.integers(1, 100_000),
    epochs=st.integers(1, 100),
    checkpoints=st.integers(0, 50),
    samples=st.integers(0, 50),
    cached_px=st.sampled_from([0.0, 1e6, 1e9]),
)


@given(st.lists(runs(), max_size=8), COURSES)
def test_the_range_contains_the_estimate(history: list[Pace], whole: Any) -> None:
    estimated = estimate(FACTS, whole, history)
    if estimated is not None:
        assert 0 < estimated.low_s <= estimated.seconds <= estimated.high_s


@given(st.lists(runs(), min_size=1, max_size=8), COURSES, st.integers(1, 10_000))
def test_more_steps_are_never_less_time(history: list[Pace], whole: Any, more: int) -> None:
    one, other = (estimate(FACTS, c, history) for c in (whole, replace(whole, steps=whole.steps + more)))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert other.seconds > one.seconds
        assert other.low_s > one.low_s
        assert other.high_s > one.high_s


@given(runs(), st.floats(1.01, 4.0))
def test_a_step_takes_as_long_as_its_pixels(run: Pace, factor: float) -> None:
    run = replace(run, facts=FACTS)
    one = found(estimate(FACTS, course(), [run]))
    larger = found(estimate(replace(FACTS, pixels_per_step=FACTS.pixels_per_step * factor), course(), [run]))
    assert one.step_s == pytest.approx(run.step_s)
    assert larger.step_s == pytest.approx(one.step_s * factor)
    assert larger.scale == pytest.approx(factor)
    # What was scaled is less certain than what was not.
    assert larger.high_s / larger.seconds > one.high_s / one.seconds
    assert larger.low_s / larger.seconds < one.low_s / one.seconds


@given(st.lists(runs(), min_size=1, max_size=8), COURSES)
def test_the_order_of_the_history_does_not_matter(history: list[Pace], whole: Any) -> None:
    distinct = list({run.time: run for run in history}.values())
    assert estimate(FACTS, whole, distinct) == estimate(FACTS, whole, distinct[::-1])


# --- which runs


@pytest.mark.parametrize(
    ("name", "value"), [("family", "sd15"), ("device", "cpu"), ("processes", 2), ("tiny_unet", True)]
)
def test_a_run_of_another_kind_tells_nothing(name: str, value: Any) -> None:
    assert estimate(FACTS, course(), [pace(**{name: value})]) is None
    assert estimate(FACTS, course(), []) is None


def test_every_fact_is_looked_at() -> None:
    same = {"family", "device", "processes", "tiny_unet", "pixels_per_step"}
    assert {field.name for field in fields(Facts)} == same | set(DOUBTS) == same | set(OTHERS)
    assert all(getattr(FACTS, name) != value for name, value in OTHERS.items())


@pytest.mark.parametrize("name", OTHERS)
def test_a_setting_that_differs_is_named_and_makes_the_range_wider(name: str) -> None:
    same = found(estimate(FACTS, course(), [pace()]))
    other = found(estimate(FACTS, course(), [pace(**{name: OTHERS[name]})]))
    assert len(other.differences) == 1
    assert other.high_s - other.low_s > same.high_s - same.low_s


def test_too_many_differences_are_no_prediction() -> None:
    assert estimate(FACTS, course(), [pace(mixed_precision="no", fp8="fp8_base")]) is None


def test_the_run_that_is_most_alike_is_taken_whatever_its_age() -> None:
    history = [pace(0, step_s=1.0), pace(1, step_s=5.0, optimizer_type="lion"), pace(2, step_s=9.0, attention="")]
    estimated = found(estimate(FACTS, course(), history))
    assert (estimated.step_s, estimated.runs, estimated.newest) == (1.0, 1, "2026-11-01")


def test_of_equal_runs_the_last_five_are_taken() -> None:
    history = [pace(day, step_s=1.0 if day < 5 else 3.0) for day in range(10)]
    estimated = found(estimate(FACTS, course(), history))
    assert (estimated.step_s, estimated.runs, estimated.newest) == (3.0, 5, "2026-11-10")


def test_runs_that_differ_from_each_other_make_the_range_wider() -> None:
    alike = found(estimate(FACTS, course(), [pace(day) for day in range(3)]))
    apart = found(estimate(FACTS, course(), [pace(day, step_s=s) for day, s in enumerate((1.0, 2.0, 4.0))]))
    assert (alike.step_s, apart.step_s) == (2.0, 2.0)
    assert apart.low_s < 1000 * 1.0 + 30 < alike.low_s
    assert apart.high_s > 1000 * 4.0 + 30 > alike.high_s


def test_the_fewer_steps_were_timed_the_wider_is_the_range() -> None:
    widths = []
    for steps in (1, 4, 18, 90, 5000):
        run = pace(steps=steps, low_step_s=2.0, high_step_s=2.0, load_s=0.0)
        estimated = found(estimate(FACTS, course(), [run]))
        widths.append((estimated.high_s - estimated.low_s) / estimated.seconds)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == pytest.approx(0.6)
    assert widths[-1] == pytest.approx(0.06)


def test_what_is_between_the_steps_counts() -> None:
    run = pace(load_s=10.0, caching_s=20.0, cached_px=1e6, epoch_s=1.0, checkpoint_s=3.0, sample_s=7.0, end_s=5.0)
    whole = course(100, epochs=3, checkpoints=4, samples=5, cached_px=2e6)
    estimated = found(estimate(FACTS, whole, [run]))
    assert estimated.start_s == 10 + 2 * 20
    assert estimated.seconds == pytest.approx(100 * 2.0 + 50 + 2 * 1 + 4 * 3 + 5 * 7 + 5)
    assert estimated.left_out == ()


def test_what_no_run_had_is_said() -> None:
    whole = course(100, checkpoints=4, samples=5)
    estimated = found(estimate(FACTS, whole, [pace()]))
    assert estimated.left_out == ("checkpoints", "sample images")
    with_end = found(estimate(FACTS, whole, [pace(end_s=2.0)]))  # the last file is one as well
    assert with_end.left_out == ("sample images",)
    assert with_end.seconds == estimated.seconds + 5 * 2


# --- how it is told


def test_an_estimate_is_told_with_its_range_and_where_it_comes_from() -> None:
    whole = course(3330, samples=2)
    history = [pace(day) for day in (0, 5, 19)]
    assert describe(found(estimate(FACTS, whole, history))) == (
        "about 1 h 52 min (1 h 48 min to 1 h 59 min), from 3 runs on this machine, the last on 2026-11-20, "
        "same settings; sample images not counted"
    )
    larger = replace(FACTS, pixels_per_step=2 * FACTS.pixels_per_step, train_batch_size=4, attention="xformers")
    told = describe(found(estimate(larger, course(), history[:1])))
    assert told.endswith(
        "from a run on this machine on 2026-11-01, same settings but sdpa, train_batch_size 2, scaled by the pixels of "
        "a step (x 2)"
    )
    own = describe(replace(found(estimate(FACTS, course(), history)), is_measured=True))
    assert own.endswith("from a short run of these settings just now")


def test_an_estimate_is_json() -> None:
    values = found(estimate(FACTS, course(), [pace()])).as_json()
    assert json.loads(json.dumps(values)) == values
    assert values["seconds"] == 2030.0


# --- what a plan says


def test_the_facts_are_those_of_the_plan(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        {
            "resolution": "512,512", "train_batch_size": 2, "gradient_accumulation_steps": 2, "max_train_epochs": 4,
            "cache_latents_to_disk": True, "network_train_unet_only": True, "optimizer_type": "Lion",
            "xformers": False, "sdpa": True, "mixed_precision": "no", "network_dim": 8, "save_every_n_epochs": 2,
            "sample_prompts": "prompts.txt", "sample_every_n_epochs": 1, "sample_at_first": True,
        },
    )  # fmt: skip
    # 4 views of 512x512 and 2 of 768x384 (what a picture of 2:1 becomes): 3 batches, 2 steps.
    pictures = dataset(concept(2, (512, 512), (512, 512), (768, 384)))
    plan = make_plan(pictures, settings)
    facts = facts_of(settings, plan, CPU)
    pixels = sum(bucket.width * bucket.height * bucket.images for bucket in plan.buckets)
    assert (plan.steps_per_epoch, facts.pixels_per_step) == (2, pixels / 2)
    assert (facts.family, facts.device, facts.train_batch_size, facts.gradient_accumulation_steps) == (
        "sd15", "cpu", 2, 2,
    )  # fmt: skip
    assert (facts.cache_latents, facts.cache_text_encoder_outputs) == (True, False)
    assert (facts.trained_parts, facts.optimizer_type, facts.attention) == ("unet", "lion", "sdpa")
    assert pixels_to_cache(settings, plan) == pixels / 2  # each picture once
    whole = course_of(settings, plan)
    assert (whole.steps, whole.epochs, whole.checkpoints, whole.samples) == (8, 4, 1, 0)  # there is no prompts.txt
    (tmp_path / "prompts.txt").write_text("a cat\na dog\n", encoding="utf-8")
    assert course_of(settings, plan).samples == 5


def test_latents_that_are_not_cached_cost_nothing_beforehand(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"cache_latents": False})
    assert pixels_to_cache(settings, make_plan(squares(3), settings)) == 0


def test_where_the_device_cannot_be_told_it_is_that_of_the_newest_run(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"mixed_precision": "no"})
    plan = make_plan(squares(3), settings)
    history = [
        replace(pace(day, step_s=step_s), facts=facts_of(settings, plan, device))
        for day, device, step_s in ((0, "mps", 1.0), (1, "cpu", 8.0), (2, "mps", 2.0))
    ]
    assert found(estimate_time(settings, plan, history, "cpu")).step_s == 8.0
    assert found(estimate_time(settings, plan, history, "")).step_s == 1.5
    assert estimate_time(settings, plan, [], "") is None


def test_this_device_is_a_gpus_name_or_the_cpu_or_unknown() -> None:
    from loratpl.config.machine import known_gpu_count, nvidia_gpus

    names = {gpu.name for gpu in nvidia_gpus()}
    if names:
        assert this_device() == " / ".join(sorted(names))
    else:
        assert this_device() == ("" if known_gpu_count() is None else "cpu")


# --- how they are kept


@pytest.fixture
def store(odd_path: Path) -> UserPaths:
    return UserPaths(odd_path / "not there yet")


def test_what_is_kept_is_read_back(store: UserPaths) -> None:
    assert read_paces(store) == ()
    kept = [pace(0), pace(1, end_s=1.5, gpu_peak_bytes=10**10, optimizer_type="prodigy")]
    assert all(append_pace(store, one) for one in kept)
    assert read_paces(store) == tuple(kept)
    assert "schema_version" in json.loads(store.paces_path.read_text(encoding="utf-8").splitlines()[0])


@pytest.mark.parametrize(
    "damaged",
    [
        b"not JSON\n",
        b'{"schema_version": 1}\n',
        b'{"schema_version": 2, "pace": "of a newer version"}\n',
        b"[]\n",
        b"null\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"schema_version": 1, "time": "2026-11-01T12:00:00Z", "fac',  # killed within the line
        b"\n\n",
    ],
)
def test_a_line_that_cannot_be_used_is_passed_over(tmp_path: Path, damaged: bytes) -> None:
    store = UserPaths(tmp_path)
    append_pace(store, pace(0))
    with store.paces_path.open("ab") as file:
        file.write(damaged)
    append_pace(store, pace(1))
    assert read_paces(store) == (pace(0), pace(1))
    assert damaged.strip() in store.paces_path.read_bytes()  # a newer version may still want it


@pytest.mark.parametrize("step_s", ["NaN", "0", "-1", '"fast"', "null", "1e999"])
def test_a_number_that_is_none_is_passed_over(tmp_path: Path, step_s: str) -> None:
    store = UserPaths(tmp_path)
    append_pace(store, pace(step_s=2.5))
    text = store.paces_path.read_text(encoding="utf-8")
    store.paces_path.write_text(text.replace('"step_s": 2.5', f'"step_s": {step_s}', 1), encoding="utf-8")
    assert read_paces(store) == ()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    store = UserPaths(tmp_path)
    append_pace(store, pace(0))
    line = store.paces_path.read_bytes()
    store.paces_path.write_bytes(line * MAX_LINES)
    append_pace(store, pace(7))
    kept = store.paces_path.read_bytes().splitlines()
    assert len(kept) == MAX_LINES
    assert read_paces(store)[-1] == pace(7)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["paces.jsonl"]


@pytest.mark.parametrize("in_the_way", ["paces.jsonl", "paces.lock", "."])
def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, in_the_way: str) -> None:
    store = UserPaths(tmp_path / "home")
    if in_the_way == ".":
        store.root_dir.write_text("a file where the folder should be", encoding="utf-8")
    else:
        (store.root_dir / in_the_way).mkdir(parents=True)
    assert append_pace(store, pace()) is False
    assert read_paces(store) == ()


ADDING = """
import sys
from loratpl.plan.pace.store import append_pace
from loratpl.trainer.paths import UserPaths
from tests.plan.pace.paces import pace
for number in range(25):
    assert append_pace(UserPaths.of_user(), pace(int(sys.argv[1]) * 25 + number))
"""


def test_several_processes_add_at_once_and_nothing_is_lost() -> None:
    children = [subprocess.Popen([sys.executable, "-c", ADDING, str(number)]) for number in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    assert [one.time for one in read_paces(UserPaths.of_user())] == [pace(day).time for day in range(100)]


def test_the_store_lies_where_kohyatpl_home_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert UserPaths.of_user().paces_path == Path(os.environ[HOME_VARIABLE]).resolve() / "paces.jsonl"
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    append_pace(UserPaths.of_user(), pace())
    assert (tmp_path / "paces.jsonl").is_file()


def test_a_full_store_is_read_in_no_time(tmp_path: Path) -> None:
    store = UserPaths(tmp_path)
    append_pace(store, pace())
    store.paces_path.write_bytes(store.paces_path.read_bytes() * MAX_LINES)
    assert len(read_paces(store)) == MAX_LINES
    began = time.process_time()
    read_paces(store)
    assert time.process_time() - began < 0.2
