"""Folders and pictures are found as the trainer finds them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loratpl.dataset.scan import Dataset, Picture, parse_folder_name, picture_paths, scan
from tests.dataset.inspect.test_contents import as_somebody_else
from tests.stand_in import write_picture

posix = pytest.mark.skipif(sys.platform == "win32", reason="such a name cannot be made there")


def _concept_dir(parent: Path, name: str, *pictures: str) -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    for picture in pictures:
        (folder / picture).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("10_ohwx cat", (10, "ohwx cat")),
        ("7", (7, "")),
        ("7_", (7, "")),
        ("0010_x", (10, "x")),
        ("+3_x", (3, "x")),
        (" 3_x", (3, "x")),
        ("3 _x", (3, "x")),
        ("３_x", (3, "x")),
        ("٣_x", (3, "x")),
        ("2__dbl", (2, "_dbl")),
        ("1_0_k", (1, "0_k")),
        ("1_ñandú 日本 😀", (1, "ñandú 日本 😀")),
        ("0_x", (0, "x")),
        ("-1_x", (-1, "x")),
        ("1e2_x", None),
        ("3.0_x", None),
        ("10-a", None),
        ("10 a", None),
        ("_x", None),
        ("x", None),
        ("x_10", None),
    ],
)
def test_a_folders_name_is_read_as_the_trainer_reads_it(name: str, expected: tuple[int, str] | None) -> None:
    assert parse_folder_name(name) == expected


def test_concepts_come_in_sorted_order_training_first(odd_path: Path) -> None:
    for parent, name in (("image", "2_b"), ("image", "10_a"), ("image", "1_c"), ("reg", "1_a")):
        folder = _concept_dir(odd_path / parent, name)
        write_picture(folder / "1.png", size=(70, 50))
    dataset = scan(odd_path / "image", odd_path / "reg")
    assert [(c.folder.name, c.repeats, c.class_tokens, c.is_reg) for c in dataset.concepts] == [
        ("10_a", 10, "a", False),
        ("1_c", 1, "c", False),
        ("2_b", 2, "b", False),
        ("1_a", 1, "a", True),
    ]
    assert dataset.training == dataset.concepts[:3]
    assert dataset.regularisation == dataset.concepts[3:]
    assert dataset.concepts[0].pictures == (Picture(odd_path / "image" / "10_a" / "1.png", 70, 50),)
    assert (dataset.image_dir, dataset.reg_dir, dataset.ignored) == (odd_path / "image", odd_path / "reg", ())


@pytest.mark.parametrize(
    ("name", "pictures", "reason"),
    [
        ("ohwx cat", ("1.png", "2.png"), "does not start with a number"),
        ("0_ohwx cat", ("1.png",), "repeats are 0"),
        ("-3_ohwx cat", ("1.png",), "repeats are -3"),
        ("3_ohwx cat", (), "no picture"),
        ("3_ohwx dog", ("1.gif", "1.txt", "1.Png"), "no picture"),
    ],
)
def test_what_the_trainer_passes_over_is_kept_with_its_reason(
    tmp_path: Path, name: str, pictures: tuple[str, ...], reason: str
) -> None:
    folder = _concept_dir(tmp_path, name, *pictures)
    dataset = scan(tmp_path, None)
    (ignored,) = dataset.ignored
    assert dataset.concepts == ()
    assert ignored.folder == folder
    assert reason in ignored.reason
    assert ignored.picture_count == sum(not picture.endswith(".txt") for picture in pictures)


def test_hidden_folders_and_files_beside_the_folders_are_nothing(tmp_path: Path) -> None:
    _concept_dir(tmp_path, ".3_x", "1.png")
    (tmp_path / "1_file").write_bytes(b"")
    (tmp_path / "1.png").write_bytes(b"")
    assert scan(tmp_path, None) == Dataset(tmp_path, None, (), ())


def test_folders_that_are_not_there_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert scan(tmp_path / "missing", tmp_path / "file").concepts == ()


def test_a_linked_folder_is_a_folder(tmp_path: Path) -> None:
    write_picture(_concept_dir(tmp_path / "elsewhere", "pictures") / "1.png")
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "3_x").symlink_to(tmp_path / "elsewhere" / "pictures", target_is_directory=True)
    (concept,) = scan(tmp_path / "image", None).training
    assert (concept.repeats, len(concept.pictures)) == (3, 1)


@posix
def test_the_extensions_of_pictures_are_all_lower_or_all_upper_case(tmp_path: Path) -> None:
    taken = ["a.png", "b.jpg", "c.jpeg", "d.webp", "e.bmp", "f.PNG", "g.JPG", "h.JPEG", "i.WEBP", "j.BMP", "k.x.png"]
    passed_over = ["a.Png", "b.gif", "c.tiff", "d.avif", "e.txt", "png", ".png", ".hidden.png", "f.png.txt", "g.png "]
    folder = _concept_dir(tmp_path, "1_x", *taken, *passed_over)
    assert [path.name for path in picture_paths(folder)] == taken


@posix
def test_pictures_come_in_the_order_of_their_code_points(tmp_path: Path) -> None:
    names = ["Z.png", "a 1.png", "a-1.png", "a.png", "a1.png", "a10.png", "a2.png", "é.png", "日.png", "😀.png"]
    folder = _concept_dir(tmp_path, "1_x", *reversed(names))
    assert [path.name for path in picture_paths(folder)] == names


def test_pictures_in_folders_below_are_not_found_but_a_folder_called_like_a_picture_is(tmp_path: Path) -> None:
    # The trainer takes it for a picture as well, and ends on it.
    write_picture(_concept_dir(tmp_path / "1_x", "below") / "1.png")
    _concept_dir(tmp_path / "1_x", "a.png")
    (concept,) = scan(tmp_path, None).concepts
    assert [(picture.path.name, picture.is_readable) for picture in concept.pictures] == [("a.png", False)]


def test_two_pictures_of_one_stem_are_two(tmp_path: Path) -> None:
    folder = _concept_dir(tmp_path, "1_x")
    write_picture(folder / "a.png")
    write_picture(folder / "a.jpg")
    (concept,) = scan(tmp_path, None).concepts
    assert [picture.is_readable for picture in concept.pictures] == [True, True]


@posix
def test_a_folder_that_nobody_may_look_into_is_told() -> None:
    with as_somebody_else() as place:
        folder = place / "image" / "1_a"
        folder.mkdir(parents=True)
        for locked in (folder, folder.parent):
            locked.chmod(0)
            try:
                (ignored,) = scan(folder.parent, None).ignored
            finally:
                locked.chmod(0o755)
            assert (ignored.folder, ignored.is_unreadable) == (locked, True)
