"""A project folder as the 2023 template lays it out: its config has the GUI's keys and another machine's folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loratpl.project import open_project
from loratpl.render.prepare import load_settings
from tests.command_line import kohyatpl
from tests.config.gui.test_keys import FIRST_GENERATION
from tests.stand_in import StandIn, write_picture, write_safetensors

CONFIG_NAME = "config_v1_cats.json"
FOLDERS = {"train_data_dir": "image_dir", "reg_data_dir": "reg_dir", "output_dir": "output", "logging_dir": "log"}


def make_old_project(root: Path, **changed: Any) -> Path:
    """Returns a project like a clone of the template, with a model and pictures."""
    for number, folder in enumerate((*FOLDERS.values(), "image_dir/1_ohwx cat", "reg_dir/1_cat")):
        (root / folder).mkdir(parents=True)
        if "/" in folder:
            write_picture(root / folder / "1.png", number)
            write_picture(root / folder / "2.png", number + 10)
    write_safetensors(root / "base.safetensors", {"a": [1.0]})
    values = {
        **FIRST_GENERATION,
        **{key: f"C:\\nowhere here\\lora\\{name}" for key, name in FOLDERS.items()},
        "pretrained_model_name_or_path": "base.safetensors",
        "max_resolution": "64,64",
        "output_name": "cats",
        # What needs a GPU, which a machine that runs tests does not have.
        "xformers": False,
        "use_8bit_adam": False,
        **changed,
    }
    (root / CONFIG_NAME).write_text(json.dumps(values, indent=2), encoding="utf-8")
    return root


def test_a_file_with_keys_of_the_gui_alone_is_a_config(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('{"shopping": ["milk"]}', encoding="utf-8")
    (tmp_path / "old.json").write_text('{"max_resolution": "768", "epoch": "3"}', encoding="utf-8")
    settings, _ = load_settings(open_project(tmp_path), None)
    assert (settings["resolution"], settings["max_train_epochs"]) == ("768", 3)


def test_a_clone_of_the_template_opens_as_it_is(odd_path: Path, stand_in: StandIn) -> None:
    root = make_old_project(odd_path / "clone", min_bucket_reso=64)
    done = kohyatpl("check", root, "--json")
    assert done.code == 0
    problems = done.envelope["problems"]
    assert {problem["code"] for problem in problems if problem["severity"] == "error"} == set()
    elsewhere = [problem["where"] for problem in problems if problem["code"] == "config.path.elsewhere"]
    assert sorted(where.partition(": ")[2] for where in elsewhere) == sorted(FOLDERS)
    plan = kohyatpl("plan", root, "--json").envelope["data"]
    assert (plan["train_images"], plan["reg_images"], plan["epochs"]) == (2, 2, 1)
    options = kohyatpl("render", root, "--json").envelope["data"]["options"]
    steps = int(0.1 * plan["total_steps"])  # the share as the plan has it
    assert (options["lr_warmup_steps"], options["max_train_epochs"]) == (steps, 1)
    assert Path(options["output_dir"]) == root / "output"
    assert not {"max_resolution", "epoch", "lr_warmup", "use_8bit_adam", "model_list"} & options.keys()


def test_a_clone_of_the_template_trains(odd_path: Path, stand_in: StandIn) -> None:
    root = make_old_project(odd_path / "clone", min_bucket_reso=64, epoch="3")
    done = kohyatpl("run", root, "--json")
    assert done.code == 0, done.stdout
    assert (root / "output" / "cats.safetensors").is_file()


@pytest.mark.parametrize("empty", ["", None])
def test_no_regularisation_folder_is_no_error_and_uses_none(tmp_path: Path, empty: str | None) -> None:
    root = make_old_project(tmp_path / "clone", min_bucket_reso=64, reg_data_dir=empty)
    assert kohyatpl("check", root).code == 0
    assert kohyatpl("plan", root, "--json").envelope["data"]["reg_images"] == 0


def test_config_show_names_the_key_and_line_of_the_file(tmp_path: Path) -> None:
    root = make_old_project(tmp_path / "clone")
    lines = (root / CONFIG_NAME).read_text(encoding="utf-8").splitlines()
    number = 1 + [line.partition(":")[0].strip() for line in lines].index('"lr_warmup"')
    place = f"{CONFIG_NAME} line {number}: lr_warmup"
    rows = {row.split()[0]: row for row in kohyatpl("config", "show", root).stdout.splitlines() if row}
    assert rows["lr_warmup_steps"].endswith(place)
    assert rows["network_dim"].endswith(f" {CONFIG_NAME}")
    data = kohyatpl("config", "show", root, "--json").envelope["data"]
    expected = {"value": 0.1, "source": CONFIG_NAME, "where": place}
    assert expected.items() <= data["options"]["lr_warmup_steps"].items()
    assert data["kohyatpl"]["launch"]["threads"] == 2
