"""Repeats: the arithmetic and its laws, and what is read from the folders for it."""

from __future__ import annotations

import math
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.balance import (
    BalancedFolder,
    BalancedProject,
    balance_project,
    repeats_for,
    smallest_epoch,
    smallest_target,
)
from loratpl.balance.arithmetic import is_within
from loratpl.config.block import MAX_WEIGHT, MIN_WEIGHT, Block
from loratpl.dataset.scan import picture_paths, scan
from loratpl.errors import ExitCode, KohyatplError, ProjectError, UsageError
from loratpl.journal import rename_all, undo
from loratpl.project import ProjectPaths
from tests.given import only, refusal, resolved

TOLERANCE = Block().balance.tolerance
COUNTS = st.integers(1, 20_000)
WEIGHTS = st.floats(MIN_WEIGHT, MAX_WEIGHT)
FEW_DEMANDS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([1.0, 1.0, 2.0, 0.5, 0.3, 1.7])), min_size=1, max_size=6
)
needs_permissions = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="this user may read everything"
)


# --- the arithmetic -------------------------------------------------------------------------------------------------


def test_the_example_of_the_template_of_2023() -> None:
    assert [repeats_for(5200, 1.0, images) for images in (28, 14, 14, 14)] == [186, 371, 371, 371]


@pytest.mark.parametrize(
    ("views", "weight", "images", "repeats"),
    [(1000, 1.0, 7, 143), (5, 1.0, 2, 2), (7, 1.0, 2, 4), (10, 1.0, 400, 1), (10, 2.0, 5, 4), (10, 0.1, 5, 1)],
)
def test_repeats_are_rounded_as_python_rounds_and_never_below_one(
    views: int, weight: float, images: int, repeats: int
) -> None:
    assert repeats_for(views, weight, images) == repeats


@given(st.integers(1, 10_000_000), WEIGHTS, COUNTS)
def test_views_are_off_by_half_a_round_of_the_pictures_at_most(steps: int, weight: float, images: int) -> None:
    views = repeats_for(steps, weight, images) * images
    assert views == images or abs(views - steps * weight) <= images / 2 * (1 + 1e-9)


@given(st.integers(1, 100_000), st.integers(0, 1000), WEIGHTS, COUNTS, COUNTS)
def test_more_steps_or_fewer_pictures_never_mean_fewer_repeats(
    steps: int, more: int, weight: float, images: int, others: int
) -> None:
    assert repeats_for(steps + more, weight, images) >= repeats_for(steps, weight, images)
    few, many = sorted((images, others))
    assert repeats_for(steps, weight, few) >= repeats_for(steps, weight, many)


@given(st.integers(1, 100_000), WEIGHTS, COUNTS, st.integers(1, 50))
def test_a_cap_on_the_repeats_is_kept(steps: int, weight: float, images: int, cap: int) -> None:
    assert repeats_for(steps, weight, images, cap) == min(cap, repeats_for(steps, weight, images))


@given(st.integers(1, 1_000_000), WEIGHTS, COUNTS, st.none() | st.integers(1, 50))
def test_views_are_held_off_by_one_repeat_or_the_cap_alone(
    steps: int, weight: float, images: int, cap: int | None
) -> None:
    repeats = repeats_for(steps, weight, images, cap)
    if repeats > 1 and repeats != cap:
        assert abs(repeats * images - steps * weight) <= images / 2 * (1 + 1e-9)
    assert repeats * images >= images


@given(st.integers(1, 100_000), st.integers(1, 8), COUNTS)
def test_weights_scale(steps: int, weight: int, images: int) -> None:
    """So much more weight is so many times the views, as near as whole repeats come to it."""
    one, more = repeats_for(steps, 1.0, images), repeats_for(steps, float(weight), images)
    assert more == repeats_for(steps * weight, 1.0, images)
    if one > 1:
        assert abs(more - one * weight) <= (weight + 1) / 2


@given(st.lists(st.tuples(COUNTS, WEIGHTS), min_size=1, max_size=20), st.sampled_from([0.001, 0.02, 0.05, 0.3, 0.5]))
@settings(deadline=None)
def test_the_target_that_is_found_is_within_the_tolerance_of_all(
    demands: list[tuple[int, float]], tolerance: float
) -> None:
    target = smallest_target(demands, tolerance)
    assert target is not None
    for images, weight in demands:
        assert is_within(repeats_for(target, weight, images) * images, target, weight, tolerance)
    assert target >= smallest_epoch(demands)
    bound = max(images / weight for images, weight in demands) / (2 * tolerance)
    assert target <= math.ceil(bound * (1 + 1e-9)) + 1


