"""`kohyatpl new`: lays out a project, and never touches what is there."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from loratpl.config.families import FAMILIES, Family
from loratpl.weights import base_model_family
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
        "taken": 0,
        "captions_written": 0,
        "left_out": [],
        "renamed": [],
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


def test_several_concepts_are_balanced_first(tmp_path: Path) -> None:
    done = kohyatpl("new", "my cats", "--concept", "a", "--concept", "b", "--model", "owner/name", cwd=tmp_path)
    assert done.stdout.splitlines()[-2:] == ["  balance: kohyatpl balance 'my cats'", "  then: kohyatpl run 'my cats'"]


def test_a_name_that_starts_like_repeats_is_not_taken_for_them(tmp_path: Path) -> None:
    done = kohyatpl(
        "new", tmp_path / "cats", "--json", "--model", "a/b", "--concept", "10_ohwx cat", "--reg", "4x4 car"
    )
    assert done.code == 0
    assert done.envelope["data"]["concepts"] == ["1_10_ohwx cat"]
    assert done.problem["code"] == "project.concept.repeats"
    assert "rename the folder 1_10_ohwx cat to `10_ohwx cat`" in done.problem["fix"]


@pytest.mark.parametrize("family", ["sd15", "sd2"])
def test_the_template_of_2023_is_a_project_with_its_own_config(tmp_path: Path, family: str) -> None:
    root = tmp_path / "cats"
    write_safetensors(tmp_path / "model.safetensors", {"a": [1.0]})
    done = kohyatpl(
        "new", root, "--json", "--template", "lora-concepts-2023", "--family", family, "--concept", "ohwx cat",
        "--reg", "cat", "--model", tmp_path / "model.safetensors",
    )  # fmt: skip
    assert (done.code, done.problems) == (0, [])
    assert done.envelope["data"]["config"] == str(root.resolve() / "config_v1_example.json")
    assert not (root / "config.json").exists()
    write_picture(root / "image_dir" / "1_ohwx cat" / "1.png")
    assert (root / "reg_dir" / "1_cat").is_dir()
    config = json.loads((root / "config_v1_example.json").read_text(encoding="utf-8"))
    assert (config["v2"], config["output_name"]) == (family == "sd2", "cats")
    plan = kohyatpl("plan", root, "--json")
    assert plan.code == 0, plan.stdout
    assert plan.envelope["data"]["total_steps"] == 10


def test_the_template_of_2023_can_be_trained(tmp_path: Path, stand_in: StandIn) -> None:
    root = oddest(tmp_path) / "my cats"
    write_safetensors(tmp_path / "model.safetensors", {"a": [1.0]})
    words = ("--template", "lora-concepts-2023", "--concept", "ohwx cat", "--model", tmp_path / "model.safetensors")
    assert kohyatpl("new", root, *words).code == 0
    write_picture(root / "image_dir" / "1_ohwx cat" / "1.png")
    run = kohyatpl("run", root)
    assert run.code == 0, run.stderr
    assert (root / "output" / "my cats.safetensors").is_file()


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
        ("--family", "pony", "usage.family", [*FAMILIES, "Did you mean sdxl?"]),
        ("--family", "", "usage.family", list(FAMILIES)),
        ("--template", "sdxl", "usage.template", ["lora-concepts-2023", "project"]),
        ("--template", "", "usage.template", ["project"]),
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


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_family_can_be_had_and_says_what_it_needs(tmp_path: Path, family: Family) -> None:
    done = kohyatpl("new", tmp_path / "cats", "--json", "--family", family.name, "--model", "owner/name")
    assert done.code == 0
    assert [problem["where"] for problem in done.problems] == [companion.option for companion in family.companions]
    config = json.loads((tmp_path / "cats" / "config.json").read_text(encoding="utf-8"))
    assert config["family"] == family.name
    assert all(config[companion.option] == "" for companion in family.companions)


@pytest.mark.parametrize("family", ["sdxl", "flux"])
def test_the_settings_of_2023_are_refused_to_later_families(tmp_path: Path, family: str) -> None:
    done = kohyatpl("new", tmp_path / "cats", "--json", "--family", family, "--template", "lora-concepts-2023")
    assert (done.code, done.problem["code"]) == (2, "usage.family")
    assert not (tmp_path / "cats").exists()


@pytest.mark.parametrize(("words", "family"), [((), "sdxl"), (("--family", "sd15"), "sd15")])
def test_the_family_is_the_model_s_unless_it_is_given(tmp_path: Path, words: tuple[str, ...], family: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text(
        '{"_class_name": "StableDiffusionXLPipeline"}', encoding="utf-8"
    )
    assert base_model_family(tmp_path / "model") == "sdxl"
    assert kohyatpl("new", tmp_path / "cats", "--model", tmp_path / "model", *words).code == 0
    assert json.loads((tmp_path / "cats" / "config.json").read_text(encoding="utf-8"))["family"] == family


def test_a_model_that_is_needed_beside_the_base_model_is_named_with_its_key(tmp_path: Path) -> None:
    done = kohyatpl("new", tmp_path / "cats", "--json", "--family", "flux", "--model", "owner/name")
    assert {problem["code"] for problem in done.problems} == {"config.model.missing"}
    assert '`"ae"` in config.json' in done.problems[-1]["fix"]


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
