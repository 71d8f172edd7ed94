"""Two runs side by side."""

from __future__ import annotations

import math
import shutil
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.errors import ProjectError
from loratpl.project import ProjectPaths
from loratpl.report.ledger.comparing import SPARKS, RunComparison, compare_runs, curves_of
from loratpl.report.ledger.events import Curve
from loratpl.run.history import find_run
from tests.given import refusal
from tests.report.ledger.told import a_run, step_events

A, B = "20260102-000000-a", "20260103-000000-b"
CONCEPT: dict[str, Any] = {
    "folder": "10_ohwx cat", "images": 4, "repeats": 10, "is_reg": False, "content_sha256": "a" * 64
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def compared(project: ProjectPaths) -> RunComparison:
    return compare_runs(project, find_run(project, "a"), find_run(project, "b"))


def keys(found: RunComparison) -> list[tuple[str, str, str | None, str | None]]:
    return [(one.what, one.key, one.before, one.now) for one in found.comparison.differences]


def test_the_same_run_twice_differs_in_nothing(odd_path: Path) -> None:
    project = ProjectPaths(odd_path)
    for run_id in (A, B):
        a_run(project, run_id, concepts=[CONCEPT], model_sha256="b" * 64, events=step_events([0.5, 0.25]))
    found = compared(project)
    assert (keys(found), found.comparison.unknown, found.plan) == ([], (), ())
    assert (found.curves.shared_steps, found.curves.mean_difference, found.curves.mean_distance) == (2, 0.0, 0.0)


def test_every_kind_of_difference_is_named(project: ProjectPaths) -> None:
    a_run(project, A, concepts=[CONCEPT], model_sha256="b" * 64, packages={"torch": "2.6"}, system={"gpus": "H100"})
    a_run(
        project, B, {"learning_rate": 0.0002, "network_dim": 32, "output_name": "b"},
        concepts=[{**CONCEPT, "folder": "5_ohwx cat", "repeats": 5, "content_sha256": "c" * 64}],
        model_sha256="d" * 64, packages={"torch": "2.7"}, system={"gpus": "H200"}, pin="e" * 40,
        git={"commit": "f" * 40, "is_dirty": True}, plan={"total_steps": 12}, last_step=12,
    )  # fmt: skip
    found = compared(project)
    assert set(keys(found)) == {
        ("settings", "learning_rate", "0.0001", "0.0002"),
        ("network", "network_dim", "16", "32"),
        ("settings", "output_name", None, "b"),
        ("dataset", "the repeats of image_dir/5_ohwx cat", "10", "5"),
        ("dataset", "the pictures and captions of image_dir/5_ohwx cat", "a" * 12, "c" * 12),
        ("model", "pretrained_model_name_or_path", "b" * 12, "d" * 12),
        ("trainer", "the trainer's commit", "a" * 12, "e" * 12),
        ("environment", "torch", "2.6", "2.7"),
        ("environment", "gpus", "H100", "H200"),
        ("environment", "the project's git commit", None, "f" * 12 + " and changes"),
    }
    harmless = {one.key for one in found.comparison.harmless}
    assert harmless == {"output_name", "torch", "gpus", "the project's git commit"}
    assert [(one.key, one.before, one.now) for one in found.plan] == [
        ("total_steps", "6", "12"), ("last_step", "0", "12"),
    ]  # fmt: skip


def test_concepts_that_came_and_went(project: ProjectPaths) -> None:
    a_run(project, A, concepts=[CONCEPT])
    a_run(project, B, concepts=[{**CONCEPT, "folder": "1_dog", "is_reg": True, "images": 1}])
    assert set(keys(compared(project))) == {
        ("dataset", "image_dir/10_ohwx cat", "4 pictures", None),
        ("dataset", "reg_dir/1_dog", None, "1 picture"),
    }


def test_what_was_not_hashed_is_not_known(project: ProjectPaths) -> None:
    a_run(project, A, concepts=[CONCEPT], model_sha256="b" * 64)
    a_run(project, B, concepts=[{**CONCEPT, "content_sha256": None}])
    model, concept = compared(project).comparison.unknown
    assert model == f"whether the base model owner/name is the same: {B} ended before it was hashed"
    assert concept.startswith("whether image_dir/10_ohwx cat holds the same")


def test_paths_of_a_project_that_was_moved_are_no_difference(project: ProjectPaths, tmp_path: Path) -> None:
    old = project.root_dir
    a_run(project, A, {"train_data_dir": str(old / "image_dir")}, project_dir=str(old))
    moved = ProjectPaths(tmp_path / "moved")
    shutil.move(old, moved.root_dir)
    new = moved.root_dir
    a_run(moved, B, {"train_data_dir": str(new / "image_dir")}, project_dir=str(new))
    assert keys(compared(moved)) == []


def test_buckets_are_compared_in_their_order(project: ProjectPaths) -> None:
    first = [{"width": 512, "height": 512, "images": 2}, {"width": 256, "height": 768, "images": 1}]
    a_run(project, A, plan={"total_steps": 6, "buckets": first})
    a_run(project, B, plan={"total_steps": 6, "buckets": [*reversed(first), "odd", {"width": "x"}]})
    assert compared(project).plan == ()
    a_run(project, "20260104-000000-c", plan={"total_steps": 6, "buckets": first[:1]})
    (planned,) = compare_runs(project, find_run(project, "a"), find_run(project, "c")).plan
    assert (planned.before, planned.now) == ("256x768: 1, 512x512: 2", "512x512: 2")


def test_a_run_without_its_config_is_refused(project: ProjectPaths) -> None:
    a_run(project, A)
    a_run(project, B).config_path.unlink()
    with pytest.raises(ProjectError) as raised:
        compared(project)
    refusal(raised.value, ProjectError, "project.record.config", B)


# --- curves


def curve(points: dict[int, float]) -> Curve:
    average = list(points.values())[-1] if points else None
    return Curve(array("q", points), array("d", points.values()), average)


def test_shared_steps_alone_are_compared() -> None:
    found = curves_of(curve({1: 1.0, 2: math.nan, 3: 3.0, 5: 5.0}), curve({2: 2.0, 3: 2.0, 4: 9.0, 5: 6.0, 9: 1.0}))
    assert (found.shared_steps, found.first_step, found.last_step) == (2, 3, 5)
    assert (found.mean_difference, found.mean_distance) == (0.0, 1.0)
    assert found.average_losses == (5.0, 1.0)
    assert len(found.sparks[0]) == 9
    assert [place for place, value in enumerate(found.sparks[0]) if not math.isnan(value)] == [0, 2, 4]


def test_no_steps_are_no_crash() -> None:
    nothing = curves_of(curve({}), curve({}))
    assert (nothing.shared_steps, nothing.mean_difference, nothing.sparks) == (0, None, ((), ()))
    assert curves_of(curve({}), curve({7: 1.0})).sparks == ((), (1.0,))


losses = st.dictionaries(st.integers(0, 300), st.floats(0, 10) | st.just(math.nan), max_size=60)


@given(losses, losses)
def test_a_comparison_is_the_plain_arithmetic(first: dict[int, float], second: dict[int, float]) -> None:
    first, second = dict(sorted(first.items())), dict(sorted(second.items()))
    found = curves_of(curve(first), curve(second))
    pairs = [second[step] - first[step] for step in first if step in second]
    pairs = [pair for pair in pairs if not math.isnan(pair)]
    assert found.shared_steps == len(pairs)
    if pairs:
        assert found.mean_difference == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
        assert found.mean_distance == pytest.approx(sum(map(abs, pairs)) / len(pairs), abs=1e-12)
    for points, spark in zip((first, second), found.sparks, strict=True):
        known = [value for value in points.values() if not math.isnan(value)]
        drawn = [value for value in spark if not math.isnan(value)]
        assert len(spark) <= SPARKS
        assert bool(known) == bool(drawn)
        assert not drawn or (min(known) - 1e-9 <= min(drawn) and max(drawn) <= max(known) + 1e-9)
