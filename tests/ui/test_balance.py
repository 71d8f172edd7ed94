"""`kohyatpl balance`: what it shows, renames, gives back and refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import filelock
import pytest

from loratpl.project import ProjectPaths
from loratpl.ui.columns import width_of
from tests.command_line import kohyatpl

TEMPLATE = {"10_conceptA": 28, "10_conceptB": 14, "10_conceptC": 14, "10_conceptD": 14}


def _project(
    root_dir: Path, concepts: dict[str, int], config: dict[str, Any] | None = None, reg: dict[str, int] | None = None
) -> Path:
    """Returns a project with so many pictures in each folder, and a config where one is given."""
    root_dir.mkdir(parents=True, exist_ok=True)
    for parent, folders in (("image_dir", concepts), ("reg_dir", reg or {})):
        for name, images in folders.items():
            (root_dir / parent / name).mkdir(parents=True)
            for number in range(images):
                (root_dir / parent / name / f"{number}.png").write_bytes(b"")
    if config is not None:
        (root_dir / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return root_dir


def _files(root_dir: Path) -> list[str]:
    """Returns every file of a project but those of our own."""
    return sorted(
        path.relative_to(root_dir).as_posix()
        for path in root_dir.rglob("*")
        if path.is_file() and ".kohyatpl" not in path.parts
    )


def _names(root_dir: Path, parent: str = "image_dir") -> list[str]:
    return sorted(path.name for path in (root_dir / parent).iterdir())


def test_the_template_of_2023_is_balanced_as_it_says_and_given_back(odd_path: Path) -> None:
    root = _project(odd_path / "my project", TEMPLATE)
    before = _files(root)
    done = kohyatpl("balance", root, "--steps", "5200", "--json")
    assert (done.code, done.envelope["status"], done.envelope["command"]) == (0, "ok", "balance")
    assert _names(root) == ["186_conceptA", "371_conceptB", "371_conceptC", "371_conceptD"]
    data = done.envelope["data"]
    assert {"target", "concepts"} <= set(data)
    assert data["target"] == 5200
    assert data["concepts"][0] == {
        "folder": "10_conceptA",
        "images": 28,
        "weight": 1.0,
        "repeats_before": 10,
        "repeats": 186,
        "new_folder": "186_conceptA",
        "views_per_epoch": 5208,
        "is_reg": False,
    }
    undone = kohyatpl("balance", root, "--undo", "--json")
    assert undone.code == 0
    assert {"folder": "186_conceptA", "new_folder": "10_conceptA"} in undone.envelope["data"]["renamed"]
    assert _files(root) == before


def test_a_person_is_shown_a_table_the_target_and_the_way_back(tmp_path: Path) -> None:
    root = _project(tmp_path / "my project", {"10_a b": 28, "1_b": 14}, reg={"3_cat": 7})
    done = kohyatpl("balance", root, "--steps", "280", "--weight", "b=2")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "concept           images  weight  repeats  views per epoch",
        "image_dir/10_a b      28       1       10              280",
        "image_dir/1_b         14       2   1 → 40              560",
        "reg_dir/3_cat          7       1  3 → 120              840",
        "",
        "Target: 280 views of each concept per epoch, as --steps says.",
        "Worst imbalance: none, every concept has exactly its views.",
        "Regularisation: 840 views by name, all used (concepts: 840).",
        "Steps per epoch: 1680 (1680 batches, batch size 1).",
        "2 folders renamed:",
        "  image_dir/1_b → 40_b",
        "  reg_dir/3_cat → 120_cat",
        f"`kohyatpl balance '{root}' --undo` gives the old names back.",
    ]
    undone = kohyatpl("balance", "--undo", cwd=root)
    assert undone.stdout.splitlines() == [
        "2 folders got the old name back:",
        "  image_dir/40_b → 1_b",
        "  reg_dir/120_cat → 3_cat",
    ]


def test_a_dry_run_shows_the_same_and_changes_nothing(odd_path: Path) -> None:
    root = _project(odd_path / "project", {"10_a": 4, "1_b": 2})
    before = _files(root)
    dry = kohyatpl("balance", root, "--dry-run")
    assert dry.code == 0
    assert "2 folders would be renamed:" in dry.stdout
    assert "--undo" not in dry.stdout
    assert (_files(root), sorted(path.name for path in root.iterdir())) == (before, ["image_dir"])
    data = kohyatpl("balance", root, "--dry-run", "--json").envelope["data"]
    assert kohyatpl("balance", root, "--json").envelope["data"] == data
    assert _names(root) == ["1_a", "2_b"]


def test_a_second_balancing_changes_nothing_and_can_be_undone_no_less(odd_path: Path) -> None:
    root = _project(odd_path / "project", {"10_a": 4, "1_b": 3}, reg={"2_cat": 5})
    before = _files(root)
    kohyatpl("balance", root)
    balanced = _files(root)
    again = kohyatpl("balance", root)
    assert (again.code, _files(root)) == (0, balanced)
    assert again.stdout.splitlines()[-1] == "Already balanced: every folder has the right name."
    assert kohyatpl("balance", root, "--undo").code == 0
    assert _files(root) == before


def test_it_is_undone_once(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"10_a": 4})
    never = kohyatpl("balance", root, "--undo", "--json")
    assert (never.code, never.problem["code"]) == (4, "project.rename.none")
    kohyatpl("balance", root)
    assert kohyatpl("balance", root, "--undo").code == 0
    twice = kohyatpl("balance", root, "--undo", "--json")
    assert (twice.code, twice.problem["code"]) == (4, "project.rename.undone")
    assert _names(root) == ["10_a"]


def test_folders_that_were_changed_since_are_not_touched(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"10_a": 4, "10_b": 2})
    kohyatpl("balance", root)
    (root / "image_dir" / "2_b").rename(root / "image_dir" / "5_b")
    done = kohyatpl("balance", root, "--undo", "--json")
    assert (done.code, done.problem["code"], done.problem["where"]) == (4, "project.rename.missing", "image_dir/2_b")
    assert _names(root) == ["1_a", "5_b"]


# --- the config -----------------------------------------------------------------------------------------------------


def test_the_config_says_where_the_folders_are_and_how_much_of_each(odd_path: Path) -> None:
    block = {"balance": {"steps": 20}, "concepts": {"b": {"weight": 3}}}
    root = _project(odd_path / "project", {}, {"train_data_dir": "cats", "kohyatpl": block})
    _project(root / "x", {"1_a": 5, "1_b": 5, "1_c": 5})
    (root / "x" / "image_dir").rename(root / "cats")
    done = kohyatpl("balance", root, "--weight", "c=0.5")
    assert done.code == 0
    assert _names(root, "cats") == ["12_b", "2_c", "4_a"]
    assert "as kohyatpl.balance.steps in the config says." in done.stdout


@pytest.mark.parametrize(
    "config", [None, {}, {"family": "sd15"}, {"pretrained_model_name_or_path": "nowhere.safetensors"}]
)
def test_neither_a_config_nor_a_base_model_is_needed(tmp_path: Path, config: dict[str, Any] | None) -> None:
    root = _project(tmp_path / "project", {"10_a": 4, "1_b": 2}, config)
    done = kohyatpl("balance", root)
    assert (done.code, done.stderr, _names(root)) == (0, "", ["1_a", "2_b"])


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"lerning_rate": 1}, "config.key.unknown"),
        ({"kohyatpl": {"balance": {"steps": 0}}}, "config.value"),
        ({"family": "nobody"}, "config.family"),
    ],
)
def test_any_other_mistake_in_the_config_is_mended_first(tmp_path: Path, config: dict[str, Any], code: str) -> None:
    root = _project(tmp_path / "project", {"10_a": 4, "1_b": 2}, config)
    done = kohyatpl("balance", root, "--json")
    assert (done.code, done.problem["code"]) == (3, code)
    assert _names(root) == ["10_a", "1_b"]


def test_a_config_that_was_named_must_be_there(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"10_a": 4})
    done = kohyatpl("balance", root, "--config", root / "nowhere.json", "--json")
    assert (done.code, done.problem["code"]) == (3, "config.unreadable")


def test_several_configs_are_not_chosen_from(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"10_a": 4})
    for name in ("one.json", "two.json"):
        (root / name).write_text('{"seed": 1}', encoding="utf-8")
    done = kohyatpl("balance", root, "--json")
    assert (done.code, done.problem["code"], _names(root)) == (4, "project.config.several", ["10_a"])
    assert kohyatpl("balance", root, "--config", root / "two.json").code == 0


def test_the_command_line_wins_over_the_config(tmp_path: Path) -> None:
    block = {"balance": {"max_repeats": 2, "tolerance": 0.5}}
    root = _project(tmp_path / "project", {"1_a": 10, "1_b": 7, "1_c": 1}, {"kohyatpl": block})
    assert kohyatpl("balance", root, "--dry-run", "--json").envelope["data"]["target"] == 10
    found = kohyatpl("balance", root, "--max-repeats", "100", "--tolerance", "0.01", "--json").envelope["data"]
    assert found["target"] == 70
    assert found["worst_imbalance"] <= 0.01
    capped = kohyatpl("balance", root, "--max-repeats", "5", "--steps", "70", "--json")
    assert {item["repeats"] for item in capped.envelope["data"]["concepts"]} == {5}
    assert {problem["code"] for problem in capped.problems} == {"plan.balance.off"}


def test_regularisation_images_follow_what_the_command_line_or_the_config_matches(tmp_path: Path) -> None:
    concepts = {"1_ohwx": 10, "1_a=b": 5, "1_tabby cat": 20}
    block = {"concepts": {"tabby cat": {"match": "animal"}, "ohwx": {"match": "nobody"}}}
    reg = {"1_cat": 5, "1_animal": 5, "1_person": 10}
    root = _project(tmp_path / "project", concepts, {"kohyatpl": block}, reg)
    done = kohyatpl("balance", root, "--steps", "20", "--match", "person=ohwx", "--match", "1_animal=a=b", "--json")
    repeats = {item["folder"]: item["repeats"] for item in done.envelope["data"]["concepts"] if item["is_reg"]}
    assert repeats == {"1_animal": 8, "1_cat": 1, "1_person": 2}
    assert [(problem["code"], problem["where"]) for problem in done.problems] == [
        ("plan.balance.match", "reg_dir/1_cat")
    ]
    plain = kohyatpl("balance", root, "--dry-run", "--json")
    assert {problem["code"] for problem in plain.problems} == {"config.match.unknown", "plan.balance.match"}
    unknown = kohyatpl("balance", root, "--match", "cat=nobody", "--json")
    assert (unknown.code, unknown.problem["code"]) == (2, "usage.match")


# --- weights in folders' names --------------------------------------------------------------------------------------


def test_a_project_without_a_config_gets_one_of_the_weights_and_loses_it_again(odd_path: Path) -> None:
    root = _project(odd_path / "project", {"{2}1_a b": 4, "1_c": 4})
    before = _files(root)
    assert kohyatpl("balance", root).code == 0
    config = json.loads((root / "config.json").read_bytes())
    assert config == {"kohyatpl": {"concepts": {"a b": {"weight": 2}}}}
    assert _names(root) == ["1_c", "2_a b"]
    assert kohyatpl("balance", root).stdout.splitlines()[-1].startswith("Already balanced")
    assert kohyatpl("balance", root, "--undo").code == 0
    assert _files(root) == before


def test_only_the_lines_of_the_weights_are_added_to_the_config(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"{0.5}1_a": 4, "{2}3_b": 2})
    text = b'\xef\xbb\xbf{\r\n    "seed": 1,\r\n    "kohyatpl": {"balance": {"steps": 8}},\r\n    "lowram": false\r\n}'
    (root / "config.json").write_bytes(text)
    (root / "config.json").chmod(0o600)
    dry = kohyatpl("balance", root, "--dry-run")
    assert "to be written to config.json:" in dry.stdout
    assert (root / "config.json").read_bytes() == text
    done = kohyatpl("balance", root, "--json")
    assert done.envelope["data"]["new_weights"] == {"a": 0.5, "b": 2.0}
    added = b', "concepts": {"a": {"weight": 0.5}, "b": {"weight": 2}}'
    assert (root / "config.json").read_bytes() == text.replace(b'"steps": 8}', b'"steps": 8}' + added)
    assert (root / "config.json").stat().st_mode & 0o777 == 0o600
    assert _names(root) == ["1_a", "8_b"]


def test_a_weight_that_the_config_has_already_is_not_written_again(tmp_path: Path) -> None:
    config = {"kohyatpl": {"concepts": {"a": {"weight": 2}}}}
    root = _project(tmp_path / "project", {"{2.0}1_a": 4, "1_b": 4}, config)
    before = (root / "config.json").read_bytes()
    assert kohyatpl("balance", root).code == 0
    assert (_names(root), (root / "config.json").read_bytes()) == (["1_b", "2_a"], before)


def test_weights_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    config = {"kohyatpl": {"concepts": {"a": {"weight": 3}, "1_b": {"weight": 1}, "b": {"weight": 2}}}}
    root = _project(tmp_path / "project", {"{2}1_a": 4, "1_b": 4}, config)
    done = kohyatpl("balance", root, "--json")
    assert done.code == 3
    assert [(problem["code"], problem["where"]) for problem in done.problems] == [
        ("config.weight.differs", "image_dir/1_b"),
        ("config.weight.differs", "image_dir/{2}1_a"),
    ]
    assert _names(root) == ["1_b", "{2}1_a"]


def test_a_weight_by_a_whole_name_goes_on_when_that_has_changed(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"1_a": 4, "1_b": 4}, {"kohyatpl": {"concepts": {"1_a": {"weight": 3}}}})
    for _ in range(2):
        done = kohyatpl("balance", root)
        assert (done.code, done.stderr, _names(root)) == (0, "", ["1_b", "3_a"])
    twins = _project(tmp_path / "twins", {"1_a": 4, "2_a": 8}, {"kohyatpl": {"concepts": {"1_a": {"weight": 3}}}})
    refused = kohyatpl("balance", twins, "--json")
    assert (refused.code, refused.problem["code"]) == (4, "plan.balance.twins")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("c.yaml", b"seed: 1", 'kohyatpl: {concepts: {"a": {weight: 2}}}'),
        ("c.toml", b"seed = 1", 'kohyatpl.concepts."a".weight = 2'),
        ("c.json", '{"seed": 1}'.encode("utf-16"), '"kohyatpl": {"concepts": {"a": {"weight": 2}}}'),
    ],
)
def test_a_config_that_is_no_plain_json_is_not_rewritten_and_its_line_is_shown(
    tmp_path: Path, name: str, content: bytes, line: str
) -> None:
    root = _project(tmp_path / "project", {"{2}1_a": 4, "1_b": 4})
    (root / "config.json").unlink(missing_ok=True)
    (root / name).write_bytes(content)
    done = kohyatpl("balance", root, "--json")
    assert (done.code, done.problem["code"]) == (3, "config.weight.by_hand")
    assert line in done.problem["fix"]
    assert (root / name).read_bytes() == content
    assert _names(root) == ["1_b", "{2}1_a"]


@pytest.mark.parametrize("name", ["{0}1_a", "{5000}1_a", "{2}{3}1_a", "{2}1_{3}a", "{2}", "{x}1_a"])
def test_a_weight_that_is_none_leaves_the_folder_and_says_why(tmp_path: Path, name: str) -> None:
    root = _project(tmp_path / "project", {name: 4, "1_b": 4})
    done = kohyatpl("balance", root, "--json")
    assert (done.code, done.problem["code"], done.problem["where"]) == (
        0,
        "dataset.folder.ignored",
        f"image_dir/{name}",
    )
    assert _names(root) == ["1_b", name]


def test_regularisation_images_have_no_weight(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"1_a": 4}, reg={"{2}1_cat": 4})
    done = kohyatpl("balance", root, "--json")
    assert (done.code, done.problem["code"], _names(root, "reg_dir")) == (0, "dataset.folder.ignored", ["{2}1_cat"])


def test_undoing_leaves_a_config_that_was_edited_since_and_says_so(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"{2}1_a": 4, "1_b": 4}, {"seed": 1})
    kohyatpl("balance", root)
    text = (root / "config.json").read_text(encoding="utf-8").replace('"seed": 1', '"seed": 7')
    (root / "config.json").write_text(text, encoding="utf-8")
    undone = kohyatpl("balance", root, "--undo", "--json")
    assert (undone.code, undone.problem["code"], undone.problem["where"]) == (0, "project.rename.kept", "config.json")
    assert (_names(root), (root / "config.json").read_text(encoding="utf-8")) == (["1_b", "{2}1_a"], text)
    again = kohyatpl("balance", root)  # the config and the name agree
    assert (again.code, _names(root)) == (0, ["1_b", "2_a"])


def test_undoing_works_when_pictures_were_added_and_balancing_again_does_it_again(odd_path: Path) -> None:
    root = _project(odd_path / "project", {"{2}1_a": 4, "9_b": 4}, {})
    kohyatpl("balance", root)
    for folder in ("1_b", "2_a"):
        (root / "image_dir" / folder / "later.png").write_bytes(b"")
    assert kohyatpl("balance", root, "--undo").code == 0
    assert _names(root) == ["9_b", "{2}1_a"]
    assert len(list((root / "image_dir" / "9_b").iterdir())) == 5
    assert kohyatpl("balance", root).code == 0
    assert _names(root) == ["1_b", "2_a"]


# --- links ----------------------------------------------------------------------------------------------------------

links = pytest.mark.skipif(sys.platform == "win32", reason="links take a permission there")


@links
def test_a_concept_that_is_a_link_is_renamed_and_what_it_leads_to_is_not(odd_path: Path) -> None:
    root = _project(odd_path / "project", {"1_b": 4})
    (odd_path / "pictures").mkdir()
    for number in range(2):
        (odd_path / "pictures" / f"{number}.png").write_bytes(b"")
    (root / "image_dir" / "9_a").symlink_to(Path("..", "..", "pictures"))
    assert kohyatpl("balance", root).code == 0
    assert _names(root) == ["1_b", "2_a"]
    assert (root / "image_dir" / "2_a").readlink() == Path("..", "..", "pictures")
    assert len(list((root / "image_dir" / "2_a").iterdir())) == 2
    assert kohyatpl("balance", root, "--undo").code == 0
    assert (root / "image_dir" / "9_a").is_symlink()


@links
@pytest.mark.parametrize("target", ["nowhere", "5_dead"])
def test_a_link_that_leads_nowhere_is_said_and_left(tmp_path: Path, target: str) -> None:
    root = _project(tmp_path / "project", {"7_b": 4})
    (root / "image_dir" / "5_dead").symlink_to(target)
    done = kohyatpl("balance", root, "--json")
    assert (done.code, done.problem["code"], done.problem["where"]) == (0, "dataset.folder.link", "image_dir/5_dead")
    assert _names(root) == ["1_b", "5_dead"]


@links
def test_a_folder_that_a_link_leads_into_is_not_renamed_from_under_it(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"7_b": 4}, reg={"1_c": 2})
    (root / "reg_dir" / "1_b").symlink_to(Path("..", "image_dir", "7_b"))
    done = kohyatpl("balance", root, "--json")
    found = [problem for problem in done.problems if problem["severity"] == "error"]
    assert (done.code, [(problem["code"], problem["where"]) for problem in found]) == (
        4,
        [("plan.balance.link", "reg_dir/1_b")],
    )
    assert _names(root) == ["7_b"]


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--steps", "0"), "usage.steps"),
        (("--steps", "-3"), "usage.steps"),
        (("--steps", "10000001"), "usage.steps"),
        (("--steps", "many"), "usage.arguments"),
        (("--weight", "a"), "usage.weight"),
        (("--weight", "=2"), "usage.weight"),
        (("--weight", "a=much"), "usage.weight"),
        (("--weight", "a=0"), "usage.weight"),
        (("--weight", "a=nan"), "usage.weight"),
        (("--weight", "a=inf"), "usage.weight"),
        (("--weight", "nobody=2"), "usage.weight"),
        (("--max-repeats", "0"), "usage.max_repeats"),
        (("--max-repeats", "-1"), "usage.max_repeats"),
        (("--max-repeats", "few"), "usage.arguments"),
        (("--tolerance", "0"), "usage.tolerance"),
        (("--tolerance", "0.51"), "usage.tolerance"),
        (("--tolerance", "nan"), "usage.tolerance"),
        (("--tolerance", "5%"), "usage.arguments"),
        (("--match", "cat"), "usage.match"),
        (("--match", "=a"), "usage.match"),
        (("--match", "nothing=a"), "usage.match"),
        (("--undo", "--tolerance", "0.1"), "usage.undo"),
        (("--undo", "--match", "cat=a"), "usage.undo"),
        (("--undo", "--steps", "5"), "usage.undo"),
        (("--undo", "--dry-run"), "usage.undo"),
        (("--undo", "--weight", "a=2"), "usage.undo"),
        (("--undo", "--config", "config.json"), "usage.undo"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    root = _project(tmp_path / "project", {"10_a": 4, "1_b": 2})
    done = kohyatpl("balance", root, *arguments, "--json")
    assert (done.code, done.problem["code"]) == (2, code)
    assert done.problem["fix"]
    assert _names(root) == ["10_a", "1_b"]


def test_a_concept_may_have_an_equals_sign_in_its_name(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"1_a=b": 5, "1_c": 5})
    assert kohyatpl("balance", root, "--steps", "10", "--weight", "a=b=2").code == 0
    assert _names(root) == ["2_c", "4_a=b"]


def test_two_folders_of_one_name_stop_it_before_anything_is_renamed(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"1_foo": 5, "3_foo": 5, "7_bar": 5})
    done = kohyatpl("balance", root, "--json")
    assert (done.code, {problem["code"] for problem in done.problems}) == (4, {"plan.balance.name"})
    assert _names(root) == ["1_foo", "3_foo", "7_bar"]


def test_a_name_that_is_taken_is_not_written_over(odd_path: Path) -> None:
    root = _project(odd_path / "project", {"5_a": 4, "3_b": 2, "1_a": 0})
    done = kohyatpl("balance", root, "--json")
    assert done.code == 4
    assert {problem["code"] for problem in done.problems} == {"project.rename.exists"}
    assert _names(root) == ["1_a", "3_b", "5_a"]


def test_a_folder_without_a_number_is_left_with_a_warning(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", {"10_a": 4, "notes": 2})
    done = kohyatpl("balance", root)
    assert (done.code, _names(root)) == (0, ["1_a", "notes"])
    assert done.stderr.startswith("warning: image_dir/notes is left as it is")


@pytest.mark.parametrize("arguments", [(), ("--undo",)])
def test_a_project_that_is_being_worked_on_is_busy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    root = _project(tmp_path / "project", {"10_a": 4})
    project = ProjectPaths(root)
    project.hidden_dir.mkdir()
    with filelock.FileLock(project.lock_path):
        done = kohyatpl("balance", root, *arguments, "--json")
        assert (done.code, done.problem["code"]) == (7, "run.busy")
        assert kohyatpl("balance", root, "--dry-run").code == 0
    assert _names(root) == ["10_a"]


# --- a rename that was interrupted ----------------------------------------------------------------------------------


def _interrupted(root_dir: Path, *, phase: str = "parking", is_undo: bool = False) -> Path:
    """Returns a project as a kill leaves it: "10_a" shall become "1_a", and so it has where `phase` is placing."""
    root = _project(root_dir, {"10_a": 4, "1_b": 2})
    folder = root / "image_dir"
    (folder / "10_a").rename(folder / (".kohyatpl-0-0" if phase == "parking" else "1_a"))
    moves = [{"source": "image_dir/10_a", "parked": "image_dir/.kohyatpl-0-0", "target": "image_dir/1_a"}]
    active = {"moves": moves, "is_undo": is_undo, "phase": phase}
    (root / ".kohyatpl").mkdir()
    journal = {"version": 1, "active": active, "finished": None}
    ProjectPaths(root).journal_path.write_text(json.dumps(journal), encoding="utf-8")
    return root


def test_an_interrupted_rename_is_recovered_first_and_told(odd_path: Path) -> None:
    root = _interrupted(odd_path / "project")
    done = kohyatpl("balance", root, "--json")
    assert (done.code, done.problem["code"], done.problem["severity"]) == (0, "project.rename.recovered", "warning")
    assert "names from before it are back" in done.problem["message"]
    assert [concept["folder"] for concept in done.envelope["data"]["concepts"]] == ["10_a", "1_b"]
    assert _names(root) == ["1_a", "2_b"]


def test_it_is_told_as_well_when_the_balancing_cannot_go_on(tmp_path: Path) -> None:
    root = _interrupted(tmp_path / "project")
    done = kohyatpl("balance", root, "--weight", "nobody=2", "--json")
    assert (done.code, [problem["code"] for problem in done.problems]) == (
        2,
        ["project.rename.recovered", "usage.weight"],
    )
    assert _names(root) == ["10_a", "1_b"]


@pytest.mark.parametrize(
    ("phase", "is_undo", "expected"),
    [
        ("parking", False, ["10_a", "1_b"]),  # rolled back: that is undone
        ("placing", False, ["10_a", "1_b"]),  # it had been whole, and is undone now
        ("placing", True, ["1_a", "1_b"]),  # the undoing itself had been whole
    ],
)
def test_undoing_an_interrupted_rename_gives_the_old_names_back_and_no_older_ones(
    tmp_path: Path, phase: str, is_undo: bool, expected: list[str]
) -> None:
    root = _interrupted(tmp_path / "project", phase=phase, is_undo=is_undo)
    done = kohyatpl("balance", root, "--undo", "--json")
    assert (done.code, done.problem["code"]) == (0, "project.rename.recovered")
    assert _names(root) == expected


def test_a_dry_run_reports_an_interrupted_rename_and_leaves_it(tmp_path: Path) -> None:
    root = _interrupted(tmp_path / "project")
    done = kohyatpl("balance", root, "--dry-run", "--json")
    assert (done.code, done.problem["code"]) == (4, "project.rename.interrupted")
    assert "kohyatpl balance --undo" in done.problem["fix"]
    assert _names(root) == [".kohyatpl-0-0", "1_b"]


@pytest.mark.parametrize("command", ["check", "plan", "render"])
def test_commands_that_change_nothing_report_it_and_leave_it(tmp_path: Path, command: str) -> None:
    root = _interrupted(tmp_path / "project")
    (root / "config.json").write_text("{}", encoding="utf-8")
    done = kohyatpl(command, root, "--json")
    assert "project.rename.interrupted" in {problem["code"] for problem in done.problems}
    assert done.code in (3, 4)  # there is no base model either
    assert _names(root) == [".kohyatpl-0-0", "1_b"]


@pytest.mark.parametrize(("phase", "names"), [("parking", ["10_a", "1_b"]), ("placing", ["1_a", "1_b"])])
def test_a_run_puts_the_names_in_order_first_and_says_so(odd_path: Path, phase: str, names: list[str]) -> None:
    root = _interrupted(odd_path / "project", phase=phase)
    (root / "config.json").write_text("{}", encoding="utf-8")
    done = kohyatpl("run", root, "--json")
    assert (done.code, done.problems[0]["code"]) == (3, "project.rename.recovered")
    assert _names(root) == names


def test_a_run_leaves_renames_alone_that_somebody_is_at(tmp_path: Path) -> None:
    root = _interrupted(tmp_path / "project")
    with filelock.FileLock(ProjectPaths(root).lock_path):
        done = kohyatpl("run", root, "--json")
    assert (done.code, done.problem["code"]) == (7, "run.busy")
    assert _names(root) == [".kohyatpl-0-0", "1_b"]


# --- the terminal ---------------------------------------------------------------------------------------------------


def test_names_that_are_long_wide_or_odd_stay_in_their_column(tmp_path: Path) -> None:
    names = ["1_" + "long " * 30 + "x", "1_日本語の概念" * 3, "1_n\u0303andu\u0301", "1_a\nb"]
    root = _project(tmp_path / "project", dict.fromkeys(names, 2))
    lines = kohyatpl("balance", root, "--steps", "20").stdout.splitlines()
    ends = {width_of(line) for line in lines[:5]}
    assert len(ends) == 1
    assert "image_dir/1_a\\nb" in lines[1]
    assert all(line.endswith(("views per epoch", "20")) for line in lines[:5])
