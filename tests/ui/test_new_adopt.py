"""`kohyatpl new --adopt`: a tree of kohya_ss becomes a project where it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import kohyatpl
from tests.dataset.intake.given import contents
from tests.stand_in import StandIn, oddest, write_picture, write_safetensors


def make_tree(root: Path, *folders: str) -> Path:
    """Returns a tree with a picture in each of these folders."""
    for folder in folders:
        (root / folder).mkdir(parents=True)
        write_picture(root / folder / "1.png")
    return root


def test_a_tree_of_kohya_ss_becomes_a_project(odd_path: Path) -> None:
    root = make_tree(odd_path / "tree", "img/10_ohwx cat", "img/3_zwx dog", "reg/1_cat")
    write_safetensors(odd_path / "model.safetensors", {"a": [1.0]})
    before = contents(root)
    done = kohyatpl("new", "--adopt", root, "--json", "--model", odd_path / "model.safetensors")
    assert (done.code, done.problems) == (0, [])
    assert done.envelope["data"] == {
        "project": str(root.resolve()),
        "config": str(root.resolve() / "config.json"),
        "concepts": ["10_ohwx cat", "3_zwx dog"],
        "taken": 0,
        "captions_written": 0,
        "left_out": [],
        "renamed": [],
    }
    config = json.loads((root / "config.json").read_text(encoding="utf-8"))
    assert {key: config[key] for key in ("train_data_dir", "reg_data_dir", "output_dir", "logging_dir")} == {
        "train_data_dir": "img", "reg_data_dir": "reg", "output_dir": "model", "logging_dir": "log",
    }  # fmt: skip
    ours = {"config.json", ".kohyatpl/config.schema.json"}
    assert {path: text for path, text in contents(root).items() if path not in ours} == before
    assert (root / "model").is_dir()
    assert (root / "log").is_dir()
    plan = kohyatpl("plan", root, "--json").envelope["data"]
    assert {item["folder"]: item["repeats"] for item in plan["concepts"]} == {
        "10_ohwx cat": 10, "3_zwx dog": 3, "1_cat": 1,
    }  # fmt: skip
    assert kohyatpl("check", root).code == 0


@pytest.mark.parametrize("folders", [("img/10_ohwx cat",), ("image_dir/10_ohwx cat",), ("10_ohwx cat",)])
def test_what_was_adopted_can_be_balanced_and_trained(tmp_path: Path, stand_in: StandIn, folders: tuple[str]) -> None:
    root = make_tree(oddest(tmp_path) / "tree", *folders)
    write_safetensors(tmp_path / "model.safetensors", {"a": [1.0]})
    assert kohyatpl("new", "--adopt", root, "--model", tmp_path / "model.safetensors").code == 0
    assert kohyatpl("balance", root, "--steps", "2").code == 0
    run = kohyatpl("run", root)
    assert run.code == 0, run.stderr
    assert len(list(root.glob("*/tree.safetensors"))) == 1


def test_a_person_is_told_which_folder_is_which(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", "img/10_ohwx cat")
    done = kohyatpl("new", "--adopt", "tree", "--model", "a/b", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        f"{tmp_path.resolve() / 'tree'} is a project now; nothing in it was moved.",
        "  concepts: 1 folder in img/",
        "  regularisation images: none",
        "  logs go into log/, LoRAs into model/",
        "  settings are in config.json",
        "  then: kohyatpl check tree",
    ]
    assert done.stderr == ""


def test_a_tree_without_a_model_is_adopted_with_the_line_to_set(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", "img/10_ohwx cat")
    done = kohyatpl("new", "--adopt", tmp_path / "tree", "--json")
    assert (done.code, done.problem["code"]) == (0, "config.model.missing")


def test_captions_of_the_trainer_s_own_kind_are_read(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree", "img/10_ohwx cat")
    (root / "img" / "10_ohwx cat" / "1.caption").write_text("a cat", encoding="utf-8")
    assert kohyatpl("new", "--adopt", root).code == 0
    assert json.loads((root / "config.json").read_text(encoding="utf-8"))["caption_extension"] == ".caption"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "no JSON at all"),
        ("last.json", '{"network_dim": 8}'),
        ("gui.json", '{"LoRA_type": "Standard", "output_name": "x", "max_resolution": "512,512"}'),
    ],
)
def test_a_config_that_is_there_is_named_and_stays(tmp_path: Path, name: str, text: str) -> None:
    root = make_tree(tmp_path / "tree", "img/10_ohwx cat")
    (root / name).write_text(text, encoding="utf-8")
    before = contents(root)
    done = kohyatpl("new", "--adopt", root, "--json")
    assert (done.code, done.problem["code"]) == (4, "project.exists")
    assert name in done.problem["message"]
    assert "kohyatpl check" in done.problem["fix"]
    assert contents(root) == before
    assert not (root / "log").exists()


def test_another_json_file_is_no_config(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree", "img/10_ohwx cat")
    (root / "notes.json").write_text('{"mine": 1}', encoding="utf-8")
    assert kohyatpl("new", "--adopt", root).code == 0


def test_the_classic_mistake_is_explained(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree", "img/10_ohwx cat")
    done = kohyatpl("new", "--adopt", root / "img" / "10_ohwx cat", "--json")
    assert (done.code, done.problem["code"]) == (4, "project.adopt.leaf")
    assert not (root / "img" / "10_ohwx cat" / "config.json").exists()


def test_there_must_be_a_tree(tmp_path: Path) -> None:
    done = kohyatpl("new", "--adopt", tmp_path / "missing", "--json")
    assert (done.code, done.problem["code"]) == (4, "project.missing")


@pytest.mark.parametrize(
    "words",
    [("--concept", "a"), ("--reg", "a"), ("--flat", "."), ("--link",), ("--caption", "x"), ("--trigger",),
     ("--template", "project")],
)  # fmt: skip
def test_nothing_else_is_laid_out_beside(tmp_path: Path, words: tuple[str, ...]) -> None:
    root = make_tree(tmp_path / "tree", "img/10_ohwx cat")
    done = kohyatpl("new", "--adopt", root, "--json", *words)
    assert (done.code, done.problem["code"]) == (2, "usage.adopt")
    assert words[0] in done.problem["message"]
    assert not (root / "config.json").exists()