@given(FEW_DEMANDS, st.sampled_from([0.02, 0.05, 0.1, 0.5]), st.none() | st.integers(1, 12))
@settings(deadline=None)
def test_no_smaller_target_would_do(demands: list[tuple[int, float]], tolerance: float, cap: int | None) -> None:
    def fits(target: int) -> bool:
        return all(is_within(n * repeats_for(target, w, n, cap), target, w, tolerance) for n, w in demands)

    start = smallest_epoch(demands)
    found = smallest_target(demands, tolerance, cap)
    end = math.ceil(start / (2 * tolerance)) + 2 if found is None else found
    assert not any(map(fits, range(start, end)))
    assert found is None or fits(found)


def test_large_folders_take_no_time() -> None:
    generator = random.Random(1)
    for _ in range(20):
        demands = [(generator.randint(1, 20_000), generator.choice([1.0, 0.5, 1.7])) for _ in range(20)]
        start = time.perf_counter()
        smallest_target(demands, TOLERANCE)
        assert time.perf_counter() - start < 0.05


@pytest.mark.parametrize(
    ("counts", "target"), [((28, 14, 14, 14), 28), ((10,), 10), ((10, 7), 20), ((1, 20_000), 20_000), ((3, 3), 3)]
)
def test_the_smallest_epoch_that_is_balanced(counts: tuple[int, ...], target: int) -> None:
    assert smallest_target([(images, 1.0) for images in counts], TOLERANCE) == target


# --- the folders ----------------------------------------------------------------------------------------------------


def _project(root_dir: Path, concepts: dict[str, int], reg: dict[str, int] | None = None) -> ProjectPaths:
    """Returns a project with so many pictures, which nobody could open, in each folder."""
    project = ProjectPaths(root_dir)
    for parent, folders in ((project.image_dir, concepts), (project.reg_dir, reg or {})):
        for name, images in folders.items():
            (parent / name).mkdir(parents=True)
            for number in range(images):
                (parent / name / f"{number}.png").write_bytes(b"")
    return project


def _balance(project: ProjectPaths, block: dict[str, Any] | None = None, **wanted: Any) -> BalancedProject:
    found = Block.model_validate(block or {})
    return balance_project(project, project.image_dir, project.reg_dir, found, **wanted)


def _refused(project: ProjectPaths, **wanted: Any) -> KohyatplError:
    with pytest.raises(KohyatplError) as caught:
        _balance(project, **wanted)
    return caught.value


def _new_names(balanced: BalancedProject) -> list[str]:
    return [item.new_folder for item in balanced.folders]


def test_the_folders_of_the_template_are_called_as_it_says(odd_path: Path) -> None:
    project = _project(odd_path, {"10_conceptA": 28, "10_conceptB": 14, "10_conceptC": 14, "371_conceptD": 14})
    balanced = _balance(project, steps=5200)
    assert _new_names(balanced) == ["186_conceptA", "371_conceptB", "371_conceptC", "371_conceptD"]
    assert [item.target.name for item in balanced.renames] == ["186_conceptA", "371_conceptB", "371_conceptC"]
    assert (balanced.target, balanced.warnings) == (5200, ())


