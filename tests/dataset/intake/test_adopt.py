"""Trees that are there already: which folder is which, and the classic mistakes explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.dataset.intake.adopt import Tree, caption_problems, recognise
from loratpl.errors import ProjectError
from tests.dataset.intake.given import contents, make_files
from tests.given import only, refusal


def tree_of(folder: Path, *names: str) -> Path:
    """Returns a tree of these files; a name that ends with a slash is a folder."""
    root = make_files(folder / "tree", [name for name in names if not name.endswith("/")])
    for name in names:
        if name.endswith("/"):
            (root / name).mkdir(parents=True, exist_ok=True)
    return root


def not_adopted(root: Path, code: str, *named: str) -> str:
    """Returns the fix of the refusal of a tree, which stays as it is."""
    before = contents(root)
    with pytest.raises(ProjectError) as caught:
        recognise(root)
    assert contents(root) == before
    return refusal(caught.value, ProjectError, code, *named).fix


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("img/10_ohwx cat/1.png", "img/5_b/1.JPG", "reg/1_cat/1.png", "model/", "log/"),
            ("img", "reg", "model", "log", ("10_ohwx cat", "5_b")),
        ),
        (("img/10_ohwx cat/1.png",), ("img", None, "model", "log", ("10_ohwx cat",))),
        (("img/10_a/1.png", "reg/", "output/", "logs/"), ("img", "reg", "output", "logs", ("10_a",))),
        (
            ("image_dir/10_a/1.png", "reg_dir/1_cat/1.png"),
            ("image_dir", "reg_dir", "output", "log", ("10_a",)),
        ),
        (("Img/10_a/1.png", "REG/1_cat/1.png", "Model/"), ("Img", "REG", "Model", "log", ("10_a",))),
        (("dataset/10_a/1.png", "other/1.png"), ("dataset", None, "output", "log", ("10_a",))),
        (("10_a/1.png", "log/", "2_b/1.png"), (".", None, "output", "log", ("10_a", "2_b"))),
        (("10_a/1.png", "reg/1_cat/1.png", "model/"), (".", "reg", "model", "log", ("10_a",))),
        (("img/", "reg/", "model/", "log/"), ("img", "reg", "model", "log", ())),
        (("img/ohwx cat/1.png",), ("img", None, "model", "log", ())),
        (("img/0_a/1.png", "img/10_b/1.png", "img/3_empty/"), ("img", None, "model", "log", ("10_b",))),
        (("img/10_a/1.png", ".hidden/1_a/1.png"), ("img", None, "model", "log", ("10_a",))),
    ],
)
def test_each_folder_is_known(
    odd_path: Path, names: tuple[str, ...], expected: tuple[str, str | None, str, str, tuple[str, ...]]
) -> None:
    root = tree_of(odd_path, *names)
    before = contents(root)
    assert recognise(root) == Tree(*expected, caption_extension=".txt", other_captions=0)
    assert contents(root) == before


def test_only_folders_that_are_there_are_named_for_pictures() -> None:
    tree = Tree("img", None, "model", "log", (), ".txt", 0)
    assert tree.options == {"train_data_dir": "img", "output_dir": "model", "logging_dir": "log"}
    tree = Tree(".", "reg", "model", "log", (), ".txt", 0)
    assert tree.options["reg_data_dir"] == "reg"


@pytest.mark.parametrize(
    ("captions", "extension", "others"),
    [
        (("1.txt", "2.txt"), ".txt", 0),
        (("1.caption", "2.caption"), ".caption", 0),
        (("1.caption", "2.caption", "3.txt"), ".caption", 1),
        (("1.caption", "2.txt", "3.txt"), ".txt", 1),
        (("1.caption", "2.txt"), ".txt", 1),
        (("1.caption", "1.txt"), ".txt", 0),
        (("other.caption",), ".txt", 0),
    ],
)
def test_the_captions_that_are_there_decide_the_extension(
    tmp_path: Path, captions: tuple[str, ...], extension: str, others: int
) -> None:
    names = [f"img/1_a/{name}" for name in ("1.png", "2.png", "3.png", *captions)]
    tree = recognise(tree_of(tmp_path, *names))
    assert (tree.caption_extension, tree.other_captions) == (extension, others)
    problems = list(caption_problems(tree))
    assert len(problems) == bool(others)
    if others:
        problem = only(problems)
        assert (problem.code, problem.severity) == ("project.adopt.captions", "warning")
        assert problem.message.startswith("1 picture has a caption in a ")
        assert extension in problem.fix


# --- the classic mistakes -------------------------------------------------------------------------------------------


def test_a_concept_folder_itself_is_explained(odd_path: Path) -> None:
    leaf = make_files(odd_path / "img" / "10_ohwx cat", ["1.png", "1.txt"])
    fix = not_adopted(leaf, "project.adopt.leaf", str(leaf), "the folder above")
    assert f'--adopt "{leaf.parent}"' in fix


def test_a_folder_of_loose_pictures_is_explained(odd_path: Path) -> None:
    leaf = make_files(odd_path / "my cats", ["1.png"])
    assert f'--concept "ohwx cat={leaf}"' in not_adopted(leaf, "project.adopt.leaf", str(leaf))


def test_an_img_folder_that_holds_the_pictures_itself_is_explained(tmp_path: Path) -> None:
    root = tree_of(tmp_path, "img/1.png", "log/")
    not_adopted(root, "project.adopt.leaf", str(root / "img"))


def test_folders_without_numbers_are_explained(odd_path: Path) -> None:
    root = tree_of(odd_path, "ohwx cat/1.png", "90s_style/1.png")
    assert f'--flat "{root}"' in not_adopted(root, "project.adopt.none", str(root), "<repeats>")


def test_a_folder_without_pictures_is_nothing_to_adopt(odd_path: Path) -> None:
    root = tree_of(odd_path, "notes.md", "deep/deeper/1_a/1.png")
    assert "kohyatpl new" in not_adopted(root, "project.adopt.none", str(root))


def test_a_part_of_a_tree_leads_to_the_whole(tmp_path: Path) -> None:
    root = tree_of(tmp_path, "img/10_a/1.png", "log/")
    assert f'--adopt "{root}"' in not_adopted(root / "img", "project.adopt.part", str(root))


def test_an_img_folder_on_its_own_is_a_tree(tmp_path: Path) -> None:
    root = tree_of(tmp_path, "img/10_a/1.png")
    assert recognise(root / "img").train == "."


def test_two_folders_that_could_hold_the_concepts_are_named(tmp_path: Path) -> None:
    root = tree_of(tmp_path, "img/10_a/1.png", "img2/10_b/1.png", "1_c/1.png")
    not_adopted(root, "project.adopt.several", "tree itself, img, img2")


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError) as caught:
        recognise(tmp_path / "file")
    refusal(caught.value, ProjectError, "dataset.source.unreadable", str(tmp_path / "file"))
