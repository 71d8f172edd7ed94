"""`kohyatpl new`: lays out a project, and never touches what is there."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from loratpl.config.families import FAMILIES
from tests.command_line import kohyatpl
from tests.stand_in import StandIn, oddest, write_picture, write_safetensors


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_project_is_laid_out(odd_path: Path) -> None:
    root = odd_path / "cats"
    write_safetensors(odd_path / "model.safetensors", {"a": [1.0]})
    done = kohyatpl(
        "new", root, "--json", "--concept", "ohwx cat", "--concept", "zwx 犬", "--reg", "cat",
        "--model", odd_path / "model.safetensors",
    )  # fmt: skip
    assert done.code == 0
    assert done.envelope["data"] == {
        "project": str(root.resolve()),
        "config": str(root.resolve() / "config.json"),
        "concepts": ["1_ohwx cat", "1_zwx 犬"],
    }
    assert {"image_dir/1_ohwx cat", "image_dir/1_zwx 犬", "reg_dir/1_cat", "log", "output", "config.json"} <= set(
        tree(root)
    )
    config = json.loads((root / "config.json").read_text(encoding="utf-8"))
    assert config["family"] == "sd15"
    assert config["output_name"] == "cats"
    assert config["pretrained_model_name_or_path"] == str((odd_path / "model.safetensors").resolve())


def test_what_new_lays_out_can_be_trained_as_it_says(tmp_path: Path, stand_in: StandIn) -> None:
    odd_path = oddest(tmp_path)
    root = odd_path / "my cats"
    write_safetensors(odd_path / "model.safetensors", {"a": [1.0]})
    done = kohyatpl("new", root, "--concept", "ohwx cat", "--model", odd_path / "model.safetensors")
    said = dict(line.strip().split(maxsplit=1) for line in done.stdout.splitlines()[1:])
    write_picture(root / "image_dir" / "1_ohwx cat" / "1.png")
    assert shlex.split(said["then:"])[:2] == ["kohyatpl", "run"]
    run = kohyatpl(*shlex.split(said["then:"])[1:])
    assert run.code == 0, run.stderr
    assert (root / "output" / "my cats.safetensors").is_file()


def test_a_person_is_told_what_comes_next(tmp_path: Path) -> None:
    done = kohyatpl("new", "cats", "--concept", "ohwx cat", "--model", "owner/name", cwd=tmp_path)
    assert done.code == 0
    assert done.stdout.splitlines() == [
        f"{tmp_path.resolve() / 'cats'} is laid out.",
        "  pictures and captions go into image_dir/1_ohwx cat/",
        "  settings are in config.json",
        "  then: kohyatpl run cats",
    ]
    assert done.stderr == ""


def test_without_a_model_the_line_to_set_is_named(tmp_path: Path) -> None:
    done = kohyatpl("new", tmp_path / "cats")
    assert done.code == 0
    assert "warning: The config names no base model yet." in done.stderr
    assert 'fix: Set `"pretrained_model_name_or_path"` in config.json.' in done.stderr


def test_without_a_concept_an_example_is_named(tmp_path: Path) -> None:
    done = kohyatpl("new", tmp_path / "cats", "--model", "owner/name")
    assert "image_dir/10_ohwx cat" in done.stdout
    assert list((tmp_path / "cats" / "image_dir").iterdir()) == []


def test_an_empty_folder_is_filled_also_as_the_current_one(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    assert kohyatpl("new", ".", "--model", "owner/name", cwd=tmp_path / "cats").code == 0
    config = json.loads((tmp_path / "cats" / "config.json").read_text(encoding="utf-8"))
    assert config["output_name"] == "cats"


@pytest.mark.parametrize("occupant", ["picture.png", "image_dir/1_a b/1.png", ".hidden", "config.json"])
def test_an_occupied_folder_is_left_as_it_is(tmp_path: Path, occupant: str) -> None:
    odd_path = oddest(tmp_path)
    root = odd_path / "cats"
    (root / occupant).parent.mkdir(parents=True)
    (root / occupant).write_bytes(b"mine")
    before = tree(root)
    done = kohyatpl("new", root, "--json")
    assert done.code == 4
    assert done.problem["code"] == "project.exists"
    assert done.problem["message"] == f"{root} is not empty; `new` never writes over what is there."
    assert done.problem["fix"]
    assert tree(root) == before
    assert (root / occupant).read_bytes() == b"mine"


def test_a_file_in_the_place_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "cats").write_bytes(b"mine")
    done = kohyatpl("new", tmp_path / "cats", "--json")
    assert (done.code, done.problem["code"]) == (4, "project.exists")
    assert str(tmp_path / "cats") in done.problem["message"]
    assert (tmp_path / "cats").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("option", "name"),
    [
        *(
            ("--concept", name)
            for name in ("", " ", "a/b", "a\\b", "a:b", "a*", 'a"b', "a\nb", " ohwx", "ohwx ", "ohwx.")
        ),
        ("--reg", "a/b"),
    ],
)
def test_a_name_that_cannot_be_a_folder_everywhere_is_refused(tmp_path: Path, option: str, name: str) -> None:
    done = kohyatpl("new", tmp_path / "cats", "--json", option, "good name", option, name)
    assert done.code == 4
    assert done.problem["code"] == "project.concept.name"
    assert repr(name) in done.problem["message"]
    assert done.problem["where"] == name
    assert not (tmp_path / "cats").exists()


@pytest.mark.parametrize(
    ("option", "value", "code", "known"),
    [
        ("--family", "sd9", "usage.family", list(FAMILIES)),
        ("--family", "sdxl", "usage.family", list(FAMILIES)),
        ("--family", "", "usage.family", list(FAMILIES)),
        ("--template", "sdxl", "usage.template", ["project"]),
        ("--template", "../../templates/projects/project", "usage.template", ["project"]),
    ],
)
def test_what_is_not_known_is_refused_with_what_is(
    tmp_path: Path, option: str, value: str, code: str, known: list[str]
) -> None:
    done = kohyatpl("new", tmp_path / "cats", "--json", option, value)
    assert done.code == 2
    assert (done.problem["code"], done.problem["where"]) == (code, option)
    assert repr(value) in done.problem["message"]
    assert all(name in done.problem["fix"] for name in known)
    assert not (tmp_path / "cats").exists()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_that_is_known_can_be_had(tmp_path: Path, family: str) -> None:
    done = kohyatpl("new", tmp_path / "cats", "--family", family, "--model", "owner/name")
    assert (done.code, done.stderr) == (0, "")
    assert f"family  {family}  " in kohyatpl("config", "show", tmp_path / "cats").stdout


def test_a_model_beside_the_caller_is_found_from_the_project(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"a": [1.0]})
    assert kohyatpl("new", "cats", "--model", "model.safetensors", cwd=tmp_path).code == 0
    assert kohyatpl("config", "show", "cats", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    "names",
    [("ohwx cat", "ohwx cat"), ("ohwx cat", "x" * 300)],
    ids=["twice", "longer than a file's name may be"],
)
def test_a_project_that_cannot_be_laid_out_leaves_nothing_behind(tmp_path: Path, names: tuple[str, ...]) -> None:
    concepts = [word for name in names for word in ("--concept", name)]
    done = kohyatpl("new", tmp_path / "cats", "--json", *concepts)
    assert done.code == 4
    assert names[-1] in done.problem["message"]
    assert done.problem["code"] == "project.concept.name"
    assert not (tmp_path / "cats").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    done = kohyatpl("new", tmp_path / "file" / "cats", "--json")
    assert (done.code, done.problem["code"]) == (4, "project.write")
    assert str(tmp_path / "file" / "cats") in done.problem["message"]