def test_programs_are_told_what_the_design_promises(tmp_path: Path) -> None:
    project = _project(tmp_path, {"10_a": 4, "7": 2}, {"3_class": 6})
    assert _balance(project, {"concepts": {"a": {"weight": 2}}}, steps=8).as_json() == {
        "target": 8,
        "worst_imbalance": 0.0,
        "new_weights": {},
        "concepts": [
            {
                "folder": "10_a", "images": 4, "weight": 2.0, "repeats_before": 10, "repeats": 4, "new_folder": "4_a",
                "views_per_epoch": 16, "is_reg": False,
            },
            {
                "folder": "7", "images": 2, "weight": 1.0, "repeats_before": 7, "repeats": 4, "new_folder": "4_",
                "views_per_epoch": 8, "is_reg": False,
            },
            {
                "folder": "3_class", "images": 6, "weight": 1.0, "repeats_before": 3, "repeats": 4,
                "new_folder": "4_class", "views_per_epoch": 24, "is_reg": True,
            },
        ],
    }  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 40)), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 40)), max_size=3),
    st.none() | st.integers(1, 300),
)
@settings(deadline=None, max_examples=25)
def test_balancing_twice_changes_nothing_and_undoing_restores(
    tmp_path_factory: pytest.TempPathFactory,
    concepts: list[tuple[int, int]],
    reg: list[tuple[int, int]],
    steps: int | None,
) -> None:
    root = tmp_path_factory.mktemp("balance")
    project = _project(
        root,
        {f"{repeats}_c {number}": images for number, (repeats, images) in enumerate(concepts)},
        {f"{repeats}_r_{number}": images for number, (repeats, images) in enumerate(reg)},
    )
    before = sorted(path.relative_to(root) for path in root.rglob("*.png"))
    first = _balance(project, steps=steps)
    rename_all(project.journal_path, first.renames)
    second = _balance(project, steps=steps)
    assert second.renames == ()
    assert second.target == first.target
    assert sorted(_new_names(second)) == sorted(_new_names(first))
    if steps is None:
        wanted = {item.views_per_epoch for item in second.folders if not item.is_reg}
        assert max(wanted) <= min(wanted) * (1 + TOLERANCE) / (1 - TOLERANCE)
    if first.renames:
        undo(project.journal_path)
    assert sorted(path.relative_to(root) for path in root.rglob("*.png")) == before


@pytest.mark.parametrize(
    ("name", "new_name"),
    [
        ("10_ohwx cat", "4_ohwx cat"),
        ("10_ñandú 日本 😀", "4_ñandú 日本 😀"),
        ("10__two_under__scores_", "4__two_under__scores_"),
        ("10_  blanks", "4_  blanks"),
        ("10_it's a {2} $HOME %s", "4_it's a {2} $HOME %s"),
        ("1_0_k", "4_0_k"),
        ("+3_x", "4_x"),
        ("7", "4_"),
        ("4_x", "4_x"),
        ("004_x", "004_x"),
        ("+4_x", "+4_x"),
        ("４_x", "４_x"),
    ],
)
def test_class_tokens_stay_as_they_are_written(odd_path: Path, name: str, new_name: str) -> None:
    balanced = _balance(_project(odd_path, {name: 2}), steps=8)
    assert _new_names(balanced) == [new_name]
    rename_all(ProjectPaths(odd_path).journal_path, balanced.renames)
    assert _new_names(_balance(ProjectPaths(odd_path), steps=8)) == [new_name]


def test_pictures_are_counted_as_the_trainer_counts_them(tmp_path: Path) -> None:
    project = _project(tmp_path, {"1_a": 2})
    folder = project.image_dir / "1_a"
    for name in ("A.PNG", "b.jpeg", "no.gif", "no.Png", ".hidden.png", "a.txt"):
        (folder / name).write_bytes(b"")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "1.png").write_bytes(b"")
    assert _balance(project).folders[0].images == len(list(picture_paths(folder))) == 4


@pytest.mark.parametrize(("name", "images"), [("notes", 0), ("a cat", 2), ("0_x", 2), ("-1_x", 2), ("3_empty", 0)])
@pytest.mark.parametrize("parent", ["image_dir", "reg_dir"])
def test_a_folder_that_cannot_be_balanced_is_left_and_named(
    odd_path: Path, parent: str, name: str, images: int
) -> None:
    folders: dict[str, dict[str, int]] = {"image_dir": {"1_a": 2}, "reg_dir": {}}
    folders[parent][name] = images
    project = _project(odd_path, folders["image_dir"], folders["reg_dir"])
    balanced = _balance(project)
    problem = only(balanced.warnings)
    code = "dataset.folder.empty" if name == "3_empty" else "dataset.folder.ignored"
    assert (problem.code, problem.severity, problem.where) == (code, "warning", f"{parent}/{name}")
    assert [item.folder.name for item in balanced.folders] == ["1_a"]
    # It is what the trainer uses and no more.
    dataset = scan(project.image_dir, project.reg_dir)
    assert [concept.folder.name for concept in dataset.concepts] == ["1_a"]
    assert dataset.ignored[0].reason in problem.message


def test_hidden_folders_and_files_are_not_worth_a_word(tmp_path: Path) -> None:
    project = _project(tmp_path, {"1_a": 2, ".cache": 1})
    (project.image_dir / "list.txt").write_text("", encoding="utf-8")
    assert _balance(project).warnings == ()


