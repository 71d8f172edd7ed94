"""Everything that lies in image_dir is found, and nothing is followed for ever."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from loratpl.dataset.inspect import inspect_tree
from loratpl.dataset.inspect.walk import FolderBelow, walk_parent
from loratpl.dataset.scan import scan
from tests.dataset.inspect.drawn import write
from tests.dataset.inspect.test_contents import as_somebody_else

posix = pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made there")


def test_a_folder_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    tree = inspect_tree(tmp_path / "missing", tmp_path / "neither")
    assert list(tree.folders) == []
    assert [parent.contents.error for parent in tree.parents] == ["", ""]


def test_the_pictures_are_those_that_the_scan_finds_in_its_order(odd_path: Path) -> None:
    image_dir, reg_dir = odd_path / "image", odd_path / "reg"
    for number, name in enumerate(["Z.png", "a 1.png", "a-1.JPG", "a.webp", "a1.bmp", "é.png", "日.jpeg"]):
        write(image_dir / "2_b" / name, number)
        write(image_dir / "10_a" / name, number)
        write(reg_dir / "1_c" / name, number)
    tree, dataset = inspect_tree(image_dir, reg_dir, tier="headers"), scan(image_dir, reg_dir)
    assert [found.file_path for found in tree.pictures] == [p.path for c in dataset.concepts for p in c.pictures]
    assert [(folder.path, folder.is_reg) for folder in tree.folders] == [(c.folder, c.is_reg) for c in dataset.concepts]


@posix
def test_files_are_told_apart_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "1_x"
    folder.mkdir()
    names = ["1.png", "1.txt", "2.Png", "3.gif", "4.heic", "1_0064x0064_sd.npz", ".5.png", ".DS_Store", "Thumbs.db",
             "desktop.ini", "noext", "a.png.txt"]  # fmt: skip
    for name in names:
        (folder / name).write_bytes(b"")
    (inside,) = walk_parent(tmp_path, is_reg=False).folders
    assert inside.pictures == ("1.png",)
    assert inside.left_out == ("2.Png", "3.gif", "4.heic")
    assert set(inside.others) == {"1.txt", "1_0064x0064_sd.npz", "Thumbs.db", "desktop.ini", "noext", "a.png.txt"}


def test_pictures_beside_and_below_the_concepts_are_found(odd_path: Path) -> None:
    write(odd_path / "loose.png")
    (odd_path / "loose.gif").write_bytes(b"")
    write(odd_path / "1_x" / "a.png")
    write(odd_path / "1_x" / "more" / "b.png")
    write(odd_path / "1_x" / "more" / "evenmore" / "c.png")
    parent = walk_parent(odd_path, is_reg=False)
    assert parent.loose == ("loose.gif", "loose.png")
    more = odd_path / "1_x" / "more"
    assert parent.folders[0].below == (FolderBelow(more, 1), FolderBelow(more / "evenmore", 1))


def test_hidden_folders_and_those_of_systems_are_nothing(tmp_path: Path) -> None:
    write(tmp_path / "1_x" / "a.png")
    for junk in ("__MACOSX", "@eaDir", ".ipynb_checkpoints"):
        write(tmp_path / junk / "a.png")
        write(tmp_path / "1_x" / junk / "a.png")
    (inside,) = walk_parent(tmp_path, is_reg=False).folders
    assert inside.below == ()


def test_links_that_loop_are_found_and_not_followed(odd_path: Path) -> None:
    concept_dir = odd_path / "1_x"
    write(concept_dir / "a.png")
    (concept_dir / "up").symlink_to("..", target_is_directory=True)
    (concept_dir / "self").symlink_to(".", target_is_directory=True)
    (odd_path / "2_loop").symlink_to(odd_path, target_is_directory=True)
    folders = {folder.path.name: folder for folder in walk_parent(odd_path, is_reg=False).folders}
    assert folders["1_x"].below == (
        FolderBelow(concept_dir / "self", is_loop=True),
        FolderBelow(concept_dir / "up", is_loop=True),
    )
    assert folders["2_loop"].is_loop
    assert not folders["1_x"].is_loop


def test_two_links_to_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "1_x" / "a").mkdir(parents=True)
    (tmp_path / "1_x" / "b").mkdir()
    (tmp_path / "1_x" / "a" / "to_b").symlink_to(tmp_path / "1_x" / "b", target_is_directory=True)
    (tmp_path / "1_x" / "b" / "to_a").symlink_to(tmp_path / "1_x" / "a", target_is_directory=True)
    (inside,) = walk_parent(tmp_path, is_reg=False).folders
    assert any(below.is_loop for below in inside.below)


def test_reg_dir_that_is_image_dir_is_looked_at_once(tmp_path: Path) -> None:
    write(tmp_path / "1_x" / "a.png")
    assert len(inspect_tree(tmp_path, tmp_path / "1_x" / "..").parents) == 1


def test_folders_without_a_number_are_listed_and_not_read(tmp_path: Path) -> None:
    write(tmp_path / "x" / "a.png")
    write(tmp_path / "0_y" / "a.png")
    tree = inspect_tree(tmp_path, None)
    assert [(folder.contents.pictures, folder.pictures) for folder in tree.folders] == [(("a.png",), ())] * 2
    assert tree.inspected_count == 0


@posix
def test_a_folder_that_may_not_be_listed_says_so() -> None:
    with as_somebody_else() as folder:
        (folder / "1_x" / "below").mkdir(parents=True)
        (folder / "2_y").mkdir()
        (folder / "1_x" / "below").chmod(0)
        (folder / "2_y").chmod(0)
        first, second = walk_parent(folder, is_reg=False).folders
        for locked in (folder / "1_x" / "below", folder / "2_y"):
            locked.chmod(0o700)
        assert [below.error for below in first.below] == ["permission denied"]
        assert second.error == "permission denied"
        assert second.is_concept


def test_very_many_empty_files_neither_take_long_nor_much(tmp_path: Path) -> None:
    folder = tmp_path / "1_x"
    folder.mkdir()
    write(folder / "0.png")
    count = 50_000 if sys.platform == "linux" else 5_000
    for number in range(1, count + 1):
        # A link is made in a third of the time; a thousand to one file are allowed everywhere.
        if number % 1000 == 1:
            (folder / f"{number}.png").touch()
        else:
            os.link(folder / f"{number - (number - 1) % 1000}.png", folder / f"{number}.png")
    began = time.process_time()
    tree = inspect_tree(tmp_path, None)
    assert time.process_time() - began < 5  # 0.6 s here, 13 s when each is compared with each
    assert sum(found.impostor == "empty" for found in tree.pictures) == count
    assert sum(found.impostor == "" for found in tree.pictures) == 1
    shutil.rmtree(folder)  # nobody wants to find them afterwards
