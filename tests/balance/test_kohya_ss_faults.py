"""Layouts in which the balancer of the kohya_ss GUI renames wrongly, crashes midway or says nothing: ours does right.

Each was tried on that balancer. What it did stands beside the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.command_line import Done, kohyatpl

STEPS = ("--steps", "40")


def _tree(root_dir: Path, folders: Mapping[str, Iterable[str]], config: str | None = '{"seed": 1}\n') -> Path:
    """Returns a project whose folders hold these files; each file holds its own first path."""
    for folder, names in folders.items():
        (root_dir / folder).mkdir(parents=True)
        for name in names:
            (root_dir / folder / name).write_text(f"{folder}/{name}", encoding="utf-8")
    if config is not None:
        (root_dir / "config.json").write_text(config, encoding="utf-8")
    return root_dir


def _pictures(count: int, suffix: str = ".png") -> list[str]:
    return [f"{number}{suffix}" for number in range(count)]


def _where(root_dir: Path) -> dict[str, str]:
    """Returns the folder that the files of each folder are in now."""
    return {
        path.read_text(encoding="utf-8").rpartition("/")[0]: path.parent.relative_to(root_dir).as_posix()
        for parent in ("image_dir", "reg_dir", "img")
        for path in (root_dir / parent).glob("*/*")
        if path.is_file()
    }


def _weights(root_dir: Path) -> dict[str, float]:
    config = json.loads((root_dir / "config.json").read_bytes())
    return {name: entry["weight"] for name, entry in config.get("kohyatpl", {}).get("concepts", {}).items()}


def _is_done_once(root_dir: Path, done: Done) -> None:
    """A second balancing changes nothing, and undoing gives everything back."""
    assert done.code == 0, done.stderr
    before = _where(root_dir), (root_dir / ".kohyatpl" / "renames.json").read_bytes()
    again = kohyatpl("balance", root_dir, *STEPS)
    assert again.stdout.splitlines()[-1] == "Already balanced: every folder has the right name."
    assert (_where(root_dir), (root_dir / ".kohyatpl" / "renames.json").read_bytes()) == before
    assert kohyatpl("balance", root_dir, "--undo").code == 0
    assert all(old == new for old, new in _where(root_dir).items())


@pytest.mark.parametrize(
    ("name", "weight", "new_name"),
    [
        ("{2.0}10_foo", 2, "16_foo"),  # passed over, or a FileNotFoundError
        ("{2}10_foo", 2, "16_foo"),
        ("{2.}10_foo", 2, "16_foo"),
        ("{0.5}10_foo", 0.5, "4_foo"),
        ("{.5}10_foo", 0.5, "4_foo"),  # became 20_{.5}10_foo
        ("10_{2}foo", 2, "16_foo"),  # the weight was ignored
        ("{3}foo", 3, "24_foo"),
        ("{ 1.5 } 10_foo", 1.5, "12_foo"),
        ("{2.0}10_ohwx ñandú 日本", 2, "16_ohwx ñandú 日本"),
    ],
)
def test_a_weight_in_a_name_is_taken_off_it_and_kept_in_the_config(
    tmp_path: Path, name: str, weight: float, new_name: str
) -> None:
    root = _tree(tmp_path / "project", {f"image_dir/{name}": _pictures(5), "image_dir/1_bar": _pictures(10)})
    done = kohyatpl("balance", root, *STEPS)
    assert _where(root) == {f"image_dir/{name}": f"image_dir/{new_name}", "image_dir/1_bar": "image_dir/4_bar"}
    assert _weights(root) == {new_name.partition("_")[2]: weight}
    assert f"weight = {weight:g}" in done.stdout
    _is_done_once(root, done)
    assert (root / "config.json").read_bytes() == b'{"seed": 1}\n'


def test_the_folder_beside_one_with_a_weight_is_never_renamed_for_it(tmp_path: Path) -> None:
    """It was: 10_foo became 40_foo, with the number of {2.0}10_foo."""
    root = _tree(tmp_path / "project", {"image_dir/{2.0}10_foo": _pictures(5), "image_dir/10_foo": _pictures(20)})
    done = kohyatpl("balance", root, *STEPS, "--json")
    assert (done.code, done.problem["code"], done.problem["where"]) == (
        4,
        "plan.balance.twins",
        "image_dir/{2.0}10_foo",
    )
    assert all(old == new for old, new in _where(root).items())
    assert _weights(root) == {}


@pytest.mark.parametrize("pictures", [[], ["a.PNG", "b.JPG"], ["a.bmp", "b.bmp"], ["a.PNG", "b.PNG", "c.png", "d.png"]])
def test_no_folder_ever_gets_zero_repeats(tmp_path: Path, pictures: list[str]) -> None:
    """It became 0_foo where there was no picture, or none with one of its lower-case extensions."""
    root = _tree(tmp_path / "project", {"image_dir/10_foo": pictures, "image_dir/10_bar": _pictures(4)})
    done = kohyatpl("balance", root, *STEPS, "--json")
    assert done.code == 0
    counts = {item["folder"]: item["images"] for item in done.envelope["data"]["concepts"]}
    assert counts == {"10_bar": 4, **({"10_foo": len(pictures)} if pictures else {})}
    names = {path.name for path in (root / "image_dir").iterdir()}
    assert names == {"10_bar", f"{40 // len(pictures)}_foo" if pictures else "10_foo"}
    assert ("dataset.folder.empty" in {problem["code"] for problem in done.problems}) == (not pictures)


def test_pictures_are_those_that_the_trainer_reads(tmp_path: Path) -> None:
    """Gifs counted, upper case did not, a folder called a.png did; a mask beside its picture is a picture to both."""
    root = _tree(
        tmp_path / "project",
        {
            "image_dir/1_foo": ["1.png", "mask.png", "2.gif", "3.Png", "4.avif", "1.txt", ".5.png"],
            "image_dir/1_foo/folder.png": [],
            "image_dir/1_foo/deeper": _pictures(3),
        },
    )
    done = kohyatpl("balance", root, *STEPS, "--json")
    assert [item["images"] for item in done.envelope["data"]["concepts"]] == [2]
    found = {problem["code"]: problem for problem in done.problems}
    assert set(found) == {"dataset.image.left_out", "dataset.image.unreadable", "dataset.folder.nested"}
    assert "2.gif, 3.Png, 4.avif" in found["dataset.image.left_out"]["message"]
    assert "folder.png" in found["dataset.image.unreadable"]["message"]
    assert "deeper" in found["dataset.folder.nested"]["message"]
    assert all((p["severity"], p["where"]) == ("warning", "image_dir/1_foo") for p in done.problems)


def test_two_folders_that_would_get_one_name_are_refused_before_anything_is_renamed(tmp_path: Path) -> None:
    """An OSError midway, and the order of the listing decided who won; later the second was left without a word."""
    folders = {"image_dir/1_foo": _pictures(5), "image_dir/3_foo": _pictures(5), "image_dir/9_bar": _pictures(5)}
    root = _tree(tmp_path / "project", folders)
    done = kohyatpl("balance", root, *STEPS, "--json")
    assert (done.code, {problem["code"] for problem in done.problems}) == (4, {"plan.balance.name"})
    assert all(old == new for old, new in _where(root).items())


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_what_has_the_new_name_already_is_not_replaced(tmp_path: Path, kind: str, arguments: tuple[str, ...]) -> None:
    """An empty folder of that name was replaced without a word."""
    root = _tree(tmp_path / "project", {"image_dir/1_foo": _pictures(5), "image_dir/1_bar": _pictures(5)})
    taken = root / "image_dir" / "8_foo"
    taken.mkdir() if kind == "folder" else taken.write_text("mine", encoding="utf-8")
    done = kohyatpl("balance", root, *STEPS, *arguments, "--json")
    error = next(problem for problem in done.problems if problem["severity"] == "error")
    assert (done.code, error["code"], error["where"]) == (4, "project.rename.exists", "image_dir/8_foo")
    assert sorted(path.name for path in (root / "image_dir").iterdir()) == ["1_bar", "1_foo", "8_foo"]
    assert kind == "folder" or taken.read_text(encoding="utf-8") == "mine"


def test_files_beside_the_concepts_are_said_and_left(tmp_path: Path) -> None:
    """A NotADirectoryError, with half of the folders renamed."""
    root = _tree(tmp_path / "project", {"image_dir/1_aaa": _pictures(5), "image_dir/1_zzz": _pictures(5)})
    for name in ("10_list.txt", "notes.txt"):
        (root / "image_dir" / name).write_text("mine", encoding="utf-8")
    done = kohyatpl("balance", root, *STEPS, "--json")
    assert (done.code, done.problem["code"], done.problem["severity"]) == (0, "dataset.folder.file", "warning")
    assert "10_list.txt" in done.problem["message"]
    names = {path.name for path in (root / "image_dir").iterdir()}
    assert names == {"8_aaa", "8_zzz", "10_list.txt", "notes.txt"}
    _is_done_once(root, done)


def test_folders_that_are_no_concepts_are_said_and_left(tmp_path: Path) -> None:
    """Asked to take every folder it renamed reg to 0_reg, log and model as well, and 10foo to 25_10foo."""
    folders = {"image_dir/10_foo": _pictures(4)}
    others = {"reg": [], "log": ["events.txt"], "model": [], "10foo": _pictures(4), "0_old": _pictures(2)}
    root = _tree(tmp_path / "project", {**folders, **{f"image_dir/{name}": files for name, files in others.items()}})
    done = kohyatpl("balance", root, "--steps", "80", "--json")
    assert {problem["where"].partition("/")[2]: problem["code"] for problem in done.problems} == dict.fromkeys(
        others, "dataset.folder.ignored"
    )
    assert {path.name for path in (root / "image_dir").iterdir()} == {"20_foo", *others}


@pytest.mark.parametrize("steps", ["0.5", "none", "", "0", "-1"])
def test_a_total_that_is_none_is_refused(tmp_path: Path, steps: str) -> None:
    """None was a TypeError, and 0.5 became 0: one repeat for everything."""
    root = _tree(tmp_path / "project", {"image_dir/3_foo": _pictures(5)})
    done = kohyatpl("balance", root, "--steps", steps, "--json")
    assert (done.code, done.problem["severity"]) == (2, "error")
    assert all(old == new for old, new in _where(root).items())


def test_what_is_right_already_is_no_trouble_and_asks_nothing(tmp_path: Path) -> None:
    """A warning that it already exists, and a message box, without a screen as well."""
    root = _tree(tmp_path / "project", {"image_dir/8_foo": _pictures(5)})
    done = kohyatpl("balance", root, *STEPS)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "Already balanced: every folder has the right name."
    assert not (root / ".kohyatpl" / "renames.json").exists()


def test_the_error_of_rounding_is_reported(tmp_path: Path) -> None:
    """1000 views of 7 pictures became 1001, and of 4000 pictures 4000; nothing was said."""
    root = _tree(tmp_path / "project", {"image_dir/1_foo": _pictures(7), "image_dir/1_bar": _pictures(4000)})
    done = kohyatpl("balance", root, "--steps", "1000")
    assert (root / "image_dir" / "143_foo").is_dir()
    assert "Worst imbalance: 300 %, image_dir/1_bar." in done.stdout
    assert "4000 views per epoch" in done.stderr
    data = kohyatpl("balance", root, "--steps", "1000", "--json").envelope["data"]
    assert {item["folder"]: item["views_per_epoch"] for item in data["concepts"]} == {"143_foo": 1001, "1_bar": 4000}
    one = _tree(tmp_path / "one", {"image_dir/1_foo": _pictures(7)})
    assert "Worst imbalance: 0.1 %, image_dir/143_foo." in kohyatpl("balance", one, "--steps", "1000").stdout


def test_a_folder_that_cannot_be_renamed_takes_the_others_back(tmp_path: Path) -> None:
    """There was no dry run and no way back: whatever failed left half of the folders renamed."""
    long = f"1_{'x' * 253}"  # as long as a name may be: one digit more is too much
    root = _tree(tmp_path / "project", {"image_dir/1_aaa": _pictures(5), f"image_dir/{long}": _pictures(1)})
    done = kohyatpl("balance", root, *STEPS, "--json")
    errors = {problem["code"] for problem in done.problems if problem["severity"] == "error"}
    assert (done.code, errors) == (4, {"project.rename.failed"})
    assert all(old == new for old, new in _where(root).items())


@pytest.mark.parametrize("config", ['{"train_data_dir": "img", "reg_data_dir": "reg"}'])
def test_a_tree_of_the_gui_is_balanced_where_it_lies(odd_path: Path, config: str) -> None:
    folders = {"img/10_ohwx cat": _pictures(4), "img/{2}5_zwx dog": _pictures(4), "reg/1_cat": _pictures(8)}
    root = _tree(odd_path / "kohya", {**folders, "model": [], "log": []}, config)
    done = kohyatpl("balance", root)
    assert (done.code, done.stderr) == (0, "")
    assert sorted(path.name for path in (root / "img").iterdir()) == ["1_ohwx cat", "2_zwx dog"]
    assert sorted(path.name for path in root.iterdir()) == [".kohyatpl", "config.json", "img", "log", "model", "reg"]
    assert "Regularisation: 8 views by name, which the trainer repeats to 12 (concepts: 12)." in done.stdout