@pytest.mark.parametrize("concepts", [{}, {"1_a": 0}, {"cat": 3}])
def test_a_project_without_a_concept_is_an_error(odd_path: Path, concepts: dict[str, int]) -> None:
    error = _refused(_project(odd_path, concepts))
    assert isinstance(error, ProjectError)
    assert "dataset.empty" in {problem.code for problem in error.problems}


@needs_permissions
def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    project = _project(tmp_path, {"1_a": 2, "1_b": 2})
    (project.image_dir / "1_b").chmod(0)
    try:
        error = _refused(project)
    finally:
        (project.image_dir / "1_b").chmod(0o755)
    refusal(error, ProjectError, "dataset.folder.unreadable", "image_dir/1_b")


def test_two_folders_that_would_get_one_name_are_both_named(odd_path: Path) -> None:
    error = _refused(_project(odd_path, {"1_foo": 5, "3_foo": 5, "1_bar": 5}), steps=50)
    assert isinstance(error, ProjectError)
    assert [(p.code, p.where) for p in error.problems] == [
        ("plan.balance.name", "image_dir/1_foo"),
        ("plan.balance.name", "image_dir/3_foo"),
    ]
    assert error.exit_code is ExitCode.PROJECT


def test_the_same_tokens_in_two_folders_of_another_size_are_fine(tmp_path: Path) -> None:
    balanced = _balance(_project(tmp_path, {"1_foo": 5, "3_foo": 10}, {"1_foo": 5}), steps=50)
    assert _new_names(balanced) == ["10_foo", "5_foo", "20_foo"]


def test_a_folder_that_holds_the_reg_dir_is_not_renamed(tmp_path: Path) -> None:
    project = _project(tmp_path, {"1_a": 2, "1_b": 4})
    inner = project.image_dir / "1_a" / "reg"
    inner.mkdir()
    with pytest.raises(ProjectError) as caught:
        balance_project(project, project.image_dir, inner, Block())
    refusal(caught.value, ProjectError, "plan.balance.nested", "image_dir/1_a")


# --- target and weights ---------------------------------------------------------------------------------------------


def test_the_command_line_wins_over_the_config_and_that_over_the_search(tmp_path: Path) -> None:
    project = _project(tmp_path, {"1_a": 4, "1_b": 2})
    block = {"balance": {"steps": 40}}
    found = [_balance(project, block, steps=80), _balance(project, block), _balance(project)]
    assert [balanced.target for balanced in found] == [80, 40, 4]
    assert [("--steps" in b.reason, "balance.steps" in b.reason, "5 %" in b.reason) for b in found] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_a_concept_is_called_by_its_tokens_or_its_whole_name(tmp_path: Path) -> None:
    project = _project(tmp_path, {"1_a b": 10, "1_c": 10, "1_d": 10, "2_d": 5})
    block = {"concepts": {"a b": {"weight": 2}, "1_c": {"weight": 0.5}, "2_d": {"weight": 3.0}}}
    weights = [item.weight for item in _balance(project, block, steps=100, weights={"d": 4}).folders]
    assert weights == [2.0, 0.5, 4.0, 4.0]


def test_views_follow_the_weights(tmp_path: Path) -> None:
    balanced = _balance(_project(tmp_path, {"1_a": 10, "1_b": 10, "1_c": 20}), weights={"a": 2.0, "c": 0.5})
    assert [item.views_per_epoch for item in balanced.folders] == [80, 40, 20]
    assert balanced.target == 40


def test_a_weight_for_nobody_is_refused_on_the_command_line_and_noted_in_the_config(tmp_path: Path) -> None:
    project = _project(tmp_path, {"1_a": 2, "1_b": 2}, {"1_class": 2})
    refusal(_refused(project, weights={"class": 2}), UsageError, "usage.weight", "'class'", "a, b")
    problem = only(_balance(project, {"concepts": {"kat": {"weight": 2}}}).warnings)
    assert (problem.code, problem.severity, problem.where) == (
        "config.concept.unknown",
        "warning",
        "kohyatpl.concepts.kat",
    )


def test_views_that_whole_repeats_cannot_bring_near_the_target_are_named(tmp_path: Path) -> None:
    balanced = _balance(_project(tmp_path, {"1_a": 400, "1_b": 10}), steps=100)
    problem = only(balanced.warnings)
    assert (problem.code, problem.where) == ("plan.balance.off", "image_dir/1_a")
    assert "400 views per epoch" in problem.message
    assert "300 % off the 100" in problem.message


