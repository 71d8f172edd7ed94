"""The settings of an earlier run used again: the same training, also where the project lies elsewhere by now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import ProjectError
from loratpl.project import ProjectPaths, RunPaths, open_project
from loratpl.records import RunRecord
from loratpl.render.prepare import load_settings, prepare
from loratpl.render.renderer import config_of, render, write
from loratpl.run.again import project_dir_then, re_anchored, recorded_settings
from tests.given import refusal
from tests.run.earlier_runs import FIRST_ID, a_record, make_run
from tests.stand_in import StandIn, make_trainable_project


def train(root_dir: Path, stand_in: StandIn) -> tuple[ProjectPaths, RunPaths, RunRecord]:
    """Returns a project that was trained as it is, as far as files and record go."""
    project = open_project(root_dir)
    prepared = prepare(project)
    paths = make_run(project, project_dir=str(project.root_dir.resolve()))
    write(render(prepared.settings, prepared.plan, stand_in.paths, paths), prepared.settings, paths)
    return project, paths, a_record(project_dir=str(project.root_dir.resolve()))


def again(project: ProjectPaths, paths: RunPaths, record: RunRecord) -> dict[str, Any]:
    """Returns what is trained when a run's settings are used again."""
    recorded = recorded_settings(project, paths, record)
    settings, problems = load_settings(project, recorded.config_path, recorded.overrides)
    assert problems == ()
    return config_of(settings)


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"network_dim": 4, "metadata_title": "ñandú"}, {"save_every_n_epochs": False, "save_precision": False},
        {"reg_data_dir": False}, {"cache_latents": False, "sdpa": False}, {"preset": "sd15-anime"},
        {"max_train_epochs": 2, "max_train_steps": None}, {"network_args": ["conv_dim=4"]},
        {"kohyatpl": {"concepts": {"ohwx cat": {"flip_aug": True}}, "env": {"A": "b"}}},
    ],
)  # fmt: skip
def test_the_settings_are_those_of_the_run(tmp_path: Path, stand_in: StandIn, changes: dict[str, Any]) -> None:
    project, paths, record = train(make_trainable_project(tmp_path / "project", **changes), stand_in)
    before = json.loads(paths.config_path.read_text(encoding="utf-8"))
    project.config_path.write_text('{"network_dim": 64}', encoding="utf-8")  # what the project says now does not count
    now = again(project, paths, record)
    assert {k: v for k, v in now.items() if v is not None} == {k: v for k, v in before.items() if v is not None}


def test_settings_of_the_command_line_go_after_them(tmp_path: Path, stand_in: StandIn) -> None:
    project, paths, record = train(make_trainable_project(tmp_path / "project", save_every_n_epochs=False), stand_in)
    recorded = recorded_settings(project, paths, record)
    overrides = (*recorded.overrides, ("output_name", "second"), ("save_every_n_epochs", 1))
    settings, problems = load_settings(project, recorded.config_path, overrides)
    assert problems == ()
    assert (settings["output_name"], settings["save_every_n_epochs"]) == ("second", 1)


@pytest.mark.parametrize("is_copy", [True, False])
def test_a_project_that_moved_is_trained_where_it_is(odd_path: Path, stand_in: StandIn, is_copy: bool) -> None:
    old_dir = make_trainable_project(odd_path / "old" / "project", sample_prompts="prompts.txt")
    (old_dir / "prompts.txt").write_text("a cat", encoding="utf-8")
    project, paths, record = train(old_dir, stand_in)
    new_dir = odd_path / "new"
    if is_copy:
        shutil.copytree(old_dir, new_dir)
    else:
        old_dir.rename(new_dir)
    project = open_project(new_dir)
    paths = project.run(paths.run_id)
    recorded = recorded_settings(project, paths, record)
    assert recorded.moved_from is not None
    now = again(project, paths, record)
    assert now["train_data_dir"] == str(new_dir.resolve() / "image_dir")
    assert now["output_dir"] == str(new_dir.resolve() / "output")
    assert now["sample_prompts"] == str(new_dir.resolve() / "prompts.txt")
    assert now["pretrained_model_name_or_path"] == str(odd_path / "old" / "model.safetensors")  # outside: stays
    assert prepare(project, recorded.config_path, recorded.overrides).plan.train_images == 2


def test_a_project_that_stayed_says_nothing_of_paths(tmp_path: Path, stand_in: StandIn) -> None:
    project, paths, record = train(make_trainable_project(tmp_path / "project"), stand_in)
    recorded = recorded_settings(project, paths, record)
    assert recorded.moved_from is None
    assert not {"train_data_dir", "output_dir"} & dict(recorded.overrides).keys()


def test_a_link_to_the_project_is_the_project(tmp_path: Path, stand_in: StandIn) -> None:
    project, paths, record = train(make_trainable_project(tmp_path / "project"), stand_in)
    (tmp_path / "link").symlink_to(project.root_dir, target_is_directory=True)
    linked = ProjectPaths(tmp_path / "link")
    assert recorded_settings(linked, linked.run(paths.run_id), record).moved_from is None


# --- where the project was


def test_an_old_record_has_the_folder_in_its_command(tmp_path: Path) -> None:
    argv = ["python", "entry.py", "--config_file", f"/a/cats/log/{FIRST_ID}/train.toml", "--dataset_config", "x"]
    assert str(project_dir_then(a_record(argv=argv))) == "/a/cats"
    windows = ["python", "--config_file", f"C:\\cats\\log\\{FIRST_ID}\\train.toml", "--dataset_config", "x"]
    assert str(project_dir_then(a_record(argv=windows))) == "C:\\cats"


@pytest.mark.parametrize(
    "argv", [[], ["--config_file"], ["--config_file", "train.toml"], ["--config_file", "/a/train.toml"]]
)
def test_a_record_that_does_not_tell_moves_nothing(tmp_path: Path, stand_in: StandIn, argv: list[str]) -> None:
    project, paths, _ = train(make_trainable_project(tmp_path / "project"), stand_in)
    record = a_record(argv=argv)
    assert project_dir_then(record) is None
    assert recorded_settings(project, paths, record).moved_from is None


def test_a_project_of_windows_is_found_here() -> None:
    old_dir = project_dir_then(a_record(project_dir="C:\\Users\\ann\\cats"))
    assert old_dir is not None
    new_dir = Path("/home/ann/cats")
    assert re_anchored("c:\\users\\ann\\Cats\\image_dir", old_dir, new_dir) == str(new_dir / "image_dir")
    assert re_anchored("D:\\models\\a.safetensors", old_dir, new_dir) == "D:\\models\\a.safetensors"
    assert re_anchored("C:\\Users\\ann\\cats\\..\\dogs", old_dir, new_dir) == "C:\\Users\\ann\\cats\\..\\dogs"
    assert re_anchored(["C:\\Users\\ann\\cats\\a", "owner/name", 7], old_dir, new_dir) == [
        str(new_dir / "a"), "owner/name", 7,
    ]  # fmt: skip


# --- a config that is none


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "is missing"), ("{", "is damaged"), ("[1]", "is damaged"), ("\0\0", "is damaged"), ("[" * 100_000, "is")],
)
def test_a_config_that_cannot_be_read_is_told(tmp_path: Path, text: str | None, words: str) -> None:
    project = ProjectPaths(tmp_path / "project")
    paths = make_run(project)
    if text is not None:
        paths.config_path.write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError) as raised:
        recorded_settings(project, paths, a_record())
    where = f"log/{paths.run_id}/config.json"
    refusal(raised.value, ProjectError, "project.record.config", where, words, "`kohyatpl run`")
