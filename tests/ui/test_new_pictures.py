"""`kohyatpl new` with pictures: taken in whole, what is not taken is said, and nothing of the source changes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loratpl.dataset.intake.planning import Reason
from loratpl.dataset.intake.sources import Intake
from loratpl.ui.cli.new_report import NOTHING_TAKEN
from tests.command_line import COMMAND, Done, eventually, kohyatpl
from tests.dataset.intake.given import contents, make_files
from tests.stand_in import StandIn, oddest, write_picture, write_safetensors


def new(root: Path, *words: str | Path, cwd: Path | None = None) -> Done:
    return kohyatpl("new", root, "--json", "--model", "owner/name", *words, cwd=cwd)


def test_pictures_and_captions_are_taken_in(odd_path: Path) -> None:
    cats = make_files(odd_path / "cats = ohwx", ["1.png", "1.txt", "2.Jpg", "3.gif", ".DS_Store"])
    reg = make_files(odd_path / "5_cat", ["r.png"])
    before = contents(odd_path)
    root = odd_path / "new"
    done = new(root, "--concept", f"ohwx=x cat={cats}", "--concept", "zwx dog", "--reg", f"cat={reg}")
    assert done.code == 0, done.stderr
    assert done.envelope["data"] == {
        "project": str(root.resolve()),
        "config": str(root.resolve() / "config.json"),
        "concepts": ["1_ohwx=x cat", "1_zwx dog"],
        "taken": 4,
        "captions_written": 0,
        "left_out": [
            {"path": str(cats / ".DS_Store"), "reason": Reason.HIDDEN.text},
            {"path": str(cats / "3.gif"), "reason": Reason.FORMAT.text},
        ],
        "renamed": [{"path": str(cats / "2.Jpg"), "new_name": "2.jpg"}],
    }
    assert done.problem["code"] == "dataset.source.left_out"
    assert "3.gif" in done.problem["message"]
    assert ".DS_Store" not in done.problem["message"]
    assert contents(root / "image_dir").keys() == {f"1_ohwx=x cat/{name}" for name in ("1.png", "1.txt", "2.jpg")}
    assert contents(root / "reg_dir").keys() == {"5_cat/r.png"}
    assert {path: text for path, text in contents(odd_path).items() if not path.startswith("new/")} == before


def test_a_folder_of_folders_becomes_a_project_that_can_be_planned(odd_path: Path) -> None:
    for folder in ("10_ohwx cat", "90s_style", "2024_car"):
        (odd_path / "flat" / folder).mkdir(parents=True)
        write_picture(odd_path / "flat" / folder / "1.png")
    write_safetensors(odd_path / "model.safetensors", {"a": [1.0]})
    done = new(odd_path / "new", "--flat", odd_path / "flat", "--model", odd_path / "model.safetensors")
    assert done.code == 0
    assert done.envelope["data"]["concepts"] == ["10_ohwx cat", "1_2024_car", "1_90s_style"]
    assert [problem["code"] for problem in done.problems] == ["project.concept.repeats"]
    plan = kohyatpl("plan", odd_path / "new", "--json").envelope["data"]
    assert {item["folder"]: item["repeats"] for item in plan["concepts"]} == {
        "10_ohwx cat": 10, "1_2024_car": 1, "1_90s_style": 1,
    }  # fmt: skip


def test_the_weight_of_a_kohya_tree_reaches_the_balance(tmp_path: Path) -> None:
    for folder in ("{2.0}10_ohwx cat", "5_zwx dog"):
        (tmp_path / "flat" / folder).mkdir(parents=True)
        write_picture(tmp_path / "flat" / folder / "1.png")
    write_safetensors(tmp_path / "model.safetensors", {"a": [1.0]})
    root = tmp_path / "new"
    done = new(root, "--flat", tmp_path / "flat", "--trigger", "--model", tmp_path / "model.safetensors")
    assert (done.code, done.problem["code"]) == (0, "project.concept.weight")
    assert (root / "image_dir" / "10_{2.0}ohwx cat" / "1.txt").read_text(encoding="utf-8") == "ohwx cat\n"
    balanced = kohyatpl("balance", root, "--json", "--steps", "4")
    assert balanced.code == 0, balanced.stdout
    assert {item["new_folder"] for item in balanced.envelope["data"]["concepts"]} == {"8_ohwx cat", "4_zwx dog"}


def test_what_was_taken_in_can_be_trained_as_it_says(tmp_path: Path, stand_in: StandIn) -> None:
    odd_path = oddest(tmp_path)
    cats = odd_path / "heap"
    cats.mkdir()
    for name in ("1.png", "1.Png", "ñ 日本.png", "q?.png", "-dash.png"):
        write_picture(cats / name)
    (cats / "1.txt").write_text("a caption", encoding="utf-8")
    write_safetensors(odd_path / "model.safetensors", {"a": [1.0]})
    done = kohyatpl(
        "new", odd_path / "new", "--concept", f"ohwx cat={cats}", "--trigger", "--model", odd_path / "model.safetensors"
    )
    said = dict(line.strip().split(maxsplit=1) for line in done.stdout.splitlines()[1:])
    run = kohyatpl(*shlex.split(said["then:"])[1:])
    assert run.code == 0, run.stderr
    assert (odd_path / "new" / "output" / "new.safetensors").is_file()


def test_a_person_reads_where_everything_is(tmp_path: Path) -> None:
    make_files(tmp_path / "cats", ["1.png", "1.jpg", "1.txt", "2.png", "clip.mp4", "Thumbs.db"])
    done = kohyatpl(
        "new", "new", "--model", "a/b", "--concept", "ohwx cat=cats", "--concept", "zwx dog", "--trigger", cwd=tmp_path
    )
    assert done.stdout.splitlines() == [
        f"{tmp_path.resolve() / 'new'} is laid out.",
        "  image_dir/1_ohwx cat: 3 pictures, 2 captions, 1 caption written",
        "  pictures and captions go into image_dir/1_zwx dog/",
        "  4 files renamed: 1.jpg → 1-jpg.jpg, 1.txt → 1-jpg.txt, 1.png → 1-png.png, 1.txt → 1-png.txt",
        "  left where they are: Thumbs.db",
        "  settings are in config.json",
        "  balance: kohyatpl balance new",
        "  then: kohyatpl run new",
    ]
    assert done.stderr.splitlines() == [
        f"warning: Not taken, {Reason.VIDEO.text}: cats/clip.mp4.",
        f"  fix: {Reason.VIDEO.fix}",
    ]


def test_a_heap_is_said_in_few_lines(tmp_path: Path) -> None:
    names = [f"c{number:02}/{name}" for number in range(40) for name in ("a.png", "a.gif", "b.Png", "x.db")]
    make_files(tmp_path / "flat", names)
    done = kohyatpl("new", "new", "--model", "a/b", "--flat", "flat", cwd=tmp_path)
    assert done.code == 0
    assert len(done.stdout.splitlines()) < 20
    assert "  and 28 more folders: 56 pictures" in done.stdout
    assert "and 36 more" in done.stdout
    assert len(done.stderr.splitlines()) == 2
    assert "and 36 more." in done.stderr


def test_captions_are_written_where_there_is_none(odd_path: Path) -> None:
    cats = make_files(odd_path / "cats", ["1.png", "1.txt", "black_cat-asleep.png"])
    done = new(odd_path / "new", "--concept", f"ohwx cat={cats}", "--caption", "{trigger}, a {class}, {tags}")
    assert (done.code, done.envelope["data"]["captions_written"]) == (0, 1)
    folder = odd_path / "new" / "image_dir" / "1_ohwx cat"
    assert (folder / "black_cat-asleep.txt").read_text(encoding="utf-8") == "ohwx, a cat, black cat asleep\n"
    assert (folder / "1.txt").read_bytes() == (cats / "1.txt").read_bytes()


def test_pictures_are_linked_on_demand(odd_path: Path) -> None:
    cats = make_files(odd_path / "cats", ["1.png"])
    assert new(odd_path / "new", "--concept", f"ohwx cat={cats}", "--link").code == 0
    assert (odd_path / "new" / "image_dir" / "1_ohwx cat" / "1.png").samefile(cats / "1.png")


def test_a_template_of_its_own_layout_takes_pictures_in(tmp_path: Path) -> None:
    cats = make_files(tmp_path / "cats", ["1.png"])
    done = new(tmp_path / "new", "--concept", f"ohwx cat={cats}", "--template", "lora-concepts-2023")
    assert (done.code, done.envelope["data"]["taken"]) == (0, 1)


def test_a_home_is_found_behind_the_equals_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    make_files(tmp_path / "cats", ["1.png"])
    assert new(tmp_path / "new", "--concept", "ohwx cat=~/cats").envelope["data"]["taken"] == 1


@pytest.mark.parametrize(
    ("text", "folders", "concept", "source"),
    [
        ("ohwx=cats", ["cats"], "ohwx", "cats"),
        ("a=b=cats", ["cats"], "a=b", "cats"),
        ("a=b=c", ["b=c"], "a", "b=c"),
        ("a=b=c", ["b=c", "c"], "a=b", "c"),
        ("a=cats=", ["cats="], "a", "cats="),
        ("a=b=", ["cats"], "a=b", None),
        ("a=", [], "a", None),
        ("a", ["a"], "a", None),
    ],
)
def test_name_and_folder_are_parted_at_the_last_equals_sign_that_can_be_meant(
    tmp_path: Path, text: str, folders: list[str], concept: str, source: str | None
) -> None:
    for folder in folders:
        make_files(tmp_path / folder, [f"{folder}.png"])
    done = new(tmp_path / "new", "--concept", text, cwd=tmp_path)
    assert done.code == 0, done.stdout
    assert done.envelope["data"]["concepts"] == [f"1_{concept}"]
    assert contents(tmp_path / "new" / "image_dir").keys() == ({f"1_{concept}/{source}.png"} if source else set())


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "where", "said"),
    [
        (("--concept", "ohwx cat=missing"), "usage.folder", "--concept", "there is no folder missing"),
        (("--reg", "cat=missing"), "usage.folder", "--reg", '"cat=missing="'),
        (("--concept", "ohwx cat=file"), "usage.folder", "--concept", "there is no folder file"),
        (("--concept", "ohwx cat=~nobody-at-all/x"), "usage.folder", "--concept", "there is no folder ~nobody"),
        (("--concept", "a=" + "x" * 300), "usage.folder", "--concept", "there is no folder xxx"),
        (("--concept", "./cats"), "usage.folder", "--concept", '"ohwx cat=./cats"'),
        (("--flat", "missing"), "usage.folder", "--flat", "there is no folder missing"),
        (("--concept", "a=cats", "--caption", "{token}"), "usage.caption", "--caption", "{token}"),
        (("--concept", "a=cats", "--caption", ""), "usage.caption", "--caption", "empty"),
        (("--concept", "a=cats", "--caption", "x", "--trigger"), "usage.caption", "--caption", "both"),
        (("--concept", "a", "--caption", "x"), "usage.pictures", "--caption", "no pictures"),
        (("--concept", "a", "--trigger"), "usage.pictures", "--caption", "no pictures"),
        (("--concept", "a", "--link"), "usage.pictures", "--link", "no pictures"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    tmp_path: Path, words: tuple[str, ...], code: str, where: str, said: str
) -> None:
    make_files(tmp_path / "cats", ["1.png"])
    (tmp_path / "file").touch()
    done = new(tmp_path / "new", *words, cwd=tmp_path)
    assert (done.code, done.problem["code"], done.problem["where"]) == (2, code, where)
    assert said in f"{done.problem['message']} {done.problem['fix']}"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--concept", "a=empty"), "dataset.source.empty"),
        (("--flat", "empty"), "dataset.source.empty"),
        (("--concept", "a=."), "dataset.source.overlap"),
        (("--concept", "=cats"), "project.concept.name"),
        (("--concept", "a=cats", "--concept", "A=cats"), "project.concept.name"),
        (("--concept", "cats=cats", "--flat", "flat"), "project.concept.name"),
    ],
)
def test_what_cannot_be_taken_in_leaves_nothing(tmp_path: Path, words: tuple[str, ...], code: str) -> None:
    make_files(tmp_path, ["cats/1.png", "flat/cats/1.png", "empty/1.gif"])
    before = contents(tmp_path)
    done = new(tmp_path / "new", *words, cwd=tmp_path)
    assert (done.code, done.problem["code"]) == (4, code)
    assert done.problem["fix"]
    assert contents(tmp_path) == before
    assert not (tmp_path / "new").exists()


def test_an_occupied_place_is_said_before_the_pictures_are_looked_at(tmp_path: Path) -> None:
    make_files(tmp_path / "new", ["note.txt"])
    done = new(tmp_path / "new", "--flat", tmp_path / "new")
    assert done.problem["code"] == "project.exists"


def test_a_disk_without_room_is_said_before_anything_is_copied(tmp_path: Path) -> None:
    cats = make_files(tmp_path / "cats", ["1.png"])
    try:
        os.truncate(cats / "1.png", 8 << 40)  # takes no room itself
    except OSError:
        pytest.skip("the file system takes no file of that size")
    done = new(tmp_path / "new", "--concept", f"cat={cats}")
    assert (done.code, done.problem["code"]) == (4, "project.disk")
    assert [path.name for path in tmp_path.iterdir()] == ["cats"]
    assert new(tmp_path / "new", "--concept", f"cat={cats}", "--link").code == 0


def test_ctrl_c_in_the_middle_of_a_copy_leaves_nothing(tmp_path: Path) -> None:
    make_files(tmp_path / "cats", [f"{number:03}.png" for number in range(40)])
    for path in (tmp_path / "cats").iterdir():
        with path.open("ab") as file:
            file.truncate(50_000_000)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    words = ["new", str(tmp_path / "new"), "--concept", f"cat={tmp_path / 'cats'}"]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as copying:
        eventually(lambda: any(tmp_path.glob(".kohyatpl-new-*/image_dir/1_cat/*")), "the copy to begin")
        copying.send_signal(signal.SIGINT)
        _, stderr = copying.communicate(timeout=60)
    assert copying.returncode == 130, stderr
    assert "copying 2.0 GB of pictures" in stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_copy_that_is_killed_is_in_nobody_s_way(tmp_path: Path) -> None:
    make_files(tmp_path / "cats", [f"{number:03}.png" for number in range(40)])
    for path in (tmp_path / "cats").iterdir():
        with path.open("ab") as file:
            file.truncate(20_000_000)
    before = contents(tmp_path)
    words = ["new", str(tmp_path / "new"), "--concept", f"cat={tmp_path / 'cats'}"]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as copying:
        eventually(lambda: any(tmp_path.glob(".kohyatpl-new-*/image_dir/1_cat/*")), "the copy to begin")
        copying.kill()
    assert not (tmp_path / "new").exists()
    assert {path: text for path, text in contents(tmp_path).items() if path.startswith("cats/")} == before
    assert kohyatpl(*words, "--link").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_name_that_would_move_the_cursor_is_shown_without(tmp_path: Path) -> None:
    cats = make_files(tmp_path / "cats", ["a\x1b[2Jb\n.gif", "c\td.png"])
    done = kohyatpl("new", tmp_path / "new", "--concept", f"cat={cats}", "--model", "a/b")
    assert "cats/a?[2Jb?.gif" in done.stderr
    assert "c?d.png → c-d.png" in done.stdout
    left_out = new(tmp_path / "new2", "--concept", f"cat={cats}").envelope["data"]["left_out"]
    assert left_out[0]["path"] == str(cats / "a\x1b[2Jb\n.gif")


def test_json_of_nothing_is_that_of_an_empty_intake() -> None:
    assert Intake().as_json() == NOTHING_TAKEN


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no Unicode")
def test_names_that_are_no_unicode_can_be_taken_and_said(tmp_path: Path) -> None:
    cats = make_files(tmp_path / "cats", ["caf\udce9.png", "caf\udce9.gif"])
    done = new(tmp_path / "new", "--concept", f"ohwx cat={cats}")
    assert done.code == 0
    assert contents(tmp_path / "new" / "image_dir").keys() == {"1_ohwx cat/caf-.png"}
    text = kohyatpl("new", tmp_path / "new2", "--concept", f"ohwx cat={cats}")
    assert text.code == 0
    assert "caf-.png" in text.stdout


def test_a_long_trigger_and_an_odd_one(tmp_path: Path) -> None:
    cats = make_files(tmp_path / "cats", ["1.png"])
    name = "😀 it's -ñ, (日本) " + "x" * 190
    done = new(tmp_path / "new", "--concept", f"{name}={cats}", "--trigger")
    assert done.code == 0, done.stdout
    caption = tmp_path / "new" / "image_dir" / f"1_{name}" / "1.txt"
    assert caption.read_text(encoding="utf-8") == f"{name}\n"
    assert json.loads((tmp_path / "new" / "config.json").read_text(encoding="utf-8"))["output_name"] == "new"