def test_a_cap_that_nothing_can_be_balanced_under_gives_the_smallest_epoch_and_says_so(tmp_path: Path) -> None:
    balanced = _balance(_project(tmp_path, {"1_a": 100, "1_b": 10}), {"balance": {"max_repeats": 4}})
    assert (balanced.target, _new_names(balanced)) == (100, ["1_a", "4_b"])
    assert "4 repeats at most" in balanced.reason
    problem = only(balanced.warnings)
    assert (problem.code, problem.where) == ("plan.balance.off", "image_dir/1_b")
    assert "max_repeats" in problem.fix


@pytest.mark.parametrize(
    ("reg", "names"),
    [
        ({"1_cat": 10}, ["5_cat"]),
        ({"1_CAT": 10}, ["5_CAT"]),
        ({"1_cat": 10, "7_dog": 25}, ["5_cat", "4_dog"]),
        ({"1_cat": 10, "7_coon_cat": 25}, ["5_cat", "2_coon_cat"]),
        ({"1_cat": 5, "2_cat": 25}, ["5_cat", "1_cat"]),  # one class in two folders: half of its views each
        ({"5_cat": 1000, "1_oon cat": 10}, ["1_oon cat", "1_cat"]),
        ({"1_person": 30}, ["5_person"]),  # the only class there is
        ({"3_person": 30, "2_bird": 1}, ["2_bird", "3_person"]),
    ],
)
def test_regularisation_images_follow_the_concepts_of_their_class(
    tmp_path: Path, reg: dict[str, int], names: list[str]
) -> None:
    concepts = {"1_ohwx cat": 10, "1_Maine Coon, dog": 5, "1_zwx_dog": 50, "1_maine coon cat": 50}
    if "coon cat" not in " ".join(reg).replace("_", " "):
        del concepts["1_maine coon cat"]
    project = _project(tmp_path, concepts, reg)
    balanced = _balance(project, steps=50)
    assert [item.new_folder for item in balanced.folders if item.is_reg] == names


# --- the config -----------------------------------------------------------------------------------------------------


def test_a_weight_may_be_a_whole_number(tmp_path: Path) -> None:
    block = {"concepts": {"ohwx cat": {"weight": 2}}, "balance": {"steps": 5, "tolerance": 0.1, "max_repeats": 3}}
    found, problems = resolved(tmp_path, {"kohyatpl": block})
    assert problems == ()
    assert found.block.concepts["ohwx cat"].weight == 2.0
    assert (found.block.balance.steps, found.block.balance.tolerance, found.block.balance.max_repeats) == (5, 0.1, 3)


@pytest.mark.parametrize(
    "block",
    [
        {"balance": {"steps": 0}},
        {"balance": {"steps": 1.5}},
        {"balance": {"steps": "5"}},
        {"balance": {"tolerance": 0}},
        {"balance": {"tolerance": 1}},
        {"balance": {"max_repeats": 0}},
        {"balance": {"stesp": 5}},
        {"concepts": {"a": {"weight": 0}}},
        {"concepts": {"a": {"weight": -1}}},
        {"concepts": {"a": {"weight": True}}},
        {"concepts": {"a": {"weight": "2"}}},
        {"concepts": {"a": {"wieght": 2}}},
        {"concepts": {"a": 2}},
    ],
)
def test_what_balance_cannot_use_is_refused(tmp_path: Path, block: dict[str, Any]) -> None:
    problem = only(resolved(tmp_path, {"kohyatpl": block})[1])
    assert problem.code.startswith("config.")
    assert f"kohyatpl.{next(iter(block))}" in problem.message


def test_an_infinite_weight_is_refused(tmp_path: Path) -> None:
    assert only(resolved(tmp_path, {"kohyatpl": {"concepts": {"a": {"weight": 10**400}}}})[1]).code == "config.value"


def test_a_folder_that_is_right_keeps_its_name() -> None:
    folder = BalancedFolder(Path("p/007_a"), "a", 3, 1.0, 7, 7, is_reg=False)
    assert (folder.new_folder, folder.views_per_epoch) == ("007_a", 21)
    assert BalancedProject(21, "", (folder,), (), {}).renames == ()
