"""From a folder to a plan, or to everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.config.machine import known_gpu_count, nvidia_gpus
from loratpl.errors import ConfigError, ExitCode, KohyatplError, ProjectError
from loratpl.project import open_project
from loratpl.render.prepare import Prepared, judge, load_settings, prepare
from tests.given import refusal
from tests.stand_in import make_trainable_project, stand_in_config, write_picture


def _prepared(root: Path, *, config: Path | None = None, overrides: list[tuple[str, Any]] | None = None) -> Prepared:
    return prepare(open_project(root), config, overrides or [])


def test_a_project_becomes_a_plan(odd_path: Path) -> None:
    root = make_trainable_project(odd_path / "project")
    prepared = _prepared(root)
    assert prepared.project.root_dir == root
    assert (prepared.plan.train_images, prepared.plan.total_steps) == (2, 6)
    assert prepared.warnings == ()
    assert _prepared(root, overrides=[("max_train_steps", 3)]).plan.total_steps == 3


def test_the_output_is_called_like_the_project(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "my cats", output_name=None)
    assert _prepared(root).settings["output_name"] == "my cats"


def test_all_problems_come_at_once_and_the_lowest_exit_code_wins(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project", network_dim="big", nonsense_key=1)
    (root / "image_dir" / "1_ohwx cat" / "broken.png").write_bytes(b"")
    (root / "image_dir" / "cats").mkdir()
    write_picture(root / "image_dir" / "cats" / "1.png")
    with pytest.raises(KohyatplError) as caught:
        _prepared(root)
    assert type(caught.value) is ConfigError
    assert caught.value.exit_code is ExitCode.CONFIG
    assert {problem.code for problem in caught.value.problems} == {
        "config.value",
        "config.key.unknown",
        "dataset.folder.ignored",
        "dataset.image.unreadable",
    }


def test_what_the_plan_finds_comes_with_the_rest(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project", network_dim="big", train_batch_size=0)
    with pytest.raises(KohyatplError) as caught:
        _prepared(root)
    named = "\n".join(problem.message for problem in caught.value.problems)
    assert "network_dim" in named
    assert "train_batch_size" in named


def test_problems_of_the_dataset_alone_are_the_projects(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project")
    for picture in (root / "image_dir" / "1_ohwx cat").iterdir():
        picture.unlink()
    with pytest.raises(ProjectError) as caught:
        _prepared(root)
    assert "dataset.empty" in {problem.code for problem in caught.value.problems}


def test_a_length_that_is_given_twice_is_a_warning(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project", max_train_epochs=5)
    prepared = _prepared(root, overrides=[("max_train_steps", 3)])
    (warning,) = prepared.warnings
    assert (warning.code, warning.severity, warning.where) == (
        "config.steps.ignored",
        "warning",
        "--set max_train_steps",
    )
    assert "max_train_steps is 3 and max_train_epochs is 5" in warning.message
    assert prepared.plan.total_steps == 10
    assert _prepared(root, overrides=[("max_train_steps", 3), ("max_train_epochs", None)]).plan.total_steps == 3


def test_what_this_machine_cannot_train_is_found_with_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    nvidia_gpus.cache_clear()
    if known_gpu_count() is None:
        pytest.skip("this machine may have GPUs that only torch can tell of")
    root = make_trainable_project(tmp_path / "project", mixed_precision="bf16", nonsense_key=1)
    with pytest.raises(ConfigError) as caught:
        _prepared(root)
    nvidia_gpus.cache_clear()
    assert [problem.code for problem in caught.value.problems] == ["config.key.unknown", "machine.precision"]


@pytest.mark.parametrize(
    ("changes", "gpu_count", "codes", "steps"),
    [
        ({}, 0, [], 6),
        ({"pretrained_model_name_or_path": None}, 0, ["config.model.missing"], 6),
        ({"mixed_precision": "bf16"}, 0, ["machine.precision"], 6),
        ({"mixed_precision": "bf16"}, 1, [], 6),
        ({"nonsense_key": 1}, 0, ["config.key.unknown"], None),
        ({"train_batch_size": 0}, 0, ["config.value"], None),
    ],
)
def test_there_is_a_plan_unless_something_stands_against_it(
    tmp_path: Path, changes: dict[str, Any], gpu_count: int, codes: list[str], steps: int | None
) -> None:
    root = make_trainable_project(tmp_path / "project", **changes)
    judged = judge(open_project(root), gpu_count=lambda: gpu_count)
    assert [problem.code for problem in judged.problems] == codes
    assert (judged.plan and judged.plan.total_steps) == steps


def test_a_plan_can_be_asked_for_with_another_number_of_processes(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project", kohyatpl={"launch": {"processes": 1}}, max_train_epochs=3)
    judged = judge(open_project(root), processes=2, gpu_count=lambda: 0)
    assert judged.plan is not None
    assert (judged.plan.processes, judged.plan.batches_per_epoch, judged.plan.total_steps) == (2, 2, 3)
    assert [problem.severity for problem in judged.problems] == ["warning"]


def test_a_project_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        load_settings(open_project(tmp_path), None)
    refusal(caught.value, ProjectError, "project.config.missing", "config.json", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [("my.json", '{"network_dim": 4}'), ("MY.JSON", '{"family": "sd15"}'), ("a b.json", '{"kohyatpl": {}}')],
)
def test_the_one_file_with_known_keys_is_the_config(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "other.json").write_text('{"$schema": "x", "name": 1}', encoding="utf-8")
    (tmp_path / "broken.json").write_text('{"name": ', encoding="utf-8")
    (tmp_path / "image_dir.json").mkdir()
    settings, _ = load_settings(open_project(tmp_path), None)
    assert settings.base_dir == tmp_path


def test_several_files_that_could_be_the_config_are_named(tmp_path: Path) -> None:
    for name in ("b.json", "a.json"):
        (tmp_path / name).write_text('{"network_dim": 4}', encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        load_settings(open_project(tmp_path), None)
    refusal(caught.value, ProjectError, "project.config.several", "a.json, b.json", '--config "a.json"')


def test_a_config_that_is_named_wins(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project")
    other = tmp_path / "elsewhere" / "other.json"
    other.parent.mkdir()
    other.write_text('{"network_dim": 4}', encoding="utf-8")
    settings, _ = load_settings(open_project(root), other)
    assert settings["network_dim"] == 4
    assert settings.path("train_data_dir") == tmp_path / "elsewhere" / "image_dir"


def test_a_config_that_is_named_from_the_current_folder_can_be_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_trainable_project(tmp_path / "project")
    (root / "config.json").rename(root / "other.json")
    monkeypatch.chdir(root)
    prepared = _prepared(Path(), config=Path("other.json"))
    # The trainer runs in a folder of its own.
    assert all(concept.folder.is_absolute() for concept in prepared.plan.dataset.concepts)
    assert Path(prepared.settings["output_dir"]) == root / "output"


def test_a_folder_of_regularisation_images_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project", reg_data_dir="regs")
    with pytest.raises(KohyatplError) as caught:
        _prepared(root)
    assert any("regs" in problem.message for problem in caught.value.problems)


def test_a_folder_of_regularisation_images_that_nobody_named_may_be_missing(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project")
    (root / "reg_dir").rmdir()
    assert _prepared(root).plan.reg_images == 0


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        _prepared(tmp_path / "missing")
    problem = refusal(caught.value, ProjectError, "project.missing", str(tmp_path / "missing"))
    assert "kohyatpl new" in problem.fix


def test_the_config_of_the_stand_in_is_one_that_nothing_is_wrong_with(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project")
    _, problems = load_settings(open_project(root), None)
    assert problems == ()
    assert stand_in_config(tmp_path)["max_train_steps"] == 6
